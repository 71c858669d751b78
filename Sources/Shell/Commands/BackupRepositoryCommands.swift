internal import ArgumentParser
internal import Backup
internal import Storages
internal import ZODB

struct BackupVerifyCommand: ShellCommand {
    static let name = "backup verify"
    static let summary = "look whether backups are sound, or prove it by a restore"
    static let synopsis = "[--quick] [--restore [--at WHEN]] DIR"
    static let group = CommandGroup.backup
    static let isJob = true
    static let scope = CommandScope.withoutStorage
    static let operands: [OperandKind] = [.file]
    static let discussion = """
        Every file of every backup, ours and repozo's, is compared with its size and checksum, and so are the blobs.

        --restore restores the newest backup, or the state of --at, into a scratch directory, walks through all transactions,
        loads every object, compares what it counts with what was noted, and removes it again.

        Exit codes: 0 sound, 1 problems, which are listed.
        """
    static let examples = [
        CommandExample("backup verify /backup/site", "every checksum"),
        CommandExample("backup verify /backup/site --restore", "the proof"),
    ]

    @Flag(name: [.customShort("Q"), .customLong("quick")], help: "Sizes only.") var isQuick = false
    @Flag(name: .customLong("restore"), help: "Restore it for the proof.") var restores = false
    @Option(help: ArgumentHelp("With --restore: which state.", valueName: "when")) var at: String?
    @Option(
        help: ArgumentHelp(
            "With --restore: where there is room for the database ($TMPDIR, /var/tmp).", valueName: "dir"))
    var scratch: String?
    @Argument(help: "The repository.") var directory: String

    func run(in session: Session) throws -> Report {
        let repository = try Repository(directory)
        let watch = BackupWatch(interruption: session.interruption, progress: session.backupProgress)
        let result: VerificationResult
        if restores {
            let scratch = scratch ?? session.environment["TMPDIR"] ?? "/var/tmp"
            result = try repository.proveRestore(of: try session.restoreTime(at, nil), in: scratch, watch)
        } else {
            guard at == nil, scratch == nil else {
                throw ShellFailure.usage("--at and --scratch belong to --restore")
            }
            result = try repository.verify(isQuick: isQuick, watch)
        }
        let messages = result.notes.map { Report.Message("\($0.place): \($0.what)") }
        return Report(.documents(ArrayCursor([document(of: result)]), isList: false)) {
            Report.Conclusion(messages: messages, isNegative: !result.problems.isEmpty)
        }
    }

    private func document(of result: VerificationResult) -> Report.Document {
        var parts = [
            result.problems.isEmpty ? "sound" : counted(result.problems.count, "problem"),
            counted(result.chainCount, "full backup"), counted(result.fileCount, "file"),
            CellText.humanSize(result.size),
        ]
        if result.blobCount > 0 { parts.append(counted(result.blobCount, "blob")) }
        var members = [
            ("ok", result.problems.isEmpty ? "true" : "false"), ("chains", String(result.chainCount)),
            ("files", String(result.fileCount)), ("bytes", String(result.size)), ("blobs", String(result.blobCount)),
        ]
        if let facts = result.restored {
            parts.append(
                "restored \(facts.name): \(counted(facts.transactionCount, "transaction")), "
                    + "\(counted(facts.recordCount, "record")), \(counted(facts.objectCount, "object")), to \(facts.last)"
            )
            members += [
                ("transactions", String(facts.transactionCount)), ("records", String(facts.recordCount)),
                ("objects", String(facts.objectCount)), ("last_tid", JSONText.string(facts.last.hex)),
            ]
        }
        let problems = result.problems.map { problem in
            JSONText.object([("place", JSONText.string(problem.place)), ("problem", JSONText.string(problem.what))])
        }
        members.append(("problems", "[" + problems.joined(separator: ",") + "]"))
        let lines =
            result.problems.map { "\($0.place) \($0.what)" } + ["\(directory): " + parts.joined(separator: ", ")]
        return Report.Document(
            text: lines.joined(separator: "\n"), json: JSONText.object(members.map { (name: $0.0, value: $0.1) }))
    }
}

