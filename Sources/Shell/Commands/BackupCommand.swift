internal import ArgumentParser
internal import Backup
internal import ObjectGraph
internal import ZODB
internal import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

struct BackupCommand: ShellCommand {
    static let name = "backup"
    static let summary = "back the database up, like repozo"
    static let synopsis = "[--full] [--quick] [--gzip] [--keep N] [--follow] DIR"
    static let group = CommandGroup.backup
    static let isJob = true
    static let operands: [OperandKind] = [.file]
    static let discussion = """
        DIR is a repository that repozo reads and continues. It gets what was committed since the last backup, or all of it
        when an increment would not do: the first time, and after a pack. Blobs go along, into DIR/blobs, where the storage
        has any: of a Data.fs, --blob-dir says where.

        A Data.fs is only read: a server may go on committing to it. Of a server all transactions are asked for, one by one;
        that takes longer, and makes another file than the server's own, so the two kinds do not continue each other.

        A source that is damaged, that has lost the end of what was backed up before, or is another database, is not backed
        up, and no backup is removed: exit code 7. --accept-older goes on all the same, unless it is damaged.

        Exit codes: 0 also when there was nothing new, 1 when files of blobs were missing, 7 see above.
        """
    static let examples = [
        CommandExample("zeoshell backup /srv/Data.fs /backup/site --keep 2", "every night, from cron"),
        CommandExample("zeoshell backup db1:8800 /backup/site", "from a live server"),
        CommandExample("zeoshell backup db1:8800 /backup/site --follow", "after each commit"),
    ]

    @Flag(name: [.customShort("F"), .customLong("full")], help: "Everything, even where an increment would do.")
    var isFull = false
    @Flag(
        name: [.customShort("Q"), .customLong("quick")],
        help: "Compare only the end of what was backed up, not all of it, to see whether an increment will do.")
    var isQuick = false
    @Flag(name: [.customShort("z"), .customLong("gzip")], help: "Compress what is written.") var isCompressed = false
    @Option(
        name: .customLong("keep"),
        help: ArgumentHelp("Afterwards keep so many full backups, with their increments.", valueName: "n"))
    var keep: Int?
    @Option(
        name: .customLong("keep-days"),
        help: ArgumentHelp("Afterwards keep what states of so many days need.", valueName: "days"))
    var keepDays: Int?
    @Flag(
        name: .customLong("accept-older"),
        help: "Go on when the source ends before the last backup, or is another database.")
    var acceptsOlder = false
    @Flag(name: .customLong("no-blobs"), help: "Leave blobs out.") var leavesBlobsOut = false
    @Flag(name: .customLong("link-blobs"), help: "Make blobs second names of the storage's files, not copies.")
    var linksBlobs = false
    @Flag(name: .customLong("verify"), help: "Then verify the repository.") var verifies = false
    @Flag(name: .customLong("follow"), help: "Go on: back up again whenever something was committed.")
    var follows = false
    @Option(
        help: ArgumentHelp("With --follow: how long to wait between two backups (60).", valueName: "seconds"))
    var interval: Double?
    @Argument(help: "The repository; it is made when it is not there, in a directory that is.") var directory: String

    func validate() throws {
        if let keep, keep < 1 { throw ValidationError("--keep takes a number from 1 up") }
        if let keepDays, keepDays < 0 { throw ValidationError("--keep-days takes a number from 0 up") }
        if let interval, !(interval >= 1 && interval < 1e6) {
            throw ValidationError("--interval takes seconds, from 1 up")
        }
    }

    func run(in session: Session) throws -> Report {
        let job = try BackupJob(session, directory, options(session))
        var isNegative = false
        var messages: [Report.Message] = []
        var isFirst = true
        var last: ContinuousClock.Instant?
        let documents = ClosureCursor<Report.Document> { () throws(StorageError) in
            guard isFirst || follows else { return nil }
            var result: BackupResult
            repeat {
                if !isFirst { try job.waitForCommit(notBefore: last?.advanced(by: .seconds(interval ?? 60))) }
                last = .now
                result = try job.run(isQuick: isQuick || !isFirst)
                // Of a series the empty ones say nothing.
            } while !isFirst && result.kind == .none
            isFirst = false
            for repair in result.repairs { messages.append(Report.Message("\(directory): \(repair)")) }
            if result.leftBlobsOut {
                messages.append(
                    Report.Message("blobs were left out, which backups before have: --blob-dir says where they are"))
            }
            if !result.missingBlobs.isEmpty {
                isNegative = true
                messages.append(Self.message(of: result.missingBlobs))
            }
            return BackupText.document(of: result, directory, session.settings.usesUTC ? .utc : .system)
        }
        return Report(.documents(documents, isList: follows)) {
            var conclusion = Report.Conclusion(messages: messages, isNegative: isNegative)
            guard verifies else { return conclusion }
            do {
                let watch = BackupWatch(interruption: session.interruption, progress: session.backupProgress)
                let result = try Repository(directory).verify(isQuick: false, watch)
                for problem in result.problems {
                    conclusion.messages.append(Report.Message("\(problem.place): \(problem.what)", severity: .warning))
                }
                if !result.problems.isEmpty { conclusion.isNegative = true }
            } catch {
                conclusion.failures.append(ShellFailure(error))
            }
            return conclusion
        }
    }

