internal import ArgumentParser
internal import Storages
internal import ZODB

struct CheckCommand: ShellCommand {
    static let name = "check"
    static let summary = "one quick look for a monitoring system"
    static let synopsis = "[--format nagios | openmetrics] [--warning T] [--critical T] [LIMIT]…"
    static let group = CommandGroup.server
    static let needsOpenStorage = false
    /// UNKNOWN: what a plugin says of its own usage.
    static let failureCode: ExitCode? = .scriptStopped
    static let discussion = """
        Of a server: whether it answers, and how soon; its last transaction, its size and objects; clients, conflicts, and
        how long the commit lock has been held, where the server tells, and by whom, where it is a zeoserver. Of a Data.fs: whether its last transactions hold
        together, what lies behind them, and the same figures; --backup DIR and --pack-… add the ages of the last backup and
        of the oldest transaction that no pack has seen (which reads the packed part of the file).
        One line as a Nagios plugin's, and its exit codes: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. --format openmetrics
        writes figures for a text file that Prometheus collects; -o json an object. The exit codes are the same.
        A limit is a pair of options, NAME-warning and NAME-critical; without them a figure is only told, but that no
        answer, damage, and a lock of 1 and 5 minutes always count. Times are 90s, 15m, 26h, 7d; sizes 500M, 60G.
        'verify' is the thorough look.
        """
    static let examples = [
        CommandExample("zeoshell check db1:8800 --warning 1s --critical 5s", "does it answer?"),
        CommandExample(
            "zeoshell check Data.fs --backup /backup --backup-warning 26h --backup-critical 50h", "for cron"),
        CommandExample("zeoshell check db1:8800 --format openmetrics > zodb.prom", "for Prometheus's node exporter"),
    ]

    enum Format: String, CaseIterable, ExpressibleByArgument { case nagios, openmetrics }

    @Option(help: ArgumentHelp("How to write it: nagios or openmetrics.", valueName: "format")) var format = Format
        .nagios
    @Option(help: ArgumentHelp("The answer takes longer.", valueName: "time")) var warning: TimeSpan?
    @Option(help: ArgumentHelp("The answer takes longer.", valueName: "time")) var critical: TimeSpan?
    @Option(help: ArgumentHelp("The last transaction is older.", valueName: "time")) var ageWarning: TimeSpan?
    @Option(help: ArgumentHelp("The last transaction is older.", valueName: "time")) var ageCritical: TimeSpan?
    @Option(help: ArgumentHelp("The storage is larger.", valueName: "size")) var sizeWarning: ByteCount?
    @Option(help: ArgumentHelp("The storage is larger.", valueName: "size")) var sizeCritical: ByteCount?
    @Option(help: ArgumentHelp("The commit lock is held longer (1m).", valueName: "time")) var lockWarning: TimeSpan?
    @Option(help: ArgumentHelp("The commit lock is held longer (5m).", valueName: "time")) var lockCritical: TimeSpan?
    @Option(help: ArgumentHelp("More wait for the commit lock.", valueName: "n")) var waitingWarning: Int?
    @Option(help: ArgumentHelp("More wait for the commit lock.", valueName: "n")) var waitingCritical: Int?
    @Option(help: ArgumentHelp("A directory of repozo's backups.", valueName: "directory")) var backup: String?
    @Option(help: ArgumentHelp("The last backup is older.", valueName: "time")) var backupWarning: TimeSpan?
    @Option(help: ArgumentHelp("The last backup is older.", valueName: "time")) var backupCritical: TimeSpan?
    @Option(help: ArgumentHelp("A transaction older than this is not packed.", valueName: "time")) var packWarning:
        TimeSpan?
    @Option(help: ArgumentHelp("A transaction older than this is not packed.", valueName: "time")) var packCritical:
        TimeSpan?

    /// A monitoring system shows what a plugin writes to standard output, and nothing else.
    static func failureLine(_ failure: ShellFailure) -> String? {
        let what = [failure.place, failure.what].compactMap { $0 }.joined(separator: ": ")
        let advice = failure.advice.map { " (\($0))" } ?? ""
        return CheckResult.line(.unknown, name, what + advice)
    }

    func validate() throws {
        func require(_ name: String, _ warning: Double?, _ critical: Double?) throws {
            guard let warning, let critical, warning > critical else { return }
            throw ValidationError(
                "--\(name)warning is above --\(name)critical: what is critical would never have been a warning")
        }
        try require("", warning?.seconds, critical?.seconds)
        try require("age-", ageWarning?.seconds, ageCritical?.seconds)
        try require("size-", sizeWarning.map { Double($0.bytes) }, sizeCritical.map { Double($0.bytes) })
        try require("lock-", lockWarning?.seconds, lockCritical?.seconds)
        try require("waiting-", waitingWarning.map(Double.init), waitingCritical.map(Double.init))
        try require("backup-", backupWarning?.seconds, backupCritical?.seconds)
        try require("pack-", packWarning?.seconds, packCritical?.seconds)
    }

    func run(in session: Session) throws -> Report {
        var result = CheckResult(name: session.address?.description ?? "storage")
        do {
            try look(session, &result)
        } catch {
            let failure = ShellFailure(error)
            if failure.exitCode == .interrupted { throw error }
            // A file that is not there, or that one may not read, is the check's own trouble; the rest is the storage's.
            let isFile = session.address?.dataFile != nil && !isMissingSocket(session)
            let isOwn = failure.exitCode == .environment && isFile
            result.add(
                isOwn ? .unknown : .critical,
                [failure.place == result.name ? nil : failure.place, failure.what].compactMap { $0 }
                    .joined(separator: ": "))
        }
        let text = format == .openmetrics ? result.openMetrics : result.nagiosLine
        return Report(.documents(ArrayCursor([Report.Document(text: text, json: result.json)]), isList: false)) {
            var conclusion = Report.Conclusion()
            conclusion.exitCode = result.status.exitCode
            return conclusion
        }
    }

