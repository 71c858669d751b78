internal import ArgumentParser
internal import ObjectGraph
internal import Storages
internal import ZODB

struct PackCommand: ShellCommand {
    static let name = "pack"
    static let summary = "drop old revisions, and objects that nothing refers to"
    static let synopsis =
        "--days N | --at WHEN [--dry-run] [--no-gc] [--no-old] [--strict] [--throttle SIZE] | --status"
    static let group = CommandGroup.server
    static let isJob = true
    static let discussion = """
        What was current at that time, and everything later, stays; what was before can be neither seen nor undone
        afterwards. The time has to be given: --days 0 drops all history.
        Of a Data.fs a new file is written, which then takes the place of the old one; the old one is kept as
        Data.fs.old, unless --no-old is given. While it works, the file is locked. Nothing is changed if it fails, or is
        interrupted. --dry-run tells what would go, and needs no lock.
        A server packs by itself, and goes on serving; how it does that, its configuration says. zeoshell waits until it
        has done, however long that takes; interrupted, it goes away, and the server goes on.
        Nothing is asked, except for a service of the services file that is production: --yes-on NAME answers beforehand.
        A reference to an object that does not exist is told; with --strict nothing is done then (exit code 7).
        """
    static let examples = [
        CommandExample("zeoshell pack db1:8800 --days 7", "from cron: keep a week of history"),
        CommandExample("zeoshell pack Data.fs --days 7 --dry-run", "what would go, by class and by object"),
        CommandExample("zeoshell pack Data.fs --at 2026-10-01 --throttle 20M", "slowly, beside other work"),
        CommandExample("zeoshell pack db1:8800 --status", "how far is it?"),
    ]

    @Option(help: ArgumentHelp("Keep the history of so many days; 0 keeps none.", valueName: "n")) var days: Double?
    @Option(name: .customLong("at"), help: ArgumentHelp("Keep the history since then.", valueName: "when"))
    var when: String?
    @Flag(name: .customLong("dry-run"), help: "Tell what would go, and change nothing.") var isDryRun = false
    @Flag(name: .customLong("no-gc"), help: "Drop old revisions only; keep objects that nothing refers to.")
    var keepsGarbage = false
    @Flag(name: .customLong("no-old"), help: "Do not keep the old file.") var dropsOld = false
    @Flag(name: .customLong("keep-old"), help: "Keep the old file, as is usual.") var keepsOld = false
    @Flag(name: .customLong("strict"), help: "Do nothing when something refers to an object that does not exist.")
    var isStrict = false
    @Option(help: ArgumentHelp("Read and write no more in a second: 20M.", valueName: "size")) var throttle: String?
    @Flag(name: .customLong("status"), help: "Tell how far a pack is that somebody else has begun.") var asksStatus =
        false
    @Option(help: ArgumentHelp("With --dry-run, list so many classes and objects (20).", valueName: "n")) var top = 20
    @Option(
        name: .customLong("yes-on"),
        help: ArgumentHelp("Do not ask if the database is called so, production included.", valueName: "name"))
    var confirmedName: String?

    func validate() throws {
        if asksStatus {
            guard days == nil, when == nil else { throw ValidationError("--status takes no time") }
            return
        }
        if days != nil, when != nil {
            throw ValidationError("--days and --at both say how much history to keep: give one of them")
        }
        if let days, !(days >= 0 && days < 100_000) { throw ValidationError("--days takes a number from 0 up") }
        if keepsOld, dropsOld { throw ValidationError("--keep-old and --no-old exclude each other") }
        if let throttle, Self.bytes(throttle) == nil { throw ValidationError("--throttle takes a size: 500K, 20M, 1G") }
        if top < 0 { throw ValidationError("--top takes a number from 0 up") }
    }