struct BackupRestoreCommand: ShellCommand {
    static let name = "backup restore"
    static let summary = "write the Data.fs of a backup, as of any time, with its blobs"
    static let synopsis = "[--at WHEN | -D DATE] [--blob-dir BLOBS] [--force] DIR OUT"
    static let group = CommandGroup.backup
    static let isJob = true
    static let scope = CommandScope.withoutStorage
    static let operands: [OperandKind] = [.file, .file]
    static let discussion = """
        --at takes a time or a transaction, as everywhere: what had been committed by then, to the transaction. DIR@WHEN is
        the same. -D takes repozo's dates, yyyy-mm-dd[-hh[-mm[-ss]]] in UTC: the newest backup made before.

        Every file is compared with its checksum on the way. OUT appears when all of it is on the disk; a file that is there is
        replaced with --force only, and never while a process has it open. A server that is to serve it, and its clients, have
        to be started anew: their caches are of another history.

        Exit codes: 5 when OUT exists or the state was packed away, 7 when the backup is damaged or has no such state, 8 when a
        process has OUT open or the disk is full.
        """
    static let examples = [
        CommandExample("backup restore /backup/site Data.fs", "the newest"),
        CommandExample("backup restore /backup/site@yesterday Data.fs --blob-dir blobs", "with blobs"),
        CommandExample("backup restore /backup/site Data.fs --at 2026-10-01T10:00", "to the minute"),
    ]

    @Option(help: ArgumentHelp("Which state: a time, or a transaction.", valueName: "when")) var at: String?
    @Option(
        name: [.customShort("D"), .customLong("date")],
        help: ArgumentHelp("The newest backup before: yyyy-mm-dd[-hh[-mm[-ss]]], UTC.", valueName: "date"))
    var date: String?
    @Option(
        name: .customLong("blob-dir"),
        help: ArgumentHelp("Where the blobs go: a directory that is not there yet.", valueName: "directory"))
    var blobDirectory: String?
    @Flag(name: .customLong("link-blobs"), help: "Make blobs second names of the backup's files, not copies.")
    var linksBlobs = false
    @Flag(name: .customLong("force"), help: "Replace a file that is there.") var isForced = false
    @Argument(help: "The repository.") var directory: String
    @Argument(help: "The new Data.fs.") var output: String

    func run(in session: Session) throws -> Report {
        let (directory, when) = BackupPlace.split(directory)
        guard [at, when, date].count(where: { $0 != nil }) <= 1 else {
            throw ShellFailure.usage("--at, -D and @WHEN are one too many", advice: "one of them says which state")
        }
        if !isForced, NewFile.exists(output) { throw ShellFailure.exists(output) }
        if let blobDirectory, NewFile.exists(blobDirectory) {
            throw ShellFailure(
                "exists", .refused, at: blobDirectory, "the directory exists",
                advice: "blobs are restored to a new one: move it away")
        }
        var options = RestoreOptions()
        options.time = try session.restoreTime(at ?? when, date)
        options.replaces = isForced
        options.blobDirectory = blobDirectory
        options.linksBlobs = linksBlobs
        options.watch = BackupWatch(interruption: session.interruption, progress: session.backupProgress)
        let result = try restore(Repository(directory), options)
        let messages = self.messages(of: result)
        return Report(.documents(ArrayCursor([document(of: result)]), isList: false)) {
            Report.Conclusion(messages: messages, isNegative: !result.missingBlobs.isEmpty && blobDirectory != nil)
        }
    }

    private func restore(_ repository: Repository, _ options: RestoreOptions) throws -> RestoreResult {
        do {
            return try repository.restore(to: output, options)
        } catch {
            var failure = ShellFailure(error)
            if failure.code == "corrupt" {
                failure.advice = "'backup verify' lists all that is damaged; an earlier state (--at) may be whole"
            }
            throw failure
        }
    }

