internal import NIOCore
internal import NIOPosix
internal import Synchronization
public import ZEOProtocol
public import ZODB

/// A ZEO server as a storage.
///
/// Calls wait on the caller's thread, however long the server takes, until the user interrupts; the connection stays
/// usable then. What others commit arrives on its own and is applied in the order in which it arrives, also between
/// the loads of one batch, so that what is loaded is never older than what was announced before. A transaction of our
/// own takes effect with the server's answer to it, in the same order.
///
/// When the connection is lost, it is tried again in the background, after 0.1 s and then ever later, and at once by the
/// next call; what was missed meanwhile is asked for. Reads that were under way are made again when that succeeds;
/// everything else fails with `lost`, a commit's end above all.
///
/// There may be several servers of one database: see `Candidates` for which is taken, and `ZEOClientStorage+Search` for
/// the return to one that lets us write. Names are looked up anew for each connection, so a server may move. What was seen
/// once is not taken back: a server whose last transaction is older is refused, and so is one of another database.
public final class ZEOClientStorage: Storage, RemoteStorage, SharedStorage {
    public struct Options: Sendable {
        /// Which of the server's storages; most have one, called `1`.
        public var storage: String
        /// False: a server that lets nobody write refuses the connection.
        public var readOnly: Bool
        /// What the server's log is to call this client.
        public var label: String?
        /// How long a connection may take to come about.
        public var connectTimeout: Duration
        /// How long the server may be silent once connected: a port with TLS is for ever.
        public var greetingTimeout: Duration
        /// How long a read may take; nil: as long as it takes, as Python's clients wait. A commit always waits: others may
        /// have to come first.
        public var replyTimeout: Duration?
        /// Bytes of revisions to keep; 0 keeps none.
        public var cacheCapacity: Int
        /// A file to keep them in beside the memory, from one run to the next, and its size in bytes (nil: see
        /// `CacheFile.open`); nil for none.
        public var cacheFile: (path: String, size: Int?)?
        /// Where blobs wait that arrive faster than they are read.
        public var temporaryDirectory: String
        /// The newest generation of the protocol to speak.
        public var newestGeneration: Generation
        /// Who we are to a server that asks for a login.
        public var login: Credentials?
        /// nil: no TLS.
        public var tls: ClientTLS?
        /// nil: the server is reached directly.
        public var tunnel: Tunnel?
        /// Whether, when it is to be written to, a server that lets nobody write will do until another is found.
        public var fallsBackToReading = false
        /// How long to try to connect again for reads that were under way when the connection was lost. Once in any case.
        public var reconnectPatience = Duration.zero
        /// Told now and then, by a thread that waits for more than a moment, for which server and for how many seconds.
        public var onWait: (@Sendable (_ address: String, _ seconds: Double) -> Void)?

        public init(
            storage: String = "1", readOnly: Bool = true, label: String? = nil,
            connectTimeout: Duration = .seconds(10), greetingTimeout: Duration = .seconds(5),
            replyTimeout: Duration? = nil,
            cacheCapacity: Int = 32 << 20, cacheFile: (path: String, size: Int?)? = nil,
            temporaryDirectory: String = "/var/tmp",
            newestGeneration: Generation = .v5
        ) {
            self.storage = storage
            self.readOnly = readOnly
            self.label = label
            self.connectTimeout = connectTimeout
            self.greetingTimeout = greetingTimeout
            self.replyTimeout = replyTimeout
            self.cacheCapacity = cacheCapacity
            self.cacheFile = cacheFile
            self.temporaryDirectory = temporaryDirectory
            self.newestGeneration = newestGeneration
        }
    }

    typealias Attempt = Waiting<ClientChannel>

    enum Link {
        case connected(ClientChannel)
        case connecting(Attempt, Candidates)
        case disconnected
        case closed
    }

    struct State {
        var link = Link.disconnected
        /// The number of the connection, or of the one that is tried: what belongs to another is void, iterators above all.
        var attempt = 0
        /// Set while there is no connection.
        var away: Away?
        /// The highest number given to one.
        var lastAttempt = 0
        /// Whom the connection is to, or was last.
        var server: Candidates.Candidate?
        /// What the database is known by at another server.
        var recollection: Recollection?
        var search = Search()
        /// Iterators that the server keeps for us.
        var iterators = 0
        /// Of the last connection; nil before the first.
        var welcome: ClientConnection.Welcome?
        var backoff = Backoff()
        var isRetryScheduled = false
        var view: SharedView
        /// Numbers the transactions.
        var transactionCount = 0
    }

    /// The servers that may be meant, in the order in which they are tried.
    public let endpoints: [Endpoint]
    public let options: Options
    let interruption: Interruption
    let state: Mutex<State>
    let tunnels = TunnelProcesses()
    /// Servers take one transaction at a time from a client.
    let gate = CommitGate()
    /// All its connections are on one event loop: nothing of an earlier one arrives when a later one has begun.
    let eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()

