internal import ArgumentParser
internal import Storages
internal import Verification
internal import ZODB

struct VerifyCommand: ShellCommand {
    static let name = "verify"
    static let summary = "find what is damaged in a database"
    static let synopsis = "[--structure | --deep] [--current | --history] [--resume FILE]"
    static let group = CommandGroup.search
    static let needsOpenStorage = false
    static let discussion = """
        Reads a whole database and tells what is wrong with it: what, where, how bad. Nothing is written, no lock is taken,
        and a server may go on writing to the file meanwhile. Of a Data.fs, in whatever state it is:

          --structure  heads, lengths, pointers, order of transactions, and the .index file: what fstest checks, and more
          (default)    and every record: two whole pickles, and references to objects that are there (fsrefs)
          --deep       and BTrees (checkbtrees), lists of folders, and the files of blobs (--blob-dir DIR)

        Of a server the current records are read, and with --history all revisions of all transactions; --structure goes
        through its transactions alone. With --current a Data.fs's past revisions are passed over.
        --resume FILE notes in FILE how far the reading has come, and goes on from there when FILE is found; it is removed
        at the end.
        A Data.fs has no checksums: a byte that changes within a text or a number is found by nobody but who compares with a
        backup ('backup' does so before each increment, and 'backup verify' has checksums).
        A row for each finding: damage cannot be read, or is read wrongly; a warning works and is not as it should be; a
        note is no finding. Exit code 0 when there is no finding, 1 when there is.
        """
    static let examples = [
        CommandExample("zeoshell verify Data.fs", "everything but trees, folders and blobs"),
        CommandExample("zeoshell verify Data.fs --deep --blob-dir blobstorage -o jsonl", "all there is, for a script"),
        CommandExample("zeoshell verify Data.fs --structure", "quick: does the file hold together?"),
        CommandExample(
            "zeoshell verify db1:8800 --resume verify.state", "over the network, in as many goes as it takes"),
    ]

    @Flag(help: "Only the file's structure.") var structure = false
    @Flag(help: "Also trees, folders and blobs.") var deep = false
    @Flag(help: "Only current revisions.") var current = false
    @Flag(help: "Past revisions too (the default for a Data.fs).") var history = false
    @Option(help: ArgumentHelp("Note here how far it came; go on from there.", valueName: "file")) var resume: String?
    @Option(help: ArgumentHelp("How many findings to keep; the rest is counted (10000).", valueName: "n")) var keep =
        10_000

    func validate() throws {
        if structure, deep { throw ValidationError("--structure and --deep exclude each other") }
        if current, history { throw ValidationError("--current and --history exclude each other") }
        if !(1...10_000_000).contains(keep) { throw ValidationError("--keep takes a number from 1 up") }
    }

    func run(in session: Session) throws -> Report {
        let path = session.address?.dataFile
        var options = VerificationOptions()
        options.level = structure ? .structure : deep ? .deep : .records
        options.includesHistory = path == nil ? history : !current
        options.blobDirectory = session.blobDirectory
        options.now = TransactionID(unixTime: session.now() + 1800) ?? .latest
        options.limit = keep
        options.interruption = session.interruption
        let progress = session.progress
        options.progress = { progress.update($0, $1, $3, of: $2) }
        let notes = try resume.map { try ResumeFile($0) }
        options.start = notes?.found
        if let notes { options.checkpoint = { notes.write($0) } }
        let result: VerificationResult
        if let path {
            result = try FileVerification(path, options: options).run()
        } else {
            result = try StorageVerification(session.openAimed(), options: options).run()
        }
        try notes?.finish()
        return report(result)
    }

    private func report(_ result: VerificationResult) -> Report {
        let rows = result.list.defects.sorted { $0.severity > $1.severity }.map(Self.row)
        return Report(.table(Report.Table(Self.columns, ArrayCursor(rows)))) {
            var conclusion = Report.Conclusion(isNegative: result.list.findingCount > 0)
            let kinds = Defect.Kind.allCases.filter { kind in
                result.list.defects.contains { $0.kind == kind && $0.severity > .note }
            }
            for kind in kinds {
                guard let advice = result.list.defects.first(where: { $0.kind == kind })?.advice else { continue }
                conclusion.messages.append(Report.Message("\(kind.rawValue): \(advice)"))
            }
            if result.list.omittedCount > 0 {
                conclusion.messages.append(
                    Report.Message("\(grouped(result.list.omittedCount)) more were found and not kept: --keep N"))
            }
            conclusion.messages.append(Report.Message(Self.summary(result)))
            return conclusion
        }
    }

    private static func summary(_ result: VerificationResult) -> String {
        let list = result.list
        let what = result.figures.map {
            $0.name == "bytes"
                ? CellText.humanSize($0.count)
                : "\(grouped($0.count)) \($0.name.map { $0 == "_" ? " " : "\($0)" }.joined())"
        }.joined(separator: ", ")
        guard list.findingCount > 0 else { return "sound: \(what)" }
        let counts = Defect.Kind.allCases.compactMap { kind in
            list.counts[kind].map { "\(kind.rawValue) \(grouped($0))" }
        }
        let findings = list.findingCount == 1 ? "1 finding" : "\(grouped(list.findingCount)) findings"
        return "\(findings), damage \(grouped(list.damageCount)): \(counts.joined(separator: ", ")); read \(what)"
    }

    private static let columns = [
        Report.Column("severity", tone: .alert), Report.Column("kind", tone: .name),
        Report.Column("where", tone: .path), Report.Column("what", isFlexible: true),
        Report.Column("path", visibility: .detail), Report.Column("reachable", visibility: .detail),
        Report.Column("oid", visibility: .detail), Report.Column("tid", visibility: .detail),
        Report.Column("target", visibility: .detail), Report.Column("offset", visibility: .detail),
        Report.Column("advice", visibility: .detail),
    ]

    private static func row(_ defect: Defect) -> [Cell] {
        [
            .text(defect.severity.rawValue), .text(defect.kind.rawValue), .text(place(defect)), .text(defect.what),
            defect.path.map { .text($0) } ?? .none, defect.isReachable.map { .boolean($0) } ?? .none,
            defect.oid.map { .oid($0) } ?? .none, defect.tid.map { .tid($0) } ?? .none,
            defect.target.map { .oid($0) } ?? .none, defect.offset.map { .integer($0) } ?? .none,
            defect.advice.map { .text($0) } ?? .none,
        ]
    }

    /// The best there is: a path, an oid, a place in the file.
    private static func place(_ defect: Defect) -> String {
        if let path = defect.path { return path }
        if let oid = defect.oid { return oid.path + (defect.isReachable == false ? " (unreachable)" : "") }
        return defect.offset.map { "offset \($0)" } ?? ""
    }
}
