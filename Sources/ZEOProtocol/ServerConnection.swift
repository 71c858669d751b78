internal import ByteCoding
public import ZODB

/// The server's side of one connection, from the greeting to its end: message bodies in, events out, and replies in the
/// form that this client takes.
///
///     S: greeting   C: the dialect   [C: getAuthProtocol …]   C: register   then any call
///
/// Pure state: it does no I/O, knows no clock and no storage. Whatever a client sends, the connection at worst closes.
///
/// Source: `ZEO/StorageServer.py`, `ZEO/asyncio/server.py` and `ZEO/zrpc` of ZEO 2.2 to 6.2, and probes of real servers.
public struct ServerConnection: Sendable {
    /// What a message asks for.
    public enum Event: Hashable, Sendable {
        /// Nothing to do.
        case none
        /// A dialect was agreed on.
        case greeted(Dialect)
        /// A monitor wants the figures and the end.
        case status
        case call(ServerCall, Reply)
        /// A call that cannot be made, but answered.
        case refused(PythonException, Reply)
        /// The connection has to end; why, for the log.
        case close(String)
    }

    /// Whom to answer.
    public struct Reply: Hashable, Sendable {
        let id: WireValue
        /// The client does not want to hear.
        public let isOneWay: Bool

        /// For what is not answered.
        public static let unanswered = Reply(id: .integer(0), isOneWay: true)
    }

    private enum Phase: Hashable, Sendable {
        case greeting
        case speaking(Dialect)
        case closed
    }

    /// What is announced.
    public let announced: Dialect
    private var phase = Phase.greeting
    /// Which Python reads our pickles; known from the first call.
    private var reader: PythonGeneration?
    private var isRegistered = false
    /// Up to 308 every message of ours has a number of its own.
    private var nextNumber: Int64 = 0

    public init(announcing dialect: Dialect = .z5) {
        announced = dialect
    }

    /// What is sent first.
    public var greeting: [UInt8] { Array(announced.description.utf8) }
    /// What is spoken; nil before the client has answered.
    public var dialect: Dialect? {
        if case .speaking(let dialect) = phase { return dialect }
        return nil
    }
    public var generation: Generation { dialect?.generation ?? announced.generation }
    /// The Python of the client, as far as its messages tell.
    public var clientPython: PythonGeneration { reader ?? .python3 }

    /// Whether a load may be answered by `LoadReply`: the client reads that style, and may load.
    public var answersLoadsDirectly: Bool { isRegistered && generation >= .v5 }

    /// `register` was answered well: from now on everything is allowed.
    public mutating func registered() { isRegistered = true }

    // MARK: Receiving

    /// One message's body.
    public mutating func received(_ body: [UInt8]) -> Event {
        switch phase {
        case .closed: return .none
        case .greeting:
            switch Handshake.request(body) {
            case .speak(let dialect):
                phase = .speaking(dialect)
                return .greeted(dialect)
            case .status: return .status
            case .unknown:
                let text = WireValue.escaped(Array(body.prefix(40)), keepingText: true)
                return close("the client answered our greeting \(announced) with '\(text)', which we do not speak")
            }
        case .speaking(let dialect):
            let message: Message
            do throws(FormatError) {
                message = try Message(body, encoding: dialect.encoding, limit: Message.callLimit)
            } catch {
                return close("a message of \(body.count) bytes that cannot be read: \(error)")
            }
            if reader == nil { reader = Self.reader(of: body, in: dialect) }
            if let name = message.arguments.foreignName ?? message.id.foreignName {
                return close("a message names \(name), which Python would call: no client has a reason to")
            }
            // The heartbeat of all generations.
            if message.id.integer == -1 { return .none }
            return event(message, dialect)
        }
    }

    private mutating func event(_ message: Message, _ dialect: Dialect) -> Event {
        let reply = Reply(id: message.id, isOneWay: message.isOneWay)
        do throws(CallError) {
            let call = try ServerCall(message, dialect.generation)
            guard isRegistered || call.isAllowedUnregistered else {
                return close("\(message.name) was called before register")
            }
            return .call(call, reply)
        } catch {
            switch error {
            case .unknownMethod: return close("\(error) in \(dialect)")
            case .badArguments: return .refused(.typeError(error.description), reply)
            }
        }
    }

    private mutating func close(_ why: String) -> Event {
        phase = .closed
        return .close(why)
    }

    /// Which Python must be able to read what we send. Up to 310 there was no ZEO on Python 3; from then on the first call
    /// tells: names are text in Python 3, and native strings in Python 2. (There ZEO 5 could read bytes and text as well,
    /// but its ZODB insists on native strings for tids.)
    private static func reader(of body: [UInt8], in dialect: Dialect) -> PythonGeneration {
        if dialect.encoding == .messagePack { return .python3 }
        if dialect.generation <= .v310 { return .python2 }
        guard let parts = try? PickleReader.value(of: body, limit: Message.callLimit).elements, parts.count == 4,
            case .nativeString = parts[2]
        else { return .python3 }
        return .python2
    }

