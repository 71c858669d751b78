internal import ByteCoding
public import ZODB

/// The client's side of one connection, from the greeting to its end: bytes in, actions out.
///
/// Pure state: it does no I/O and knows no clock. The caller sends what it is told to send, in order, and carries out
/// the other actions in the order given: a notification that arrived before a reply comes before it.
///
///     S: greeting   C: the dialect, register   S: last tid   [C: getInvalidations]   C: get_info   S: …   ready
///
/// Errors are values. Whatever the server sends, the connection at worst closes; every call that was waiting then gets
/// its error.
public struct ClientConnection: Sendable {
    public struct Configuration: Sendable {
        /// What to call the server in messages.
        public var address: String
        /// Which of the server's storages.
        public var storage: String
        public var readOnly: Bool
        /// A name for this client in the server's log.
        public var label: String?
        /// The tid up to which the caller knows what changed, when it was connected before.
        public var knownTransaction: TransactionID?
        /// The longest message taken.
        public var frameLimit: Int

        public init(
            address: String, storage: String = "1", readOnly: Bool = true, label: String? = nil,
            knownTransaction: TransactionID? = nil, frameLimit: Int = Frame.defaultLimit
        ) {
            self.address = address
            self.storage = storage
            self.readOnly = readOnly
            self.label = label
            self.knownTransaction = knownTransaction
            self.frameLimit = frameLimit
        }
    }

    /// What changed while the caller was away.
    public enum Missed: Hashable, Sendable {
        case nothing
        case objects([ObjectID])
        /// The server does not know any more, or is behind what the caller has seen: anything may have changed.
        case unknown
    }

    /// What is known once the connection can be used.
    public struct Welcome: Hashable, Sendable {
        public var dialect: Dialect
        public var lastTransaction: TransactionID
        public var missed: Missed
        public var information: ServerInformation
        /// The server writes native strings: it runs on Python 2.
        public var serverIsPython2: Bool
    }

    public enum BlobPart: Hashable, Sendable {
        case start, chunk([UInt8])
    }

    public enum Action: Hashable, Sendable {
        case send([UInt8])
        case ready(Welcome)
        case reply(id: Int, Result<WireValue, StorageError>)
        /// A part of the blob that the call `id` asked for; its reply is the end.
        case blob(id: Int, BlobPart)
        case notification(Notification)
        /// The connection is over. Whoever waits for a reply is told next: who then asks again must not be sent here.
        case close(StorageError)
    }

    private struct Setup {
        enum Step {
            case register, getInvalidations, getInfo
        }

        let dialect: Dialect
        /// What the server's greeting said.
        let announced: String
        var step = Step.register
        var lastTransaction = TransactionID.none
        var missed = Missed.nothing
        var serverIsPython2 = false
        /// What arrived before the caller could use it.
        var queued: [Notification] = []
    }

    private enum Phase {
        case greeting
        case setup(Setup)
        case ready(Dialect)
        case closed(StorageError)
    }

    private struct Blob: Hashable {
        let oid: ObjectID
        let serial: TransactionID
    }

    private let configuration: Configuration
    private var phase = Phase.greeting
    private var splitter = FrameSplitter(limit: Handshake.longestGreeting)
    /// Calls that were sent and not yet answered.
    private var pending: [Int: Call] = [:]
    /// Who asked for a blob: the server sends it once for each, in the order asked.
    private var blobs: [Blob: [Int]] = [:]
    private var lastID = 0

    public init(_ configuration: Configuration) {
        self.configuration = configuration
    }

    /// What the server is called in messages.
    public var address: String { configuration.address }

    // MARK: Events

    /// More of the stream.
    public mutating func received(_ bytes: [UInt8]) -> [Action] {
        if case .closed = phase { return [] }
        splitter.append(bytes)
        var actions: [Action] = []
        while true {
            do throws(FrameError) {
                guard let body = try splitter.next() else { return actions }
                receive(body, &actions)
            } catch {
                fail(failure(for: error), &actions)
            }
            if case .closed = phase { return actions }
        }
    }

    /// The stream ended, or broke; `why` in words.
    public mutating func disconnected(_ why: String) -> [Action] {
        var actions: [Action] = []
        switch phase {
        case .closed: return []
        case .setup(let setup) where setup.step == .register:
            // Python servers refuse a version in this way and no other.
            fail(
                .versionRefused(
                    address: configuration.address, theirs: "\(setup.announced), and closed on our answer",
                    ours: setup.dialect.description), &actions)
        case .greeting: fail(lost("\(why), before the server's greeting"), &actions)
        case .setup, .ready: fail(lost(why), &actions)
        }
        return actions
    }

    /// No greeting after so long. Later silence is nobody's fault: some calls take hours.
    public mutating func greetingTimedOut(afterSeconds seconds: Double) -> [Action] {
        guard case .greeting = phase else { return [] }
        var actions: [Action] = []
        fail(.silent(address: configuration.address, seconds: seconds), &actions)
        return actions
    }

