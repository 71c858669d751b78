/// Writes a new pickle out of values of others, opcode by opcode as those have them.
///
/// Nothing is translated: a value has the same opcodes and argument bytes as where it comes from. Only its memo numbers
/// are new. What is one object within a source stays one, however often it is used; each source's objects are its own.
///
/// Neither copying nor counting recurses, however deep the values nest.
public struct PickleCopier {
    /// Why a value cannot be copied.
    public enum Failure: Error, Hashable, Sendable {
        /// A value that is part of itself before it exists, as a tuple in a list in that tuple.
        case circular
        /// Its data is outside the pickle.
        case outOfBand
        case noSuchSource
    }

    /// What has been written so far.
    public private(set) var output: [UInt8]
    private var sources: [Source] = []
    private var nextMemo: Int

    private struct Source {
        let document: PickleDocument
        /// Of each node: appears more than once.
        let isShared: [Bool]
        var memo: [UInt32: Int] = [:]
        var begun: Set<UInt32> = []
    }

    private enum Task {
        case value(PickleDocument.Slot)
        case bytes(Range<Int>)
        case opcode(Opcode)
        case put(UInt32)
    }

    /// - Parameters:
    ///   - output: what comes before.
    ///   - firstMemo: the first memo number that is free.
    public init(continuing output: [UInt8], firstMemo: Int) {
        self.output = output
        nextMemo = firstMemo
    }

    /// Makes a document's values available; the number to name it by.
    public mutating func add(_ document: PickleDocument) -> Int {
        var uses = [UInt8](repeating: 0, count: document.nodeCount)
        for slot in document.operands {
            let index = Int(slot.nodeIndex)
            if uses[index] < 2 { uses[index] += 1 }
        }
        sources.append(Source(document: document, isShared: uses.map { $0 > 1 }))
        return sources.count - 1
    }

    public mutating func append(_ opcode: Opcode) { output.append(opcode.rawValue) }

    public mutating func append(_ bytes: some Sequence<UInt8>) { output.append(contentsOf: bytes) }

    /// Appends the opcodes that push the value.
    public mutating func append(_ slot: PickleDocument.Slot, of source: Int) throws(Failure) {
        guard sources.indices.contains(source) else { throw .noSuchSource }
        var tasks = [Task.value(slot)]
        while let task = tasks.popLast() {
            switch task {
            case .value(let slot): try begin(slot.nodeIndex, of: source, &tasks)
            case .bytes(let range): output.append(contentsOf: sources[source].document.source[range])
            case .opcode(let opcode): append(opcode)
            case .put(let node): put(node, of: source)
            }
        }
    }

    /// Notes, in reverse order, what is to be written for a node.
    private mutating func begin(_ node: UInt32, of source: Int, _ tasks: inout [Task]) throws(Failure) {
        if let number = sources[source].memo[node] {
            get(number)
            return
        }
        let document = sources[source].document
        let record = document.nodes[Int(node)]
        guard record.opcode != .nextBuffer else { throw .outOfBand }
        if sources[source].isShared[Int(node)] {
            guard sources[source].begun.insert(node).inserted else { throw .circular }
        }
        var steps: [PickleDocument.StepRecord] = []
        var index = record.firstStep
        while index >= 0 {
            steps.append(document.steps[Int(index)])
            index = document.steps[Int(index)].next
        }
        // The first step of a value made of others is its making.
        let maker = steps.first?.offset == record.start ? steps.removeFirst() : nil
        for step in steps.reversed() {
            tasks.append(.opcode(step.opcode))
            Self.append(step, of: document, to: &tasks)
        }
        tasks.append(.put(node))
        tasks.append(.bytes(document.opcodeRange(of: record)))
        if let maker { Self.append(maker, of: document, to: &tasks) }
    }

    private static func append(
        _ step: PickleDocument.StepRecord, of document: PickleDocument, to tasks: inout [Task]
    ) {
        for slot in document.operands[Int(step.first)..<Int(step.first) + Int(step.count)].reversed() {
            tasks.append(.value(slot))
        }
        switch step.opcode {
        case .tuple, .list, .frozenSet, .inst, .dict, .obj, .appends, .setItems, .addItems: tasks.append(.opcode(.mark))
        default: break
        }
    }

    private mutating func put(_ node: UInt32, of source: Int) {
        guard sources[source].isShared[Int(node)] else { return }
        sources[source].memo[node] = nextMemo
        write(.binPut, .longBinPut, nextMemo)
        nextMemo += 1
    }

    private mutating func get(_ number: Int) { write(.binGet, .longBinGet, number) }

    private mutating func write(_ short: Opcode, _ long: Opcode, _ number: Int) {
        if number < 256 {
            output += [short.rawValue, UInt8(number)]
        } else {
            append(long)
            output += (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
        }
    }
}

extension PickleDocument {
    /// One more than the highest number that the pickle gives to a value.
    public static func memoEnd(of pickle: [UInt8]) throws(PickleError) -> Int {
        var (at, end, count) = (0, 0, 0)
        try pickle.withUnsafeBufferPointer { (bytes) throws(PickleError) in
            while at < bytes.count {
                guard let opcode = Opcode(rawValue: bytes[at]) else {
                    throw PickleError(.unknownOpcode(bytes[at]), at: at)
                }
                let argument = try PickleParser.argumentRange(of: opcode, at: at, in: bytes)
                switch opcode {
                case .binPut, .longBinPut:
                    end = max(end, argument.reversed().reduce(0) { $0 << 8 | Int(bytes[$1]) } + 1)
                    count += 1
                case .put:
                    end = max(end, try TextArgument.memoID(opcode, bytes, argument, at: at) + 1)
                    count += 1
                case .memoize:
                    count += 1
                default: break
                }
                at = argument.upperBound
            }
        }
        return max(end, count)
    }

    /// The opcode that made a node, and its argument with its length.
    func opcodeRange(of record: NodeRecord) -> Range<Int> {
        Int(record.start)..<argument(of: record).upperBound
    }
}
