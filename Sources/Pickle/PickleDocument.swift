/// A pickle read as data: every value with its bytes, sharing and cycles kept, nothing executed.
///
/// An editor's view of a program, not its run: `GLOBAL` is a name, `REDUCE` a node with two children. No name is ever
/// looked up. The layout is flat arrays of small structs, so that neither parsing nor freeing recurses, however deep
/// the values nest.
///
/// A node is its constructor and the *steps* that changed it later (each APPEND or SETITEMS batch, BUILD). A slot is one
/// place where a node appears; two slots with the same node are one shared Python object.
public struct PickleDocument: Sendable {
    /// How many pickles the source holds.
    public enum Count: Hashable, Sendable {
        /// One; bytes behind it are left alone (see `end`).
        case one
        /// Two with one memo: a ZODB record is a class pickle and a state pickle written by one pickler, and the second
        /// may GET what the first PUT.
        case record
        /// As many as there are, each with the memo of those before it.
        case all
    }

    /// A value of the document; the same for every place it appears in.
    public struct NodeID: Hashable, Sendable {
        let index: UInt32
    }

    /// One place where a value appears: the value, and the bytes that push exactly it.
    public struct Slot: Hashable, Sendable {
        let nodeIndex: UInt32
        let start: UInt32
        let end: UInt32

        public var node: NodeID { NodeID(index: nodeIndex) }
        /// Bytes of the source, from the first opcode to behind the last (PUTs and steps included). A value that
        /// appears again by GET has only the GET's bytes there.
        public var range: Range<Int> { Int(start)..<Int(end) }
    }

    public struct Entry: Hashable, Sendable {
        public let key: Slot
        public let value: Slot

        public init(key: Slot, value: Slot) {
            self.key = key
            self.value = value
        }
    }

    /// The longest source that is read: offsets are 32 bits. A record of ZODB is far smaller; larger data is in blobs.
    public static let maximumLength = 1 << 30

    struct NodeRecord: BitwiseCopyable {
        /// The opcode that made it.
        var opcode: Opcode
        /// Where that opcode stands.
        var start: UInt32
        /// The first and last of its steps, as indices; -1 for none. They form a list through `StepRecord.next`.
        var firstStep: Int32
        var lastStep: Int32
    }

    struct StepRecord: BitwiseCopyable {
        var opcode: Opcode
        var offset: UInt32
        /// Where the MARK stands that the opcode took back; `noMark` when it takes a fixed number of operands.
        var mark: UInt32
        /// Its operands: a run of `operands`.
        var first: UInt32
        var count: UInt32
        var next: Int32
    }

    static let noMark = UInt32.max

    /// A step that reached its node by a GET: the bytes of the value and of this change to it lie apart.
    struct RemoteStep: BitwiseCopyable {
        var node: UInt32
        var offset: UInt32
    }

    public let source: [UInt8]
    /// The result of each pickle, in order.
    public let roots: [Slot]
    /// Bytes read: one past the last STOP.
    public let end: Int

    let nodes: [NodeRecord]
    let steps: [StepRecord]
    /// Every slot but the roots, in the order in which they were taken from the stack, inner before outer. Those that POP
    /// dropped are among them; no step has these.
    let operands: [Slot]
    /// Rare: recursive objects, and what no pickler writes.
    let remoteSteps: [RemoteStep]
    /// DUP, which no pickler writes: a value that is in two places without a GET. Such a document is not edited.
    let usesDuplicate: Bool
    /// FRAME or MEMOIZE: then an edit concerns more than the bytes that it replaces.
    let usesFramesOrMemoize: Bool

    /// Reads `source`.
    ///
    /// Time and memory are linear in its length (at most about 60 bytes of memory for each byte of source).
    /// - Throws: `PickleError`, for the first thing wrong.
    public init(_ source: [UInt8], _ count: Count = .one) throws(PickleError) {
        guard source.count <= Self.maximumLength else {
            throw PickleError(.tooLong(length: source.count, limit: Self.maximumLength), at: 0)
        }
        var parser = SpareParser.take(sourceCount: source.count)
        end = try source.withUnsafeBufferPointer { (bytes) throws(PickleError) -> Int in
            try parser.parse(bytes, count)
        }
        self.source = source
        roots = parser.roots
        nodes = parser.nodes.array()
        steps = parser.steps.array()
        operands = parser.operands.array()
        remoteSteps = parser.remoteSteps
        usesDuplicate = parser.usesDuplicate
        usesFramesOrMemoize = parser.usesFramesOrMemoize
        SpareParser.giveBack(parser)
    }

    /// The number of distinct values.
    public var nodeCount: Int { nodes.count }
}

extension PickleDocument.Slot: BitwiseCopyable {}
