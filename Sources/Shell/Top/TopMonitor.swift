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
        /// Why there is less to see than usual.
        var problem: String?
    }

    private let session: Session
    private let workspace: Workspace
    private let feed: CommitFeed
    private let book: PathBook
    private var last: (time: ContinuousClock.Instant, figures: ServerFigureSet)
    private var learnt = 0
    private var isDisconnected = false

    /// How long a server may take to tell its figures.
    private static let patience = Duration.seconds(2)
    private static let loadsAtOnce = 500, mostLoads = 10_000

    init(_ session: Session) throws {
        self.session = session
        feed = try CommitFeed(session)
        workspace = try Workspace(session.storage, interruption: session.interruption)
        book = PathBook(workspace)
        last = (.now, ServerFigureSet())
        last.figures = (try? server?.serverStatus(within: Self.patience))?.figures ?? ServerFigureSet()
        try learn()
        last.time = .now
    }

    private var server: (any ServerStorage)? { try? session.storage as? any ServerStorage }

    /// What has happened since the last look.
    func sample() throws(StorageError) -> Sample {
        var sample = Sample(time: session.now(), seconds: 0, activity: Activity())
        if let server {
            do throws(StorageError) {
                sample.status = try server.serverStatus(within: Self.patience)
            } catch {
                guard case .connection = error else { throw error }
                sample.problem = ShellFailure(error).what
            }
        }
        try takeIn(&sample)
        if sample.problem == nil { try learn() }
        let now = ContinuousClock.now
        let elapsed = last.time.duration(to: now).components
        sample.seconds = max(0.001, Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18)
        last.time = now
        guard let figures = sample.status?.figures else { return sample }
        sample.loads = Self.difference(figures.loads, last.figures.loads)
        sample.conflicts = Self.difference(figures.conflicts, last.figures.conflicts)
        last.figures = figures
        return sample
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
