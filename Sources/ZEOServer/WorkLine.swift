internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Threads that work for the clients of a storage, for each client one thing at a time, for the clients in turn.
///
/// So a client that asks for much waits for itself only, its own calls keep their order, and what a client has asked for
/// goes with the client.
final class WorkLine: Sendable {
    /// What is being done, for whoever does it: long work looks now and then whether somebody still wants it.
    struct Turn: Sendable {
        fileprivate let line: WorkLine
        fileprivate let client: ClientHandle

        var isWanted: Bool { !client.isGone && !line.isClosed }
    }

    typealias Work = @Sendable (Turn) -> Void

    private struct State: Sendable {
        /// Of each client that has any, what is to be done, without what is being done.
        var work: [ClientID: CircularBuffer<@Sendable () -> Void>] = [:]
        /// Those that have work, and of whose none is being done.
        var ready = CircularBuffer<ClientID>()
        var busy: Set<ClientID> = []
        var isStarted = false

        mutating func next() -> (ClientID, @Sendable () -> Void)? {
            guard let client = ready.popFirst(), let next = work[client]?.popFirst() else { return nil }
            if work[client]?.isEmpty == true { work[client] = nil }
            busy.insert(client)
            return (client, next)
        }

        mutating func done(_ client: ClientID) {
            busy.remove(client)
            if work[client] != nil { ready.append(client) }
        }
    }

    private let threads: NIOThreadPool
    private let state = Mutex(State())
    private let closed = Atomic(false)

    /// - Parameter count: how many threads there are, from the first work on.
    init(threads count: Int) { threads = NIOThreadPool(numberOfThreads: count) }

    var isClosed: Bool { closed.load(ordering: .relaxed) }

    /// Has `work` done when it is the client's turn, and all that the client has asked for before is done; never, when the
    /// client is gone by then.
    func submit(for client: ClientHandle, _ work: @escaping Work) {
        let turn = Turn(line: self, client: client)
        let isReady = state.withLock { state -> Bool in
            guard !isClosed else { return false }
            if !state.isStarted {
                threads.start()
                state.isStarted = true
            }
            let isFirst = state.work[client.id] == nil && !state.busy.contains(client.id)
            state.work[client.id, default: CircularBuffer()].append { if turn.isWanted { work(turn) } }
            if isFirst { state.ready.append(client.id) }
            return isFirst
        }
        // One for each time that a client becomes ready here: those that become so again go on with the thread at hand.
        if isReady { threads.submit { _ in self.work() } }
    }

    private func work() {
        while let (client, work) = state.withLock({ $0.next() }) {
            work()
            state.withLock { $0.done(client) }
        }
    }

    /// The client is gone: what has not begun is not done.
    func forget(_ client: ClientID) {
        state.withLock { state in
            guard state.work.removeValue(forKey: client) != nil else { return }
            state.ready.removeAll { $0 == client }
        }
    }

    /// Nothing more is begun. What is being done is told that it is not wanted.
    func stop() {
        state.withLock { state in
            closed.store(true, ordering: .relaxed)
            state.work = [:]
            state.ready.removeAll()
        }
    }

    /// Returns when nothing is being done any more.
    func close() {
        stop()
        try? threads.syncShutdownGracefully()
    }
}