    /// `20M` → 20,971,520.
    static func bytes(_ text: String) -> Int? {
        let factors: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
        let factor = text.last.flatMap { factors[Character($0.uppercased())] }
        guard let number = Int(factor == nil ? text : String(text.dropLast())), number > 0 else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: factor ?? 1)
        return overflow ? nil : bytes
    }

    func run(in session: Session) throws -> Report {
        if asksStatus { return try PackStatus(session: session).report() }
        // Here and not in `validate`, which would come before an option that is mistyped.
        guard days != nil || when != nil else {
            throw ShellFailure.usage(
                "say how much history to keep: --days N, or --at WHEN", advice: "--days 0 keeps none")
        }
        let tid = try time(session)
        var options = PackOptions(interruption: session.interruption)
        options.isStrict = isStrict
        options.bytesPerSecond = throttle.flatMap(Self.bytes)
        if keepsGarbage { options.collectsGarbage = false }
        if dropsOld || keepsOld { options.keepsOld = keepsOld }
        let progress = session.progress
        options.progress = { progress.update("packing: \($0.phase.rawValue)", $0.done, $0.unit, of: $0.total) }
        if isDryRun {
            let storage = try session.storage(
                as: (any PreviewablePackStorage).self, to: "tell what a pack would drop")
            return try PackPreviewReport(session: session, top: top).report(
                try storage.previewPack(to: tid, options), tid)
        }
        try session.requireNothingStaged("a pack")
        try requireContent(session)
        try askAboutProduction(session)
        try openForPacking(session)
        let storage = try session.storage(as: (any PackableStorage).self, to: "be packed")
        if storage is any RemoteStorage, session.terminal.errorIsTerminal {
            Diagnostics.write("\(storage.name) packs; waiting until it has done\n")
        }
        let start = ContinuousClock.now
        let summary = try storage.pack(to: tid, options)
        let time = start.duration(to: .now).components
        return try report(
            summary, tid, seconds: Double(time.seconds) + Double(time.attoseconds) / 1e18, session)
    }

    private func time(_ session: Session) throws -> TransactionID {
        if let days {
            guard let tid = TransactionID(unixTime: session.now() - days * 86_400) else {
                throw ShellFailure.usage("--days \(days): before 1900", advice: "fewer days")
            }
            return tid
        }
        let parsed = try session.whenParser.parse(when ?? "")
        guard let tid = parsed.transaction() else {
            throw ShellFailure.usage("--at \(when ?? "") is no point in time", advice: "see 'help dates'")
        }
        // A slip in the year would drop all history, which has to be asked for by name.
        guard let now = TransactionID(unixTime: session.now()), tid <= now else {
            throw ShellFailure.usage(
                "--at \(when ?? "") is a time to come: nothing of the past would be left",
                advice: "--days 0 drops all history")
        }
        return tid
    }

    /// An empty file is no database, but what is left of one: to make it a sound one without objects would hide that.
    private func requireContent(_ session: Session) throws {
        guard try !(session.storage is any RemoteStorage), try session.storage.information().size == 0 else { return }
        throw ShellFailure(
            "empty", .data, at: session.databaseName, "the file is empty: 0 bytes; nothing was done",
            advice: "restore a backup, if there is one")
    }

    private func askAboutProduction(_ session: Session) throws {
        guard session.service?.isProduction == true else { return }
        var choices = CommitChoices()
        choices.confirmedName = confirmedName
        try Confirmation(session: session).requireForDatabase("Pack \(session.databaseName)?", choices)
    }

    /// A file has to be locked. Alone on a command line, the verb is leave to do so.
    private func openForPacking(_ session: Session) throws {
        guard try !(session.storage is any RemoteStorage), !session.isWritable else { return }
        guard session.mode == .oneShot, session.service?.readOnly != .always else {
            throw ShellFailure(.readOnly(session.databaseName), at: session.databaseName)
        }
        try session.reopen(writable: true)
    }

    private func report(
        _ summary: PackSummary, _ tid: TransactionID, seconds: Double, _ session: Session
    ) throws -> Report {
        var (outcome, reason) = ("packed", Cell.none)
        var line = "packed: " + Self.change(summary) + ", in " + CellText.duration(seconds)
        if case .nothingToDo(let why) = summary.outcome {
            (outcome, reason) = ("nothing to do", .text(why))
            line = "nothing to do: \(why)"
        }
        func cell(_ value: Int?, _ make: (Int) -> Cell) -> Cell { value.map(make) ?? .none }
        let fields = [
            Report.Field("outcome", .text(outcome)),
            Report.Field("reason", reason),
            Report.Field("to", title: "packed to", .time(tid)),
            Report.Field("objects_before", title: "objects", cell(summary.objectsBefore) { .integer($0) }),
            Report.Field("objects_after", title: "left", cell(summary.objectsAfter) { .integer($0) }),
            Report.Field("bytes_before", title: "size", cell(summary.bytesBefore) { .size($0) }),
            Report.Field("bytes_after", title: "now", cell(summary.bytesAfter) { .size($0) }),
            Report.Field("blobs_removed", title: "blobs removed", .integer(summary.blobsRemoved)),
            Report.Field("dangling", .integer(summary.danglingCount)),
            Report.Field("rescued", .integer(summary.rescued)),
            Report.Field("seconds", title: "time", .seconds(seconds)),
        ]
        var messages = try DanglingText(session: session).messages(summary.dangling, count: summary.danglingCount)
        messages += summary.notes.map { Report.Message($0, severity: .warning) }
        let all = messages
        return Report(.result(line, fields)) { Report.Conclusion(messages: all) }
    }

    /// `117 to 116 objects, 203 K to 184 K`: what is known of it.
    private static func change(_ summary: PackSummary) -> String {
        var parts: [String] = []
        if let before = summary.objectsBefore, let after = summary.objectsAfter {
            parts.append("\(grouped(before)) to \(grouped(after)) objects")
        }
        if let before = summary.bytesBefore, let after = summary.bytesAfter {
            parts.append("\(CellText.humanSize(before)) to \(CellText.humanSize(after))")
        }
        return parts.joined(separator: ", ")
    }
}

extension PackProgress {
    var unit: String { phase == .mark || phase == .blobs ? "objects" : "bytes" }
}

/// References to nothing, told with the paths of those that have them.
struct DanglingText {
    private static let most = 5

    let session: Session

    func messages(_ dangling: [PackSummary.Dangling], count: Int) throws -> [Report.Message] {
        guard count > 0 else { return [] }
        let shown = dangling.prefix(Self.most)
        let places = (try? PathFinder(session.workspace).places(of: Set(shown.map(\.referrer)))) ?? [:]
        var lines = shown.map { reference in
            let path = places[reference.referrer].map { " (\($0))" } ?? ""
            return "\(reference.referrer)\(path) refers to \(reference.missing), which does not exist"
        }
        if count > lines.count { lines.append("and \(grouped(count - lines.count)) more references to nothing") }
        return lines.map { Report.Message($0, severity: .warning) }
    }
}