    /// Connects, or says why not. Where the server is away and there is a cache file with something in it, that is read
    /// from until the server is back.
    /// - Parameter interruption: raised when the user does not want to wait any longer; every wait looks at it.
    /// - Throws: `connection` with the cause; `readOnly` when asked for leave to write; `interrupted`.
    public convenience init(
        _ endpoint: Endpoint, _ options: Options = Options(), interruption: Interruption = Interruption()
    ) throws(StorageError) {
        try self.init([endpoint], options, interruption: interruption)
    }

    /// Connects to the first of these servers that will do.
    /// - Parameter endpoints: at least one; all of the same database.
    /// - Throws: as above; `connection(.noneOf)` with the causes when none will do.
    public init(
        _ endpoints: [Endpoint], _ options: Options = Options(), interruption: Interruption = Interruption()
    ) throws(StorageError) {
        precondition(!endpoints.isEmpty, "a storage has a server")
        self.endpoints = endpoints
        name = endpoints.map(\.description).joined(separator: ",")
        self.options = options
        self.interruption = interruption
        state = Mutex(State(view: SharedView(cacheCapacity: options.cacheCapacity)))
        do throws(StorageError) {
            try openCacheFile()
            _ = try connectedChannel()
            settleCache()
        } catch {
            if canBegin(without: error) {
                scheduleRetry()
                return
            }
            close()
            throw error
        }
    }

    deinit { close() }

    /// The server's address; of several, all.
    public let name: String

    public var isConnected: Bool {
        state.withLock {
            if case .connected = $0.link { true } else { false }
        }
    }

    /// The tid up to which it is known what others committed. Asks nobody; `ping` first to have everything that was
    /// committed until now. While the server is away, it is what was known then.
    public func lastTransaction() throws(StorageError) -> TransactionID {
        do throws(StorageError) {
            _ = try readingChannel(at: .none)
        } catch {
            guard case .connection(.away) = error else { throw error }
        }
        return state.withLock { $0.view.lastTransaction }
    }

    public func poll() throws(StorageError) -> [Invalidation] {
        state.withLock { $0.view.takeUnreported() }
    }

    public func ping() throws(StorageError) -> Duration { try ping(within: nil) }

    /// What the server of the last connection can be asked; nil before the first.
    var server: ServerDialect? { state.withLock { $0.welcome?.server } }

    /// Ends the connection; every call fails from now on.
    public func close() {
        let link = state.withLock { state in
            defer { state.link = .closed }
            state.view.leaveFile()
            return state.link
        }
        closeGivenUpFiles()
        defer { tunnels.end() }
        switch link {
        case .connected(let channel): channel.close()
        case .connecting(let attempt, _): attempt.complete(.failure(.connection(closed)))
        case .disconnected, .closed: break
        }
    }

    private var closed: ConnectionFailure { .lost(address: name, "closed by us") }

    // MARK: Connecting

    /// A channel that is connected, once there is one. Connects when there is none.
    func connectedChannel() throws(StorageError) -> ClientChannel {
        let attempt: Attempt
        switch state.withLock({ $0.link }) {
        case .connected(let channel): return channel
        case .connecting(let current, _): attempt = current
        case .disconnected: attempt = connect()
        case .closed: throw .connection(closed)
        }
        return try attempt.value(interruption, telling: notice)
    }

    /// Starts to connect unless that is under way.
    @discardableResult
    private func connect() -> Attempt {
        let attempt = Attempt()
        let current = state.withLock { state -> Attempt? in
            switch state.link {
            case .connecting(let current, _): return current
            case .connected(let channel):
                attempt.complete(.success(channel))
                return attempt
            case .closed:
                attempt.complete(.failure(.connection(closed)))
                return attempt
            case .disconnected:
                let candidates = Candidates(
                    endpoints, readOnly: options.readOnly, fallsBack: options.fallsBackToReading)
                state.link = .connecting(attempt, candidates)
                // Word of the end of a connection that was given up is none of a candidate's.
                state.attempt = 0
                return nil
            }
        }
        if let current { return current }
        tryNext()
        return attempt
    }

    /// Goes on to the next candidate of the attempt that is under way. Without one it has failed.
    private func tryNext() {
        let (candidate, failed) = state.withLock { state -> (Opening?, (Attempt, StorageError)?) in
            guard case .connecting(let waiting, var candidates) = state.link else { return (nil, nil) }
            guard let candidate = candidates.next() else {
                state.link = .disconnected
                return (nil, (waiting, candidates.failure))
            }
            state.link = .connecting(waiting, candidates)
            let opening = Opening(candidate, &state)
            state.attempt = opening.number
            return (opening, nil)
        }
        if let candidate { open(candidate) }
        if let (waiting, error) = failed {
            waiting.complete(.failure(error))
            scheduleRetry()
        }
    }