    /// A greeting, and then no end of the registration after so long: the server hangs.
    public mutating func setupTimedOut(afterSeconds seconds: Double) -> [Action] {
        guard case .setup = phase else { return [] }
        var actions: [Action] = []
        fail(lost("the server greeted us, and did not answer our registration within \(seconds) s: it hangs"), &actions)
        return actions
    }

    /// A minute has gone by since the last time.
    public mutating func minutePassed() -> [Action] {
        guard case .ready(let dialect) = phase else { return [] }
        return [send(.heartbeat, dialect)]
    }

    /// Sends a call. Its reply will bear the id returned; a one-way call has none.
    /// - Throws: `unsupported` when the server is too old for it; `connection` when not ready.
    public mutating func call(_ call: Call) throws(StorageError) -> (id: Int?, action: Action) {
        switch phase {
        case .ready(let dialect): return try start(call, dialect)
        case .closed(let failure): throw failure
        case .greeting, .setup: throw .connection(lost("not connected yet"))
        }
    }

    // MARK: Sending

    private mutating func start(
        _ call: Call, _ dialect: Dialect
    ) throws(StorageError) -> (id: Int?, action: Action) {
        let method = try call.method(in: dialect.generation)
        let id: Int?
        let isOneWay = call.isOneWay(in: dialect.generation)
        if isOneWay {
            id = nil
            if !dialect.generation.numbersOnlyCalls { lastID += 1 }
        } else {
            lastID += 1
            id = lastID
            pending[lastID] = call
            if case .sendBlob(let oid, let serial) = call {
                blobs[Blob(oid: oid, serial: serial), default: []].append(lastID)
            }
        }
        let number = id ?? (dialect.generation.numbersOnlyCalls ? 0 : lastID)
        let message = Message(
            id: .integer(Int64(number)), isOneWay: isOneWay, name: method.name, arguments: .tuple(method.arguments))
        return (id, send(message, dialect))
    }

    private func send(_ message: Message, _ dialect: Dialect) -> Action {
        .send(Frame.bytes(message.body(in: dialect.encoding)))
    }

    // MARK: Receiving

    private mutating func receive(_ body: [UInt8], _ actions: inout [Action]) {
        switch phase {
        case .closed: break
        case .greeting: greeted(body, &actions)
        case .setup(var setup):
            guard let message = decode(body, setup.dialect, &actions) else { return }
            if message.isReply, let id = message.id.integer, pending.removeValue(forKey: id) != nil {
                settle(message, setup, &actions)
            } else if !message.isReply, let notification = notification(message, &actions) {
                setup.queued.append(notification)
                phase = .setup(setup)
            }
        case .ready(let dialect):
            guard let message = decode(body, dialect, &actions) else { return }
            if message.isReply {
                reply(message, &actions)
            } else if let notification = notification(message, &actions) {
                deliver(notification, &actions)
            }
        }
    }

    private mutating func decode(_ body: [UInt8], _ dialect: Dialect, _ actions: inout [Action]) -> Message? {
        do throws(FormatError) {
            return try Message(body, encoding: dialect.encoding)
        } catch {
            fail(protocolError("a message that cannot be read: \(error)"), &actions)
            return nil
        }
    }

    private mutating func notification(_ message: Message, _ actions: inout [Action]) -> Notification? {
        do throws(MalformedReply) {
            return try Notification(message)
        } catch {
            fail(protocolError(error.description), &actions)
            return nil
        }
    }

    private mutating func deliver(_ notification: Notification, _ actions: inout [Action]) {
        switch notification {
        case .blobStart(let oid, let serial):
            if let id = blobs[Blob(oid: oid, serial: serial)]?.first { actions.append(.blob(id: id, .start)) }
        case .blobChunk(let oid, let serial, let bytes):
            if let id = blobs[Blob(oid: oid, serial: serial)]?.first { actions.append(.blob(id: id, .chunk(bytes))) }
        case .blobStop, .other: break
        case .invalidate, .info: actions.append(.notification(notification))
        }
    }

    private mutating func reply(_ message: Message, _ actions: inout [Action]) {
        // A reply that nobody waits for: the heartbeat's number, or noise from a server that is closing.
        guard let id = message.id.integer, let call = pending.removeValue(forKey: id) else { return }
        if case .sendBlob(let oid, let serial) = call {
            let blob = Blob(oid: oid, serial: serial)
            blobs[blob]?.removeAll { $0 == id }
            if blobs[blob]?.isEmpty ?? false { blobs[blob] = nil }
        }
        guard message.isException else {
            actions.append(.reply(id: id, .success(message.arguments)))
            return
        }
        do throws(MalformedReply) {
            actions.append(.reply(id: id, .failure(try RemoteException(message.arguments).storageError)))
        } catch {
            actions.append(.reply(id: id, .failure(.connection(protocolError(error.description)))))
        }
    }