    // MARK: Answering

    /// The body of the answer to a call.
    public func body(of reply: Reply, _ value: WireValue) -> [UInt8] {
        encode(Message(id: reply.id, name: Message.replyName, arguments: value))
    }

    public func body(of reply: Reply, raising exception: PythonException) -> [UInt8] {
        encode(
            Message(
                id: reply.id, isException: generation.flagsExceptions, name: Message.replyName,
                arguments: exception.value(in: generation, for: clientPython)))
    }

    /// The body of something that the client did not ask for.
    public mutating func body(ofNotice name: String, _ arguments: [WireValue]) -> [UInt8] {
        defer { nextNumber += 1 }
        return encode(
            Message(
                id: .integer(generation.numbersOnlyCalls ? 0 : nextNumber), isOneWay: true, name: name,
                arguments: .tuple(arguments)))
    }

    public mutating func invalidation(_ tid: TransactionID, _ oids: [ObjectID]) -> [UInt8] {
        let oids = ServerReply.oids(oids, in: generation)
        // The oldest clients know it by another name, and want no tid.
        if generation == .v200 { return body(ofNotice: "Invalidate", [oids]) }
        return body(ofNotice: "invalidateTransaction", [.bytes(tid.bytes), oids])
    }

    private func encode(_ message: Message) -> [UInt8] {
        message.body(in: dialect?.encoding ?? .pickle, for: clientPython)
    }
}

extension ServerCall {
    /// Who a client is has to be known before anything else.
    fileprivate var isAllowedUnregistered: Bool {
        switch self {
        case .register, .getAuthProtocol, .getChallenge, .answerChallenge: true
        default: false
        }
    }
}

// MARK: Votes

/// What became of a vote, before it is put into a generation's form.
public enum VoteOutcome: Sendable {
    /// All can be written, under the tid; which objects are not as they were handed in, and all that were stored.
    case granted(TransactionID, changed: [ObjectID], stored: [ObjectID])
    /// It cannot.
    case failed(PythonException, ObjectID?)
    /// The client is to merge these itself, and to vote again.
    case unresolved([UnresolvedConflict])
}

public struct UnresolvedConflict: Hashable, Sendable {
    public var oid: ObjectID
    public var committed: TransactionID
    public var read: TransactionID
    public var data: [UInt8]

    public init(oid: ObjectID, committed: TransactionID, read: TransactionID, data: [UInt8]) {
        self.oid = oid
        self.committed = committed
        self.read = read
        self.data = data
    }
}

extension ServerConnection {
    /// The messages that answer a vote, in order. Up to generation 4 the result goes before the answer, in `serialnos`, an
    /// error too: the answer itself says nothing.
    public mutating func bodies(of reply: Reply, _ outcome: VoteOutcome) -> [[UInt8]] {
        guard generation <= .v4 else {
            switch outcome {
            case .granted(_, let changed, _): return [body(of: reply, .list(changed.map { .bytes($0.bytes) }))]
            case .failed(let exception, _): return [body(of: reply, raising: exception)]
            case .unresolved(let conflicts): return [body(of: reply, .list(conflicts.map(\.value)))]
            }
        }
        var entries: [WireValue] = []
        switch outcome {
        case .granted(let tid, let changed, let stored):
            let isChanged = Set(changed)
            entries += changed.map { .tuple([.bytes($0.bytes), .bytes(Array("rs".utf8))]) }
            entries += stored.filter { !isChanged.contains($0) }.map { .tuple([.bytes($0.bytes), .bytes(tid.bytes)]) }
        case .failed(let exception, let oid):
            entries = [
                .tuple([
                    .bytes((oid ?? .root).bytes), exception.instance(in: generation, for: clientPython),
                ])
            ]
        case .unresolved(let conflicts):
            // No client of this age merges: the caller does not offer it.
            entries = conflicts.map { conflict in
                let exception = PythonException.conflict(
                    conflict.oid, committed: conflict.committed, read: conflict.read, className: nil, isRead: false)
                return .tuple([
                    .bytes(conflict.oid.bytes), exception.instance(in: generation, for: clientPython),
                ])
            }
        }
        return [body(ofNotice: "serialnos", [.list(entries)]), body(of: reply, .none)]
    }
}

extension UnresolvedConflict {
    fileprivate var value: WireValue {
        .dict([
            .init(.string("oid"), .bytes(oid.bytes)),
            .init(.string("serials"), .tuple([.bytes(committed.bytes), .bytes(read.bytes)])),
            .init(.string("data"), .bytes(data)),
        ])
    }
}
