public import ByteCoding
public import ZODB

/// One message, in either direction: `(id, flags, name, arguments)`.
///
/// A reply has the id of its call, the name `.reply`, and its result in the place of the arguments.
public struct Message: Hashable, Sendable {
    /// What the caller chose. Ours are integers, Python's may be any value.
    public var id: WireValue
    /// The sender wants no reply.
    public var isOneWay: Bool
    /// The reply holds an exception (generation 5 only).
    public var isException: Bool
    public var name: String
    public var arguments: WireValue

    public init(
        id: WireValue, isOneWay: Bool = false, isException: Bool = false, name: String, arguments: WireValue
    ) {
        self.id = id
        self.isOneWay = isOneWay
        self.isException = isException
        self.name = name
        self.arguments = arguments
    }

    public static let replyName = ".reply"
    public var isReply: Bool { name == Self.replyName }

    /// What a client sends every minute to keep the connection from looking idle; no server answers it.
    public static let heartbeat = Message(id: .integer(-1), name: replyName, arguments: .none)
}

extension Message {
    /// The most parts that a call of a client has, far above any real one. What a server answers may have more: the oids
    /// of a large transaction.
    public static let callLimit = 100_000

    /// - Parameter limit: the most parts, inner ones included. A part may take fifty times its bytes in memory.
    /// - Throws: `FormatError`, offsets from the start of the body, when `body` is no message in this encoding.
    public init(_ body: [UInt8], encoding: Dialect.Encoding, limit: Int = .max) throws(FormatError) {
        let value =
            switch encoding {
            case .pickle: try PickleReader.value(of: body, limit: limit)
            case .messagePack: try MessagePackMessages.value(of: body, limit: limit)
            }
        guard let parts = value.elements, parts.count == 4, let flags = parts[1].integer, let name = parts[2].name
        else { throw FormatError(.invalid(field: "message", found: value.description), at: 0) }
        self.init(
            id: parts[0], isOneWay: flags & 1 != 0, isException: flags & 2 != 0, name: name, arguments: parts[3])
    }

    /// The body; by default in the style that every peer of generation 5 reads.
    /// - Parameter reader: in pickles, which Python has to read it: before generation 5 they differ.
    public func body(in encoding: Dialect.Encoding, for reader: PythonGeneration = .python3) -> [UInt8] {
        // Python 2 peers before generation 5 say True as 1, and False as False.
        let flags: WireValue =
            name == Self.replyName
            ? .integer(isException ? 2 : 0)
            : isOneWay && reader == .python2 && encoding == .pickle ? .integer(1) : .bool(isOneWay)
        let value = WireValue.tuple([id, flags, .string(name), arguments])
        return switch encoding {
        case .pickle: PickleWriter.bytes(value, for: reader)
        case .messagePack: MessagePackMessages.bytes(value)
        }
    }
}