    private func options(_ session: Session) -> BackupOptions {
        var options = BackupOptions()
        options.isFull = isFull
        options.isCompressed = isCompressed
        options.includesBlobs = !leavesBlobsOut
        options.linksBlobs = linksBlobs
        options.acceptsOlder = acceptsOlder
        options.retention = Retention(chains: keep, days: keepDays)
        options.watch = BackupWatch(interruption: session.interruption, progress: session.backupProgress)
        return options
    }

    private static func message(of blobs: [Manifest.MissingBlob]) -> Report.Message {
        let shown = blobs.prefix(3).map { "\($0.oid.path) of \($0.serial)" }.joined(separator: ", ")
        return Report.Message(
            "\(counted(blobs.count, "blob")) without a file: \(shown)\(blobs.count > 3 ? ", …" : "")",
            severity: .warning)
    }
}

/// Backups of the open storage, one after the other.
private struct BackupJob {
    private let storage: any Storage
    private let directory: String
    private var options: BackupOptions
    private let generation: PythonGeneration
    private let interruption: Interruption

    init(_ session: Session, _ directory: String, _ options: BackupOptions) throws {
        storage = try session.storage
        guard storage is FileStorage || storage is any CopyableStorage else {
            throw ShellFailure(
                "unsupported", .refused, at: storage.name, "this storage cannot be backed up",
                advice: "a Data.fs or a server can, without --overlay")
        }
        generation = storage is FileStorage ? .python3 : try session.workspace.generation()
        (self.directory, self.options, interruption) = (directory, options, session.interruption)
    }

    func run(isQuick: Bool) throws(StorageError) -> BackupResult {
        var options = options
        options.isQuick = isQuick
        if let remote = storage as? any RemoteStorage { _ = try remote.ping() }
        if let shared = storage as? any SharedStorage { _ = try shared.poll() }
        if let file = storage as? FileStorage { return try file.backUp(to: directory, options) }
        guard let server = storage as? any CopyableStorage else { throw .unsupported(storage.name) }
        return try server.backUpTransactions(to: directory, generation: generation, options)
    }

    /// Waits until something was committed, and until a moment.
    func waitForCommit(notBefore moment: ContinuousClock.Instant?) throws(StorageError) {
        guard let shared = storage as? any SharedStorage else { return }
        var isNew = false
        while true {
            try interruption.check()
            isNew = try !shared.poll().isEmpty || isNew
            if isNew, moment.map({ $0 <= .now }) ?? true { return }
            usleep(200_000)
        }
    }
}

/// What is said of a backup, in one line and as JSON.
enum BackupText {
    static func document(of result: BackupResult, _ directory: String, _ zone: LocalTime) -> Report.Document {
        var parts: [String] = []
        var members: [(String, String)] = [("kind", JSONText.string(result.kind.rawValue))]
        switch result.kind {
        case .none: parts.append("nothing new since transaction \(result.last)")
        case .full, .incremental:
            let name = result.chunk.map(\.fileName) ?? ""
            parts.append(
                "\(result.kind.rawValue) \(directory)/\(name): \(CellText.humanSize(result.end - result.start))")
            if result.chunk?.isCompressed == true {
                parts.append("compressed to \(CellText.humanSize(result.storedSize))")
            }
            if let reason = result.reason { parts.append(reason) }
            parts.append("up to transaction \(result.last)")
            members += [
                ("file", JSONText.string(name)), ("start", String(result.start)), ("end", String(result.end)),
                ("stored", String(result.storedSize)),
            ]
            if let reason = result.reason { members.append(("reason", JSONText.string(reason))) }
        }
        if result.blobCount > 0 {
            parts.append("\(counted(result.blobCount, "blob")), \(CellText.humanSize(result.blobBytes)) of them new")
        }
        if !result.removed.isEmpty { parts.append("\(counted(result.removed.count, "old file")) removed") }
        members += [
            ("last_tid", JSONText.string(result.last.hex)),
            ("last_time", JSONText.string(TimeText.machine(result.last))),
            ("blobs", String(result.blobCount)), ("new_blob_bytes", String(result.blobBytes)),
            ("missing_blobs", String(result.missingBlobs.count)),
            ("removed", "[" + result.removed.map(JSONText.string).joined(separator: ",") + "]"),
        ]
        return Report.Document(
            text: parts.joined(separator: ", "), json: JSONText.object(members.map { (name: $0.0, value: $0.1) }))
    }
}

extension Session {
    /// How far work on a backup is, for the progress line.
    var backupProgress: @Sendable (ScanProgress) -> Void {
        let progress = progress
        return { progress.update($0.task, $0.done, "bytes", of: $0.total > 0 ? $0.total : nil) }
    }
}