    /// Whether the address is by its name a server's socket, and nothing is there: the server does not run.
    private func isMissingSocket(_ session: Session) -> Bool {
        guard let path = session.address?.dataFile, !FileKind.exists(path) else { return false }
        return path.split(separator: "/").last?.lowercased().contains("sock") ?? false
    }

    /// A limit that is never compared with anything would be OK for ever.
    private func tellUselessLimits(_ storage: any Storage, _ result: inout CheckResult) {
        func tell(_ name: String, _ limits: [Any?], _ why: String) {
            guard limits.contains(where: { $0 != nil }) else { return }
            result.add(.unknown, "\(name)warning and \(name)critical cannot be judged: \(why)")
        }
        if backup == nil { tell("--backup-", [backupWarning, backupCritical], "--backup DIR is missing") }
        if !(storage is any TransactionLogStorage) {
            tell("--pack-", [packWarning, packCritical], "the storage does not list its transactions")
        }
        if !(storage is any RemoteStorage) {
            tell("--", [warning, critical], "they are for a server's answer, and this is a file")
            tell("--lock-", [lockWarning, lockCritical], "they are for a server, and this is a file")
            tell("--waiting-", [waitingWarning, waitingCritical], "they are for a server, and this is a file")
        }
    }

    private func look(_ session: Session, _ result: inout CheckResult) throws {
        let start = ContinuousClock.now
        if let path = session.address?.dataFile, FileKind(ofPath: path) == .file, FileEndCheck.size(path) == 0 {
            result.add(.critical, "the file is empty: 0 bytes")
            return
        }
        let storage = try session.openAimed()
        tellUselessLimits(storage, &result)
        let last = try storage.lastTransaction()
        if let remote = storage as? any RemoteStorage {
            _ = try remote.ping()
            let took = start.duration(to: .now).components
            result.measure(
                "response_seconds", Double(took.seconds) + Double(took.attoseconds) / 1e18, .seconds, "answered in",
                warning?.seconds, critical?.seconds)
        } else {
            try FileEndCheck(storage).run(&result)
        }
        if last != .none {
            result.measure(
                "last_transaction_age_seconds", max(0, session.now() - last.unixTime), .seconds, "last commit",
                ageWarning?.seconds, ageCritical?.seconds, suffix: "ago")
        }
        let isRemote = storage is any RemoteStorage
        let information = isRemote ? try storage.information() : nil
        if let size = information?.size ?? FileEndCheck.size(session.address?.dataFile) {
            result.measure(
                "size_bytes", Double(size), .bytes, "size", sizeWarning.map { Double($0.bytes) },
                sizeCritical.map { Double($0.bytes) })
        }
        if let objects = information?.objectCount {
            result.measure("objects", Double(objects), .count, "objects", nil, nil)
            if objects == 0 { result.addEmpty() }
        }
        if let information { lookAtServer(information, session, &result) }
        if packWarning != nil || packCritical != nil {
            do {
                try lookForPack(storage, session, &result)
            } catch StorageError.unsupported(let what) {
                // A server of a generation that cannot; the storage may be as it should.
                result.add(.unknown, "--pack-warning and --pack-critical cannot be judged: \(what)")
            }
        }
        if let backup { try lookForBackup(backup, session, &result) }
    }

    /// What `server_status` tells, as far as the server has it.
    private func lookAtServer(_ information: StorageInformation, _ session: Session, _ result: inout CheckResult) {
        func figure(_ name: String) -> Double? {
            information.details.first { $0.name == name }.flatMap { Double($0.value) }
        }
        for (name, metric) in [
            ("clients", "clients"), ("conflicts", "conflicts"), ("conflicts resolved", "conflicts_resolved"),
            ("commits", "commits"), ("aborts", "aborts"),
        ] {
            guard let value = figure(name) else { continue }
            result.measure(metric, value, .count, name, nil, nil, isQuiet: metric != "clients")
        }
        if let waiting = figure("waiting for the lock") {
            result.measure(
                "waiting", waiting, .count, "waiting for the lock", waitingWarning.map(Double.init),
                waitingCritical.map(Double.init), isQuiet: waiting == 0)
        }
        if let since = figure("lock held since") {
            result.measure(
                "lock_held_seconds", max(0, session.now() - since), .seconds, "commit lock held for",
                lockWarning?.seconds ?? 60, lockCritical?.seconds ?? 300,
                suffix: ((try? session.storage) as? any ServerStorage)?.lockHolder.map { "by " + $0 })
        }
    }

    private func lookForPack(_ storage: any Storage, _ session: Session, _ result: inout CheckResult) throws {
        guard let log = storage as? any TransactionLogStorage else { return }
        let cursor = try log.transactions(from: .none, through: .latest)
        while let transaction = try cursor.next() {
            try session.interruption.check()
            guard transaction.status != .packed else { continue }
            result.measure(
                "oldest_unpacked_age_seconds", max(0, session.now() - transaction.tid.unixTime), .seconds,
                "unpacked since", packWarning?.seconds, packCritical?.seconds)
            return
        }
    }

    private func lookForBackup(_ path: String, _ session: Session, _ result: inout CheckResult) throws {
        guard let newest = try BackupNames.newest(in: path) else {
            result.add(.critical, "no backup in \(path)")
            return
        }
        result.measure(
            "backup_age_seconds", max(0, session.now() - newest), .seconds, "last backup", backupWarning?.seconds,
            backupCritical?.seconds, suffix: "ago")
    }
}
