internal import ByteCoding
public import ZODB

/// The client's side of one connection, from the greeting to its end: bytes in, actions out.
///
/// Pure state: it does no I/O and knows no clock. The caller sends what it is told to send, in order, and carries out
/// the other actions in the order given: a notification that arrived before a reply comes before it.
///
///     S: greeting   C: the dialect, register   S: last tid   [C: getInvalidations]   C: get_info   S: …   ready
///
/// and with generations before 5
///
///     S: greeting   C: the dialect, [getAuthProtocol]   [the login]   C: register   C: get_info   C: lastTransaction
///     [C: getInvalidations]   ready
///
/// Replies are what generation 5 would have said: an error is one however it came, and a vote is answered by what
/// `serialnos` told ahead of it.
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
        /// The newest generation to admit to.
        public var newestGeneration: Generation
        /// Who we are, where a server asks.
        public var login: Credentials?
        /// A server that is behind `knownTransaction` is refused. Otherwise anything may have changed.
        public var refusesOlder = false
        /// The server is one of several that serve the same database: it is looked at for something to know that by.
        public var isOneOfSeveral = false
        /// What the server before this one was known by; nil for the first.
        public var recollection: Recollection?

        public init(
            address: String, storage: String = "1", readOnly: Bool = true, label: String? = nil,
            knownTransaction: TransactionID? = nil, frameLimit: Int = Frame.defaultLimit,
            newestGeneration: Generation = .v5, login: Credentials? = nil
        ) {
            self.address = address
            self.storage = storage
            self.readOnly = readOnly
            self.label = label
            self.knownTransaction = knownTransaction
            self.frameLimit = frameLimit
            self.newestGeneration = newestGeneration
            self.login = login
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
        public var login = LoginOutcome.none
        /// What to know the database by at another server; nil when nobody asked, or it is empty.
        public var recollection: Recollection?

        public var server: ServerDialect {
            ServerDialect(dialect, on: serverIsPython2 ? .python2 : .python3, information)
        }
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

    /// How to speak to the server.
    struct Speech {
        let dialect: Dialect
        /// Which Python has to read it; nil until that is known, in which case Python 2's opcodes are read by both.
        var reader: PythonGeneration?

        init(_ dialect: Dialect) {
            self.dialect = dialect
            reader = dialect.generation.pickleReader
        }
    }

    struct Setup {
        enum Step: Equatable {
            case getAuthProtocol, getChallenge, answerChallenge, register, getInfo, lastTransaction, getInvalidations
            /// Whether it is the same database: see `recognize`.
            case root, iterator, transaction(iterator: Int)

            var isLogin: Bool { self == .getChallenge || self == .answerChallenge }
        }

        var speech: Speech
        /// What the server's greeting said.
        let announced: String
        var step: Step
        var lastTransaction = TransactionID.none
        var missed = Missed.nothing
        /// The server's last transaction is older than the one known.
        var isBehind = false
        var information: ServerInformation?
        var recollection: Recollection?
        var serverIsPython2 = false
        var login = LoginOutcome.none
        var challenge: DigestLogin?
        /// What arrived before the caller could use it.
        var queued: [Notification] = []

        /// Nothing has been answered yet: an end is a refusal.
        var isFirstStep: Bool {
            step == (speech.dialect.generation.hasAuthentication ? .getAuthProtocol : .register)
        }
    }

    enum Phase {
        case greeting
        case setup(Setup)
        case ready(Speech)
        case closed(StorageError)
    }

    private struct Blob: Hashable {
        let oid: ObjectID
        let serial: TransactionID
    }

    /// Why we asked generation 200 for its last transaction: it tells no tids with what it says.
    private enum Inquiry {
        case invalidated([ObjectID])
        case finished(call: Int)
    }

    /// A reply that tells what the last transaction is, and came before it is known what others' commits until then belong
    /// to: who hears of the transaction must not find the state before it.
    private struct HeldReply {
        let id: Int
        let result: Result<WireValue, StorageError>
        /// The inquiries that it waits for.
        var inquiries: Set<Int>
    }

    let configuration: Configuration
    var phase = Phase.greeting
    var splitter = FrameSplitter(limit: Handshake.longestGreeting)
    /// Calls that were sent and not yet answered.
    private var pending: [Int: Call] = [:]
    private var inquiries: [Int: Inquiry] = [:]
    private var held: [HeldReply] = []
    /// Who asked for a blob: the server sends it once for each, in the order asked.
    private var blobs: [Blob: [Int]] = [:]
    private var account = StoreAccount()
    var lastID = 0
    /// The codes of the messages, once we have logged in.
    var incoming: MessageAuthenticator?
    var outgoing: MessageAuthenticator?
    /// Messages that came with a code.
    var provedCount = 0
    /// The server is newer than the generation that we admitted to, and closed on it.
    public private(set) var wantsNewerGeneration = false

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
                guard let part = try splitter.nextPart() else { return actions }
                if isProved(part, &actions) { receive(part.body, &actions) }
            } catch {
                fail(failure(for: error), &actions)
            }
            if case .closed = phase { return actions }
        }
    }

    /// Why the connection is over; nil while it is not.
    public var failure: StorageError? {
        if case .closed(let error) = phase { error } else { nil }
    }

    /// The stream ended, or broke; `why` in words.
    public mutating func disconnected(_ why: String) -> [Action] {
        var actions: [Action] = []
        switch phase {
        case .closed: return []
        case .setup(let setup) where setup.isFirstStep:
            // Python servers refuse a version in this way and no other.
            let newest = Handshake.answer(to: Array(setup.announced.utf8))
            wantsNewerGeneration = newest != Handshake.Answer.speak(setup.speech.dialect)
            fail(
                .versionRefused(
                    address: configuration.address, theirs: "\(setup.announced), and closed on our answer",
                    ours: setup.speech.dialect.description), &actions)
        case .greeting: fail(lost("\(why), before the server's greeting"), &actions)
        case .setup(let setup) where setup.step.isLogin: fail(login(.refused(why)), &actions)
        case .setup, .ready: fail(lost(why), &actions)
        }
        return actions
    }

    /// The connection came to nothing, for a reason that lies below the protocol.
    public mutating func failed(_ failure: ConnectionFailure) -> [Action] {
        if case .closed = phase { return [] }
        var actions: [Action] = []
        fail(failure, &actions)
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
        guard case .ready(let speech) = phase else { return [] }
        return [send(.heartbeat, speech)]
    }

    /// Sends a call. Its reply will bear the id returned; a one-way call has none.
    /// - Throws: `unsupported` when the server is too old for it; `connection` when not ready.
    public mutating func call(_ call: Call) throws(StorageError) -> (id: Int?, action: Action) {
        switch phase {
        case .ready(let speech): return try start(call, speech)
        case .closed(let failure): throw failure
        case .greeting, .setup: throw .connection(lost("not connected yet"))
        }
    }

    // MARK: Sending

    mutating func start(_ call: Call, _ speech: Speech) throws(StorageError) -> (id: Int?, action: Action) {
        let generation = speech.dialect.generation
        let method = try call.method(in: generation, for: speech.reader ?? .python2)
        var id: Int?
        if !call.isOneWay(in: generation) {
            lastID += 1
            id = lastID
            pending[lastID] = call
            if case .sendBlob(let oid, let serial) = call {
                blobs[Blob(oid: oid, serial: serial), default: []].append(lastID)
            }
        }
        if generation.tellsSerials { account.sent(call) }
        // Nobody looks at the number of a message that wants no answer, though generations up to 308 count them.
        let message = Message(
            id: .integer(Int64(id ?? 0)), isOneWay: id == nil, name: method.name, arguments: .tuple(method.arguments))
        return (id, send(message, speech))
    }

    private mutating func send(_ message: Message, _ speech: Speech) -> Action {
        let body = message.body(in: speech.dialect.encoding, for: speech.reader ?? .python2)
        return .send(Frame.bytes(body, code: outgoing?.code(of: body)))
    }

    // MARK: Receiving

    private mutating func receive(_ body: [UInt8], _ actions: inout [Action]) {
        switch phase {
        case .closed: break
        case .greeting: greeted(body, &actions)
        case .setup(var setup):
            guard let message = decode(body, setup.speech.dialect, &actions) else { return }
            if message.isReply, let id = message.id.integer, pending.removeValue(forKey: id) != nil {
                if setup.speech.reader == nil { setup.speech.reader = Self.python(of: body) }
                settle(message, setup, &actions)
            } else if !message.isReply, let notification = notification(message, &actions) {
                setup.queued.append(notification)
                phase = .setup(setup)
            }
        case .ready(let speech):
            guard let message = decode(body, speech.dialect, &actions) else { return }
            if message.isReply {
                reply(message, speech, &actions)
            } else if let notification = notification(message, &actions) {
                deliver(notification, speech, &actions)
            }
        }
    }

    /// Python 3 begins its pickles with a protocol that Python 2 of that time did not use.
    private static func python(of body: [UInt8]) -> PythonGeneration {
        body.first == 0x80 ? .python3 : .python2
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

    mutating func deliver(_ notification: Notification, _ speech: Speech, _ actions: inout [Action]) {
        switch notification {
        case .blobStart(let oid, let serial):
            if let id = blobs[Blob(oid: oid, serial: serial)]?.first { actions.append(.blob(id: id, .start)) }
        case .blobChunk(let oid, let serial, let bytes):
            if let id = blobs[Blob(oid: oid, serial: serial)]?.first { actions.append(.blob(id: id, .chunk(bytes))) }
        case .serials(let outcomes): account.told(outcomes)
        case .invalidateUnplaced(let oids): inquire(.invalidated(oids), speech, &actions)
        case .blobStop, .other: break
        case .invalidate, .info: actions.append(.notification(notification))
        }
    }

    private mutating func inquire(_ inquiry: Inquiry, _ speech: Speech, _ actions: inout [Action]) {
        do throws(StorageError) {
            let (id, action) = try start(.lastTransaction, speech)
            if let id { inquiries[id] = inquiry }
            actions.append(action)
        } catch {
            fail(error, &actions)
        }
    }

    private mutating func reply(_ message: Message, _ speech: Speech, _ actions: inout [Action]) {
        // A reply that nobody waits for: the heartbeat's number, or noise from a server that is closing.
        guard let id = message.id.integer, let call = pending.removeValue(forKey: id) else { return }
        if case .sendBlob(let oid, let serial) = call {
            let blob = Blob(oid: oid, serial: serial)
            blobs[blob]?.removeAll { $0 == id }
            if blobs[blob]?.isEmpty ?? false { blobs[blob] = nil }
        }
        let result = result(of: message, speech)
        if let inquiry = inquiries.removeValue(forKey: id) {
            answer(inquiry, result, speech, &actions)
            return release(after: id, &actions)
        }
        switch (call, result) {
        case (.vote, .success) where speech.dialect.generation.tellsSerials:
            actions.append(.reply(id: id, account.vote()))
        case (.finish, .success(.none)) where speech.dialect.generation == .v200:
            pending[id] = call
            inquire(.finished(call: id), speech, &actions)
        case (.ping, _) where hasUnplaced, (.lastTransaction, _) where hasUnplaced:
            pending[id] = call
            held.append(HeldReply(id: id, result: result, inquiries: Set(inquiries.keys)))
        default: actions.append(.reply(id: id, result))
        }
    }

    /// Others have committed, and it is not known yet as what.
    private var hasUnplaced: Bool {
        inquiries.values.contains { if case .invalidated = $0 { true } else { false } }
    }

    private mutating func release(after inquiry: Int, _ actions: inout [Action]) {
        for index in held.indices { held[index].inquiries.remove(inquiry) }
        for reply in held where reply.inquiries.isEmpty {
            pending[reply.id] = nil
            actions.append(.reply(id: reply.id, reply.result))
        }
        held.removeAll(where: \.inquiries.isEmpty)
    }

    private func result(of message: Message, _ speech: Speech) -> Result<WireValue, StorageError> {
        if !speech.dialect.generation.flagsExceptions {
            return RemoteException(pair: message.arguments).map { .failure($0.storageError) }
                ?? .success(message.arguments)
        }
        guard message.isException else { return .success(message.arguments) }
        do throws(MalformedReply) {
            return .failure(try RemoteException(message.arguments).storageError)
        } catch {
            return .failure(.connection(protocolError(error.description)))
        }
    }

    private mutating func answer(
        _ inquiry: Inquiry, _ result: Result<WireValue, StorageError>, _ speech: Speech, _ actions: inout [Action]
    ) {
        let tid: TransactionID
        do {
            tid = try Reply.lastTransaction(try result.get(), in: speech.dialect.generation)
        } catch {
            // Without it, what was told cannot be put in its place.
            return fail(protocolError("no answer to which transaction is the last: \(error)"), &actions)
        }
        switch inquiry {
        case .invalidated(let oids): actions.append(.notification(.invalidate(Invalidation(tid: tid, oids: oids))))
        case .finished(let id):
            pending[id] = nil
            actions.append(.reply(id: id, .success(.bytes((account.tid ?? tid).bytes))))
        }
    }

    // MARK: Failing

    mutating func fail(_ failure: ConnectionFailure, _ actions: inout [Action]) {
        fail(.connection(failure), &actions)
    }

    mutating func fail(_ error: StorageError, _ actions: inout [Action]) {
        phase = .closed(error)
        actions.append(.close(error))
        for id in pending.keys.sorted() { actions.append(.reply(id: id, .failure(error))) }
        pending = [:]
        inquiries = [:]
        held = []
        blobs = [:]
    }

    func lost(_ why: String) -> ConnectionFailure { .lost(address: configuration.address, why) }

    func protocolError(_ what: String) -> ConnectionFailure {
        .protocolError(address: configuration.address, what)
    }

    func notZEO(_ bytes: some Collection<UInt8>) -> ConnectionFailure {
        .notZEO(
            address: configuration.address,
            received: "'" + WireValue.escaped(Array(bytes.prefix(60)), keepingText: false) + "'")
    }

    private func failure(for error: FrameError) -> ConnectionFailure {
        if case .greeting = phase { return notZEO(splitter.pending) }
        switch (error.lengthWord & MessageAuthenticator.flag != 0, splitter.hasCodes) {
        case (false, true): return login(.unproven("message \(provedCount + 1) after the login has no code"))
        case (true, false):
            return protocolError(
                "a message of \(error.lengthWord) bytes, or one with a code, which only a login brings")
        default: break
        }
        return protocolError("a message of \(error.lengthWord) bytes, more than the \(error.limit) allowed")
    }
}