    // MARK: Setting up

    private mutating func greeted(_ greeting: [UInt8], _ actions: inout [Action]) {
        switch Handshake.answer(to: greeting) {
        case .speak(let dialect):
            splitter.limit = configuration.frameLimit
            actions.append(.send(Frame.bytes(Array(dialect.description.utf8))))
            proceed(
                Setup(dialect: dialect, announced: String(decoding: greeting, as: UTF8.self)),
                with: .register(storage: configuration.storage, readOnly: configuration.readOnly), &actions)
        case .tooOld(let generation):
            fail(
                .versionRefused(
                    address: configuration.address, theirs: "Z\(generation.rawValue) (\(generation.releases))",
                    ours: Handshake.offeredText), &actions)
        case .unknown: fail(notZEO(greeting), &actions)
        }
    }

    private mutating func proceed(_ setup: Setup, with call: Call, _ actions: inout [Action]) {
        do throws(StorageError) {
            let (_, action) = try start(call, setup.dialect)
            phase = .setup(setup)
            actions.append(action)
        } catch {
            fail(protocolError(error.description), &actions)
        }
    }

    /// The answer to the setup's current step.
    private mutating func settle(_ message: Message, _ setup: Setup, _ actions: inout [Action]) {
        var setup = setup
        do throws(MalformedReply) {
            if message.isException {
                return fail(refusal(try RemoteException(message.arguments)), &actions)
            }
            let value = message.arguments
            switch setup.step {
            case .register:
                setup.lastTransaction = try Reply.transaction(value, of: "register")
                if case .nativeString = value { setup.serverIsPython2 = true }
                if let known = configuration.knownTransaction, known < setup.lastTransaction {
                    setup.step = .getInvalidations
                    return proceed(setup, with: .getInvalidations(since: known), &actions)
                }
                if let known = configuration.knownTransaction, known > setup.lastTransaction {
                    setup.missed = .unknown
                }
            case .getInvalidations:
                if let invalidation = try Reply.invalidations(value) {
                    setup.lastTransaction = max(setup.lastTransaction, invalidation.tid)
                    setup.missed = .objects(invalidation.oids)
                } else {
                    setup.missed = .unknown
                }
            case .getInfo:
                return finish(setup, try ServerInformation(value), &actions)
            }
            setup.step = .getInfo
            proceed(setup, with: .getInfo, &actions)
        } catch {
            fail(protocolError(error.description), &actions)
        }
    }

    private mutating func finish(_ setup: Setup, _ information: ServerInformation, _ actions: inout [Action]) {
        phase = .ready(setup.dialect)
        if let label = configuration.label, let (_, action) = try? start(.setClientLabel(label), setup.dialect) {
            actions.append(action)
        }
        actions.append(
            .ready(
                Welcome(
                    dialect: setup.dialect, lastTransaction: setup.lastTransaction, missed: setup.missed,
                    information: information, serverIsPython2: setup.serverIsPython2)))
        for notification in setup.queued { deliver(notification, &actions) }
    }

    // MARK: Failing

    private mutating func fail(_ failure: ConnectionFailure, _ actions: inout [Action]) {
        fail(.connection(failure), &actions)
    }

    private mutating func fail(_ error: StorageError, _ actions: inout [Action]) {
        phase = .closed(error)
        actions.append(.close(error))
        for id in pending.keys.sorted() { actions.append(.reply(id: id, .failure(error))) }
        pending = [:]
        blobs = [:]
    }

    private func refusal(_ exception: RemoteException) -> StorageError {
        if exception.shortName == "ValueError", exception.message.hasPrefix("unknown storage") {
            return .connection(.unknownStorage(address: configuration.address, name: configuration.storage))
        }
        if exception.shortName == "ReadOnlyError" {
            return .readOnly("the server \(configuration.address), storage '\(configuration.storage)'")
        }
        return .connection(lost("the server raised \(exception.className): \(exception.message)"))
    }

    private func lost(_ why: String) -> ConnectionFailure { .lost(address: configuration.address, why) }

    private func protocolError(_ what: String) -> ConnectionFailure {
        .protocolError(address: configuration.address, what)
    }

    private func notZEO(_ bytes: some Collection<UInt8>) -> ConnectionFailure {
        .notZEO(
            address: configuration.address,
            received: "'" + WireValue.escaped(Array(bytes.prefix(60)), keepingText: false) + "'")
    }

    private func failure(for error: FrameError) -> ConnectionFailure {
        if case .greeting = phase { return notZEO(splitter.pending) }
        return protocolError("a message of \(error.lengthWord) bytes, more than the \(error.limit) allowed")
    }
}
