internal import ArgumentParser
internal import ObjectGraph
internal import Storages
internal import ZODB

struct WatchCommand: ShellCommand {
    static let name = "watch"
    static let summary = "follow what others commit, as it happens"
    static let synopsis = "[PATH…] [--diff] [--user NAME] [--since WHEN] [--for TIME] [--limit N]"
    static let group = CommandGroup.server
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        A line a transaction: when, who, why, and the objects that it wrote. With paths, only what changed there or below.
        Paths are those of objects near the application; others have their oid, and parts of a BTree are called by the
        tree. --diff shows what changed in each. -o json and -o jsonl write an object a line, each as soon as it is known.
        A server announces commits; a Data.fs is looked at while others write to it. What is missed while a connection is
        lost is told from the log afterwards. Servers before ZEO 5 do not announce commits that only add objects, and are
        asked every two seconds; what an old server cannot tell of a commit is left empty, and 'remark' says why.
        It goes on until Ctrl-C (exit code 130), until --for is over (exit code 1 if there was nothing to show, 4 if there is no server to show it), or until
        --limit lines are written. The session goes on looking at its own moment: 'refresh' moves it.
        """
    static let examples = [
        CommandExample("watch", "everything, until Ctrl-C"),
        CommandExample("watch /Plone/news --diff", "what changes there, and how"),
        CommandExample("zeoshell watch db1:8800 --user joe -o jsonl", "what joe commits, for a program"),
        CommandExample(
            "zeoshell watch db1:8800 --limit 1 --for 10m", "wait until somebody commits, ten minutes at most"),
        CommandExample("zeoshell watch Data.fs --since yesterday", "from yesterday on, as others write to the file"),
    ]

    @Flag(name: .customLong("diff"), help: "What changed in each object.") var showsDifferences = false
    @Option(name: .customLong("path"), help: ArgumentHelp("Only what changes there or below.", valueName: "path"))
    var morePaths: [String] = []
    @Option(help: ArgumentHelp("Only what this user commits.", valueName: "name")) var user: String?
    @Option(help: ArgumentHelp("Begin with what was committed since then.", valueName: "when")) var since: String?
    @Option(name: .customLong("for"), help: ArgumentHelp("End after so long: 90s, 15m, 8h.", valueName: "time"))
    var duration: TimeSpan?
    @Argument(help: "Only what changes there or below.") var paths: [String] = []

    func run(in session: Session) throws -> Report {
        let filter = try CommitFilter(paths: paths + morePaths, user: user, session)
        let watcher = try Watcher(
            session, behind: since.map { try TransactionRange.first($0, session).predecessor }, filter: filter,
            seconds: duration?.seconds)
        for path in filter.missing {
            Diagnostics.write(
                Report.Message(
                    "\(path): no such object, or it cannot be read; it is watched for all the same", severity: .warning),
                command: Self.name, format: session.settings.format ?? .plain)
        }
        if session.terminal.errorIsTerminal, !session.settings.isQuiet {
            Diagnostics.note("watching \(session.address?.description ?? "the storage"); Ctrl-C ends", format: .plain)
        }
        guard showsDifferences else {
            let rows = ClosureCursor<[Cell]> { () throws(StorageError) in try watcher.next()?.row }
            var table = Report.Table(WatchedCommit.columns, rows)
            table.isLive = true
            return Report(.table(table)) { watcher.conclusion }
        }
        let printer = try DifferencePrinter(watcher.workspace)
        let documents = ClosureCursor<Report.Document> { () throws(StorageError) in
            try watcher.next()?.differences(printer, watcher.workspace)
        }
        return Report(.liveDocuments(documents)) { watcher.conclusion }
    }
}

/// Waits for commits that somebody wants to hear of.
final class Watcher {
    let workspace: Workspace
    private let session: Session
    private let feed: CommitFeed
    private let book: PathBook
    private let filter: CommitFilter
    private let end: ContinuousClock.Instant?
    private var count = 0
    private var wasInterrupted = false
    private var isOver = false

    /// How long it may take until a commit is seen.
    private static let interval = 0.1
    /// Objects whose paths are learnt at the beginning, and whenever nothing happens, up to an end.
    private static let firstLoads = 1000, idleLoads = 64, mostLoads = 10_000
    private var loads = 0

    /// - Parameter seconds: how long to go on; nil: until somebody ends it.
    init(_ session: Session, behind tid: TransactionID?, filter: CommitFilter, seconds: Double?) throws {
        self.session = session
        self.filter = filter
        end = seconds.map { ContinuousClock.now + .seconds($0) }
        feed = try CommitFeed(session, behind: tid)
        // Another than the session's: that one stays at its moment.
        workspace = try Workspace(session.storage, interruption: session.interruption)
        book = PathBook(workspace)
    }

    /// The next one; nil when it is over.
    func next() throws(StorageError) -> WatchedCommit? {
        do throws(StorageError) {
            if loads == 0 { try learn(Self.firstLoads) }
            while true {
                switch try feed.next() {
                case .commit(let commit)?:
                    let watched = try named(commit)
                    guard filter.wants(watched) else { continue }
                    count += 1
                    return watched
                case .disconnected?: tell("the connection is lost; what is missed will be told when there is one again")
                case .connected?: tell("connected again" + (server.map { ", to \($0)" } ?? ""))
                case .silent?: tell("the server does not answer; waiting for it")
                case nil:
                    if let end, ContinuousClock.now >= end {
                        isOver = true
                        return nil
                    }
                    if !book.isComplete, loads < Self.mostLoads { try learn(Self.idleLoads) }
                    try pause(Self.interval, session.interruption)
                }
            }
        } catch .interrupted {
            wasInterrupted = true
            return nil
        }
    }

    var conclusion: Report.Conclusion {
        var conclusion = Report.Conclusion(isNegative: isOver && count == 0)
        if conclusion.isNegative { conclusion.messages = [Report.Message("nothing that is watched for was committed")] }
        // Without a server that is not known.
        let isAway = (try? session.storage as? any RemoteStorage)?.isConnected == false
        conclusion.exitCode = !conclusion.isNegative ? .done : isAway ? .connection : .negative
        if wasInterrupted { conclusion.exitCode = Signals.wasToldToEnd ? .terminated : .interrupted }
        return conclusion
    }

    /// Which of several servers it is.
    private var server: String? {
        guard let storage = (try? session.storage) as? any FailoverStorage, storage.serverAddress != storage.name
        else { return nil }
        return storage.serverAddress
    }

    private func named(_ commit: CommitFeed.Commit) throws(StorageError) -> WatchedCommit {
        let oids = (commit.changes ?? []).map(\.oid)
        let known = Set(oids.filter { book[$0] != nil })
        var places: [ObjectID: Place] = [:]
        do throws(StorageError) {
            places = try book.paths(of: oids, changedIn: commit.tid)
        } catch {
            // The commit is told all the same; its objects have their oids then.
            guard case .connection = error else { throw error }
        }
        return WatchedCommit(commit: commit, places: places, known: known)
    }

    private func learn(_ count: Int) throws(StorageError) {
        loads += count
        do throws(StorageError) {
            try book.learn(loads: count)
        } catch {
            guard case .connection = error else { throw error }
        }
    }

    private func tell(_ text: String) {
        guard !session.settings.isQuiet else { return }
        Diagnostics.note(text, format: session.settings.format ?? .plain)
    }
}
