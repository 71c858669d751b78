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
/// When the connection is lost, the calls under way fail with `lost`. It is tried again in the background, after 0.1 s
/// and then ever later, and at once by the next call; what was missed meanwhile is asked for.
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
        /// Where blobs wait that arrive faster than they are read.
        public var temporaryDirectory: String
        /// The newest generation of the protocol to speak.
        public var newestGeneration: Generation

        public init(
            storage: String = "1", readOnly: Bool = true, label: String? = nil,
            connectTimeout: Duration = .seconds(10), greetingTimeout: Duration = .seconds(5),
            replyTimeout: Duration? = nil,
            cacheCapacity: Int = 32 << 20, temporaryDirectory: String = "/var/tmp",
            newestGeneration: Generation = .v5
        ) {
            self.storage = storage
            self.readOnly = readOnly
            self.label = label
            self.connectTimeout = connectTimeout
            self.greetingTimeout = greetingTimeout
            self.replyTimeout = replyTimeout
            self.cacheCapacity = cacheCapacity
            self.temporaryDirectory = temporaryDirectory
            self.newestGeneration = newestGeneration
        }
    }

    typealias Attempt = Waiting<ClientChannel>

    enum Link {
        case connected(ClientChannel)
        case connecting(Attempt)
        case disconnected
        case closed
    }

    struct State {
        var link = Link.disconnected
        /// Counts the attempts to connect: what belongs to an earlier one is void, iterators above all.
        var attempt = 0
        /// Of the last connection; nil before the first.
        var welcome: ClientConnection.Welcome?
        var backoff = Backoff()
        var isRetryScheduled = false
        var view: SharedView
        /// Numbers the transactions.
        var transactionCount = 0
    }

    public let endpoint: Endpoint
    public let options: Options
    let interruption: Interruption
    let state: Mutex<State>
    /// Servers take one transaction at a time from a client.
    let gate = CommitGate()

    /// Connects, or says why not.
    /// - Parameter interruption: raised when the user does not want to wait any longer; every wait looks at it.
    /// - Throws: `connection` with the cause; `readOnly` when asked for leave to write; `interrupted`.
    public init(
        _ endpoint: Endpoint, _ options: Options = Options(), interruption: Interruption = Interruption()
    ) throws(StorageError) {
        self.endpoint = endpoint
        self.options = options
        self.interruption = interruption
        state = Mutex(State(view: SharedView(cacheCapacity: options.cacheCapacity)))
        do throws(StorageError) {
            _ = try connectedChannel()
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    /// The server's address.
    public var name: String { endpoint.description }

    public var isConnected: Bool {
        state.withLock {
            if case .connected = $0.link { true } else { false }
        }
    }

    /// The tid up to which it is known what others committed. Asks nobody; `ping` first to have everything that was
    /// committed until now.
    public func lastTransaction() throws(StorageError) -> TransactionID {
        _ = try connectedChannel()
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
            return state.link
        }
        switch link {
        case .connected(let channel): channel.close()
        case .connecting(let attempt): attempt.complete(.failure(.connection(Self.closed(endpoint))))
        case .disconnected, .closed: break
        }
    }

    private static func closed(_ endpoint: Endpoint) -> ConnectionFailure {
        .lost(address: endpoint.description, "closed by us")
    }

    // MARK: Connecting

    /// A channel that is connected, once there is one. Connects when there is none.
    func connectedChannel() throws(StorageError) -> ClientChannel {
        let attempt: Attempt
        switch state.withLock({ $0.link }) {
        case .connected(let channel): return channel
        case .connecting(let current): attempt = current
        case .disconnected: attempt = connect()
        case .closed: throw .connection(Self.closed(endpoint))
        }
        return try attempt.value(interruption)
    }

    /// Starts to connect unless that is under way.
    @discardableResult
    private func connect() -> Attempt {
        let attempt = Attempt()
        let (current, number, known) = state.withLock { state -> (Attempt?, Int, TransactionID?) in
            switch state.link {
            case .connecting(let current): return (current, 0, nil)
            case .connected(let channel):
                attempt.complete(.success(channel))
                return (attempt, 0, nil)
            case .closed:
                attempt.complete(.failure(.connection(Self.closed(endpoint))))
                return (attempt, 0, nil)
            case .disconnected:
                state.link = .connecting(attempt)
                state.attempt += 1
                return (nil, state.attempt, state.welcome == nil ? nil : state.view.lastTransaction)
            }
        }
        if let current { return current }
        ClientChannel.open(
            endpoint,
            .init(
                address: name, storage: options.storage, readOnly: options.readOnly, label: options.label,
                knownTransaction: known, newestGeneration: options.newestGeneration),
            ConnectionTimeouts(connect: options.connectTimeout, greeting: options.greetingTimeout), attempt: number,
            owner: self)
        return attempt
    }

    private func scheduleRetry() {
        let delay = state.withLock { state -> Duration? in
            // The first connection is the caller's to retry.
            guard case .disconnected = state.link, state.welcome != nil, !state.isRetryScheduled else { return nil }
            state.isRetryScheduled = true
            return state.backoff.next()
        }
        guard let delay else { return }
        MultiThreadedEventLoopGroup.singleton.next().scheduleTask(in: TimeAmount(delay)) { [weak self] in
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
            guard channel.attempt == state.attempt, case .connecting(let waiting) = state.link else { return nil }
            state.link = .connected(channel)
            state.backoff.reset()
            state.view.connected(welcome, isFirst: state.welcome == nil)
            state.welcome = welcome
            return waiting
        }
        if let waiting {
            waiting.complete(.success(channel))
        } else {
            channel.close()
        }
    }

    func received(_ notification: Notification, attempt: Int) {
        guard case .invalidate(let invalidation) = notification else { return }
        state.withLock { state in
            if attempt == state.attempt { state.view.apply(invalidation) }
        }
    }

    func ended(_ error: StorageError, attempt: Int) {
        let waiting = state.withLock { state -> Attempt? in
            guard attempt == state.attempt else { return nil }
            switch state.link {
            case .closed, .disconnected: return nil
            case .connected:
                state.link = .disconnected
                return nil
            case .connecting(let waiting):
                state.link = .disconnected
                return waiting
            }
        }
        waiting?.complete(.failure(error))
        scheduleRetry()
    }
}
