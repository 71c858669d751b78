internal import ObjectGraph
internal import ZODB

/// Looks at what goes on, one interval after the other.
final class TopMonitor {
    /// What one look found.
    struct Sample {
        /// Seconds since 1970, by our clock.
        var time: Double
        /// How long ago the last look was.
        var seconds: Double
        /// What was committed since then.
        var activity: Activity
        /// nil: it is no server, or did not answer.
        var status: ServerStatus?
        /// What the counters say of these seconds, where there are any.
        var loads: Int?
        var conflicts: Int?
        /// How many seconds the loads were counted for: not while we looked at what had been committed, as that makes loads.
        var loadSeconds = 0.0
        /// Why there is less to see than usual.
        var problem: String?
    }

    private let session: Session
    private let workspace: Workspace
    private let feed: CommitFeed
    private let book: PathBook
    /// When the last look was.
    private var last = ContinuousClock.now
    /// What the next look's figures are compared with, and when it was told. Conflicts are none of ours.
    private var before: (figures: ServerFigureSet, time: ContinuousClock.Instant)
    private var conflicts: Int?
    private var learnt = 0
    private var isDisconnected = false

    /// How long a server may take to tell its figures.
    private static let patience = Duration.seconds(2)
    private static let loadsAtOnce = 500, mostLoads = 10_000

    /// - Throws: what keeps a server from being asked, `StorageError.connection` above all.
    init(_ session: Session) throws {
        self.session = session
        // Nothing goes on at a server that is away, whatever a cache has.
        if let remote = try session.storage as? any RemoteStorage { _ = try remote.ping() }
        feed = try CommitFeed(session)
        workspace = try Workspace(session.storage, interruption: session.interruption)
        book = PathBook(workspace)
        before = (ServerFigureSet(), .now)
        try learn()
        (last, before.time) = (.now, .now)
        before.figures = (try? server?.serverStatus(within: Self.patience))?.figures ?? ServerFigureSet()
        conflicts = before.figures.conflicts
    }

    private var server: (any ServerStorage)? { try? session.storage as? any ServerStorage }

    /// What has happened since the last look.
    func sample() throws(StorageError) -> Sample {
        var sample = Sample(time: session.now(), seconds: 0, activity: Activity())
        try ask(&sample)
        if let figures = sample.status?.figures {
            sample.loads = Self.difference(figures.loads, before.figures.loads)
            sample.conflicts = Self.difference(figures.conflicts, conflicts)
            sample.loadSeconds = Self.seconds(from: before.time, to: .now)
            conflicts = figures.conflicts
        }
        try takeIn(&sample)
        let now = ContinuousClock.now
        sample.seconds = Self.seconds(from: last, to: now)
        last = now
        if sample.problem == nil { try beginAnew(sample.status) }
        return sample
    }

    private func ask(_ sample: inout Sample) throws(StorageError) {
        guard let server else { return }
        do throws(StorageError) {
            sample.status = try server.serverStatus(within: Self.patience)
        } catch {
            guard case .connection = error else { throw error }
            sample.problem = ShellFailure(error).what
        }
    }

    /// What we load ourselves to find out what was committed, and where, is not counted: where there are counters, they are
    /// asked once more behind it.
    private func beginAnew(_ status: ServerStatus?) throws(StorageError) {
        try learn()
        guard let status, status.figures.loads != nil else { return }
        var again = Sample(time: 0, seconds: 0, activity: Activity())
        try ask(&again)
        before = (again.status?.figures ?? status.figures, .now)
    }

    private static func seconds(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) -> Double {
        let elapsed = start.duration(to: end).components
        return max(0.001, Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18)
    }

    /// nil where there is no counter, or it has begun anew.
    private static func difference(_ now: Int?, _ before: Int?) -> Int? {
        guard let now, let before, now >= before else { return nil }
        // A server may say anything.
        let (difference, overflows) = now.subtractingReportingOverflow(before)
        return overflows ? nil : difference
    }

    private func takeIn(_ sample: inout Sample) throws(StorageError) {
        while let event = try feed.next() {
            try session.interruption.check()
            switch event {
            case .commit(let commit):
                let oids = (commit.changes ?? []).map(\.oid)
                var places: [ObjectID: Place] = [:]
                try tolerant { () throws(StorageError) in places = try book.paths(of: oids, changedIn: commit.tid) }
                sample.activity.add(WatchedCommit(commit: commit, places: places, known: []))
            case .disconnected: isDisconnected = true
            case .connected: isDisconnected = false
            case .silent: sample.problem = sample.problem ?? "the server does not answer"
            }
        }
        if isDisconnected { sample.problem = sample.problem ?? "the connection is lost" }
    }

    /// Reads some more of what there is, for the paths of what will change.
    private func learn() throws(StorageError) {
        guard !book.isComplete, learnt < Self.mostLoads else { return }
        learnt += Self.loadsAtOnce
        try tolerant { () throws(StorageError) in try book.learn(loads: Self.loadsAtOnce) }
    }

    /// Without a connection there are no names, and the rest is shown.
    private func tolerant(_ body: () throws(StorageError) -> Void) throws(StorageError) {
        do throws(StorageError) {
            try body()
        } catch {
            guard case .connection = error else { throw error }
        }
    }
}