    private func document(of result: RestoreResult) -> Report.Document {
        var parts = [
            "restored \(output): \(CellText.humanSize(result.size)), up to transaction \(result.last)",
            "from \(result.name)"
                + (result.fileCount > 1 ? " and \(counted(result.fileCount - 1, "file")) before it" : ""),
        ]
        if result.blobCount > 0 {
            parts.append("\(counted(result.blobCount, "blob")), \(CellText.humanSize(result.blobBytes))")
        }
        let members = [
            ("output", JSONText.string(output)), ("size", String(result.size)),
            ("last_tid", JSONText.string(result.last.hex)),
            ("last_time", JSONText.string(TimeText.machine(result.last))),
            ("backup", JSONText.string(result.name.text)), ("files", String(result.fileCount)),
            ("verified", result.isVerified ? "true" : "false"), ("blobs", String(result.blobCount)),
            ("blob_bytes", String(result.blobBytes)), ("missing_blobs", String(result.missingBlobs.count)),
        ]
        return Report.Document(
            text: parts.joined(separator: ", "), json: JSONText.object(members.map { (name: $0.0, value: $0.1) }))
    }

    private func messages(of result: RestoreResult) -> [Report.Message] {
        var messages: [Report.Message] = []
        if !result.isVerified {
            messages.append(Report.Message("not all files have a checksum to be compared with", severity: .warning))
        }
        if result.leftBlobCount > 0 {
            messages.append(
                Report.Message(
                    "\(counted(result.leftBlobCount, "blob")) left in the backup: --blob-dir DIR restores them"))
        }
        if blobDirectory != nil, !result.knowsBlobs {
            messages.append(
                Report.Message(
                    "some of the backups were made without blobs: there may be more of them", severity: .warning))
        }
        if !result.missingBlobs.isEmpty {
            messages.append(
                Report.Message(
                    "\(counted(result.missingBlobs.count, "blob")) had no file when the backup was made",
                    severity: .warning))
        }
        return messages
    }
}

struct BackupListCommand: ShellCommand {
    static let name = "backup list"
    static let summary = "list what a repository has, oldest first"
    static let synopsis = "DIR"
    static let group = CommandGroup.backup
    static let scope = CommandScope.withoutStorage
    static let operands: [OperandKind] = [.file]
    static let examples = [CommandExample("backup list /backup/site", "each file, and the last transaction in it")]

    @Argument(help: "The repository.") var directory: String

    func run(in session: Session) throws -> Report {
        let repository = try Repository(directory)
        guard repository.newestName != nil else {
            throw ShellFailure("no-backup", .data, at: directory, "no backup in it")
        }
        let rows = try repository.entries().map { entry -> [Cell] in
            [
                .text(entry.chunk.name.text), .text(entry.chunk.isFull ? "full" : "incremental"),
                entry.size.map { .size($0) } ?? .none, .size(entry.storedSize),
                entry.last.map { .tid($0) } ?? .none, entry.last.map { .time($0) } ?? .none,
                .text(entry.source?.rawValue ?? "repozo"), entry.blobCount.map { .integer($0) } ?? .none,
            ]
        }
        let columns = [
            Report.Column("name", tone: .name), Report.Column("kind"), Report.Column("size"), Report.Column("stored"),
            Report.Column("last_tid", title: "last tid", visibility: .detail),
            Report.Column("last_time", title: "last commit"),
            Report.Column("source"), Report.Column("blobs"),
        ]
        return .table(columns, rows)
    }
}

extension Session {
    /// Which state `--at` and `-D` ask for.
    func restoreTime(_ when: String?, _ date: String?) throws -> RestoreTime {
        if let date {
            let form = "0000-00-00-00-00-00"
            let isDate =
                [10, 13, 16, 19].contains(date.utf8.count)
                && zip(date, form).allSatisfy { $1 == "-" ? $0 == "-" : $0.isASCII && $0.isNumber }
            guard isDate else {
                throw ShellFailure.usage("-D \(date) is no date", advice: "yyyy-mm-dd[-hh[-mm[-ss]]], in UTC")
            }
            return .backup(date)
        }
        guard let when else { return .newest }
        guard let tid = try whenParser.parse(when).transaction() else {
            throw ShellFailure.usage("'\(when)' depends on an object", advice: "a time, or a transaction")
        }
        return .transaction(tid)
    }
}
