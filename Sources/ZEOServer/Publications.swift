internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// The transactions of one storage in the order in which they became visible, for all its clients: each reads on from
/// where it was, and has its answer to `tpc_finish` in its place among the invalidations of others.
///
/// The rule is that no client sees data of a transaction before its invalidation, nor an invalidation before the data can
/// be loaded. A storage publishes a transaction, then shows it, then says so. Between the first and the last the gate is
/// closed: who finds that there is news waits that long, a few microseconds. Who has loaded something newer than its last
/// news finds that there is news, since what could be loaded was published before. So loads themselves never wait.
final class Publications: Sendable {
    struct Entry: Sendable {
        let tid: TransactionID
        let oids: [ObjectID]
        /// Whose transaction it was, and the call that is answered by it.
        let committer: ClientID?
        let reply: ServerConnection.Reply?
    }

    private struct State: Sendable {
        /// Entries that somebody has not read yet.
        var entries: [Entry] = []
        /// How many there were before these.
        var base = 0
        var history: InvalidationHistory
        /// Up to where each event loop's clients have all read.
        var read: [Int]
    }

    private let gate = Gate()
    private let state: Mutex<State>
    /// How many there have been: one look tells whether there is news.
    private let published = Atomic<Int>(0)
    /// How many ends of transactions have come out, in whatever way.
    private let concluded = Atomic<Int>(0)

    /// - Parameter loops: how many event loops have clients.
    init(history: InvalidationHistory, loops: Int) {
        state = Mutex(State(history: history, read: Array(repeating: 0, count: loops)))
    }

    /// How many entries there have been.
    var count: Int { published.load(ordering: .acquiring) }

    /// How many ends of transactions have come out. All of them that succeeded are among the entries.
    var conclusions: Int { concluded.load(ordering: .acquiring) }

    // MARK: The storage's side

    /// A transaction is about to be visible. The same thread says `settled` when it is.
    func publish(_ entry: Entry) {
        gate.close()
        state.withLock { state in
            state.entries.append(entry)
            state.history.append(entry.tid, entry.oids)
        }
        published.add(1, ordering: .acquiringAndReleasing)
    }

    func settled() { gate.open() }

    /// An end of a transaction that was asked for has come out: published, or failed.
    func conclude() { concluded.add(1, ordering: .acquiringAndReleasing) }

    // MARK: The clients' side

    /// What has been published from number `cursor` on, up to number `limit`; all of it can be loaded.
    func entries(from cursor: Int, upTo limit: Int = .max) -> (entries: ArraySlice<Entry>, end: Int) {
        gate.close()
        defer { gate.open() }
        return state.withLock { state in
            let end = min(limit, state.base + state.entries.count)
            return (state.entries[max(0, cursor - state.base)..<max(cursor, end) - state.base], end)
        }
    }

    /// All clients of a loop have read up to `end`.
    func markRead(_ end: Int, byLoop loop: Int) {
        state.withLock { state in
            state.read[loop] = max(state.read[loop], end)
            let all = state.read.min() ?? 0
            guard all > state.base else { return }
            state.entries.removeFirst(all - state.base)
            state.base = all
        }
    }

    /// What changed after `tid`; nil when that is not known any more.
    func changes(since tid: TransactionID) -> Invalidation? {
        gate.close()
        defer { gate.open() }
        return state.withLock { $0.history.changes(since: tid) }
    }

    /// Runs `body` while nothing is published, with the number of what has been. It must not ask for entries.
    func standingStill<Result, Failure: Error>(
        _ body: (Int) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        gate.close()
        defer { gate.open() }
        return try body(state.withLock { $0.base + $0.entries.count })
    }
}
