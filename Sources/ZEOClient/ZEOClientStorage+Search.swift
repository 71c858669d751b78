internal import NIOCore
internal import Synchronization
internal import ZEOProtocol
public import ZODB

/// What was to be written to, and has a server that lets nobody write, goes on looking for one that does.
extension ZEOClientStorage: FailoverStorage {
    /// The attempts to find one, in the background.
    struct Search {
        /// The connection that is being tried; nil between two rounds.
        var attempt: Int?
        var candidates: Candidates?
        var isScheduled = false
        var pause = Pause()
    }

    /// A second between rounds, then ever longer, half a minute at most.
    struct Pause {
        private static let first = Duration.seconds(1), longest = Duration.seconds(30)
        private var duration = first

        mutating func next() -> Duration {
            defer { duration = min(duration * 2, Self.longest) }
            return duration
        }
    }

    public var serverAddress: String { serverEndpoint.description }

    /// The server that it is connected to, or was last.
    var serverEndpoint: Endpoint { state.withLock { $0.server?.endpoint ?? endpoints[0] } }

    public var awaitsWritableServer: Bool { state.withLock { awaitsWritableServer($0) } }

    private func awaitsWritableServer(_ state: State) -> Bool {
        !options.readOnly && options.fallsBackToReading && state.server?.readOnly == true
    }

    /// Looks for a server to write to, later, if the present one is none.
    func scheduleSearch() {
        let pause = state.withLock { state -> Duration? in
            guard case .connected = state.link, awaitsWritableServer(state) else {
                state.search.pause = Pause()
                return nil
            }
            guard state.search.attempt == nil, !state.search.isScheduled else { return nil }
            state.search.isScheduled = true
            return state.search.pause.next()
        }
        guard let pause else { return }
        eventLoop.scheduleTask(in: TimeAmount(pause)) { [weak self] in self?.beginSearch() }
    }

    private func beginSearch() {
        state.withLock { state in
            state.search.isScheduled = false
            guard case .connected = state.link, awaitsWritableServer(state), state.search.attempt == nil else { return }
            state.search.candidates = Candidates(endpoints, readOnly: false, fallsBack: false)
        }
        searchNext()
    }

    private func searchNext() {
        let opening = state.withLock { state -> Opening? in
            state.search.attempt = nil
            guard case .connected = state.link, let candidate = state.search.candidates?.next() else {
                state.search.candidates = nil
                return nil
            }
            let opening = Opening(candidate, &state)
            state.search.attempt = opening.number
            return opening
        }
        if let opening { open(opening) } else { scheduleSearch() }
    }

    /// A connection of the search has come to nothing.
    /// - Returns: whether it was one.
    func searchEnded(_ error: StorageError, attempt: Int) -> Bool {
        let isSearch = state.withLock { state in
            guard state.search.attempt == attempt else { return false }
            state.search.candidates?.failed(error)
            return true
        }
        if isSearch { searchNext() }
        return isSearch
    }

    /// A server was found that lets us write. It takes the other's place between two calls, and not while iterators are
    /// open: what is under way is not disturbed. Nothing of ours can be under way that writes.
    /// - Returns: whether it did. On the event loop.
    func takeFound(_ channel: ClientChannel, _ welcome: ClientConnection.Welcome) -> Bool {
        let replaced = state.withLock { state -> ClientChannel? in
            guard state.search.attempt == channel.attempt else { return nil }
            let candidate = state.search.candidates?.current
            state.search.attempt = nil
            state.search.candidates = nil
            // What the present server announced since the other was asked for what we have missed must be known to it.
            guard case .connected(let present) = state.link, present.isIdle, state.iterators == 0,
                welcome.lastTransaction >= state.view.lastTransaction
            else { return nil }
            state.adopt(channel, of: candidate, welcome)
            return present
        }
        replaced?.close()
        return replaced != nil
    }
}