    /// A connection that is to be tried, and what it has to be told.
    struct Opening {
        let candidate: Candidates.Candidate
        let number: Int
        let known: TransactionID?
        /// `known` was seen: at a server, or in a cache file that was read from while there was none. Otherwise a file gives way.
        let refusesOlder: Bool
        let recollection: Recollection?

        init(_ candidate: Candidates.Candidate, _ state: inout State) {
            self.candidate = candidate
            state.lastAttempt += 1
            number = state.lastAttempt
            let last = state.view.lastTransaction
            known = state.welcome == nil && last == .none ? nil : last
            refusesOlder = state.welcome != nil || state.away != nil
            recollection = state.recollection
        }
    }

    /// Where there are others to try, one that cannot be reached is not waited for as long.
    private static let longestConnectingOfSeveral = Duration.seconds(3)

    func open(_ opening: Opening) {
        let candidate = opening.candidate
        var configuration = ClientConnection.Configuration(
            address: candidate.endpoint.description, storage: options.storage, readOnly: candidate.readOnly,
            label: options.label, knownTransaction: opening.known, newestGeneration: options.newestGeneration,
            login: options.login)
        configuration.refusesOlder = opening.refusesOlder
        configuration.isOneOfSeveral = endpoints.count > 1
        configuration.recollection = opening.recollection
        let connectTimeout =
            candidate.hasOthers ? min(options.connectTimeout, Self.longestConnectingOfSeveral) : options.connectTimeout
        ClientChannel.open(
            candidate.endpoint, configuration,
            ConnectionTimeouts(connect: connectTimeout, greeting: options.greetingTimeout), options.access(tunnels),
            attempt: opening.number, on: eventLoop, owner: self)
    }

    private func scheduleRetry() {
        let delay = state.withLock { state -> Duration? in
            // The first connection is the caller's to retry.
            guard case .disconnected = state.link, state.welcome != nil || state.away != nil, !state.isRetryScheduled
            else { return nil }
            state.isRetryScheduled = true
            return state.backoff.next()
        }
        guard let delay else { return }
        eventLoop.scheduleTask(in: TimeAmount(delay)) { [weak self] in
            guard let self else { return }
            let isNeeded = self.state.withLock { state in
                state.isRetryScheduled = false
                if case .disconnected = state.link { return true } else { return false }
            }
            if isNeeded { self.connect() }
        }
    }
}

extension ZEOClientStorage: ClientChannelOwner {
    func isReady(_ channel: ClientChannel, _ welcome: ClientConnection.Welcome) {
        var welcome = welcome
        if welcome.lastTransaction == .none, welcome.information.objectCount ?? 0 > 0 {
            // Generation 200 knows its last transaction from what can be undone: after a pack, none. What is there is older
            // than now.
            welcome.lastTransaction = .new(after: .none)
        }
        let waiting = state.withLock { [welcome] state -> Attempt? in
            guard channel.attempt == state.attempt, case .connecting(let waiting, let candidates) = state.link
            else { return nil }
            state.backoff.reset()
            state.adopt(channel, of: candidates.current, welcome)
            return waiting
        }
        if let waiting {
            waiting.complete(.success(channel))
        } else if !takeFound(channel, welcome) {
            channel.close()
        }
        scheduleSearch()
    }

    func received(_ notification: Notification, attempt: Int) {
        guard case .invalidate(let invalidation) = notification else { return }
        state.withLock { state in
            if attempt == state.attempt { state.view.apply(invalidation) }
        }
    }

    func ended(_ error: StorageError, attempt: Int) {
        if searchEnded(error, attempt: attempt) { return }
        let isConnecting = state.withLock { state in
            guard attempt == state.attempt else { return false }
            switch state.link {
            case .closed, .disconnected: return false
            case .connected:
                state.link = .disconnected
                state.noteAway(error)
                return false
            case .connecting(let waiting, var candidates):
                candidates.failed(error)
                state.link = .connecting(waiting, candidates)
                return true
            }
        }
        if isConnecting { tryNext() } else { scheduleRetry() }
    }
}

extension ZEOClientStorage.State {
    /// From now on this is the connection.
    mutating func adopt(
        _ channel: ClientChannel, of candidate: Candidates.Candidate?, _ welcome: ClientConnection.Welcome
    ) {
        link = .connected(channel)
        attempt = channel.attempt
        server = candidate
        recollection = welcome.recollection ?? recollection
        view.connected(welcome, isFirst: self.welcome == nil && away == nil)
        self.welcome = welcome
        away = nil
    }
}
