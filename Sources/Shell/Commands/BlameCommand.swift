internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct BlameCommand: ShellCommand {
    static let name = "blame"
    static let summary = "tell who last changed each attribute, key, element or line"
    static let synopsis = "[PATH] [--from KEY] [--revisions N]"
    static let group = CommandGroup.history
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        Of an object: its attributes, and the keys of a mapping or BTree. Of a value: a dict's keys, the elements of a list, the
        lines of a text. A key of a BTree is followed through its buckets, also where they split.
        "then or before" stands where an older transaction may have done it: a pack forgets which, and a server does not tell
        whether there was one.
        An object's older revisions are read until all is explained; --revisions sets a limit.
        """
    static let examples = [
        CommandExample("blame /Plone/news", "who set each attribute"),
        CommandExample("blame /script/._body", "a script, line by line"),
        CommandExample("blame /Plone/._tree --from news", "the children of a large folder, from this id on"),
        CommandExample("blame /Plone/news@2026-10-01", "as it was then"),
    ]

    @Option(
        name: .customLong("from"), help: ArgumentHelp("Of a BTree: begin at this key.", valueName: "key"))
    var first: String?
    @Option(help: ArgumentHelp("Look at no more than so many revisions of an object.", valueName: "n"))
    var revisions: Int?
    @Argument(help: "An object or a value; where we are when left out.") var path: String?

    func run(in session: Session) throws -> Report {
        if let revisions, revisions < 1 { throw ShellFailure.usage("--revisions \(revisions): at least one") }
        let place = try session.place(path)
        let subject = try session.read(place)
        let workspace = try session.workspace
        let progress = session.progress
        let directory = TransactionDirectory(try session.storage)
        let isPython2 = try workspace.generation() == .python2
        let isRemote = try session.storage is any RemoteStorage
        func row(_ part: BlamedPart, _ number: Int) throws(StorageError) -> [Cell] {
            try Self.row(part, number, directory, isPython2, isRemote)
        }
        if subject.isObject, let keys = try keys(subject, workspace, progress) {
            let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
                try keys.next().map { (part) throws(StorageError) in try row(part, 0) }
            }
            return Report(.table(Report.Table(Self.columns(lines: false), rows)))
        }
        guard first == nil else {
            throw ShellFailure.usage("--from: \(place) is no BTree", advice: "leave it out")
        }
        let parts = try Blame(workspace, limit: revisions ?? .max) { progress.update("reading", $0, "revisions") }
            .parts(of: place)
        var index = 0
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            guard index < parts.count else { return nil }
            index += 1
            return try row(parts[index - 1], index)
        }
        let isText = parts.first?.line != nil
        return Report(.table(Report.Table(Self.columns(lines: isText), rows, total: parts.count)))
    }

    private func keys(_ subject: Subject, _ workspace: Workspace, _ progress: Progress) throws -> BTreeBlame? {
        var key: PythonLiteral?
        if let first {
            // A number or quoted text as in a path's brackets; anything else is a text.
            if let path = try? ObjectPath(parsing: "[\(first)]"), case .child(.key(let literal))? = path.steps.first {
                key = literal
            } else {
                key = .string(Array(first.utf8))
            }
        }
        return BTreeBlame(subject, in: workspace, from: key) { progress.update("reading", $0, "revisions") }
    }

    private static func columns(lines: Bool) -> [Report.Column] {
        [
            Report.Column("tid", tone: .name), Report.Column("time"), Report.Column("user", isFlexible: true),
            Report.Column("description", visibility: .detail, isFlexible: true),
            lines ? Report.Column("line") : Report.Column("part", tone: .path, isFlexible: true),
            lines ? Report.Column("text", isFlexible: true) : Report.Column("value", isFlexible: true),
            Report.Column("remark"),
        ]
    }

    private static func row(
        _ part: BlamedPart, _ number: Int, _ directory: TransactionDirectory, _ isPython2: Bool,
        _ isRemote: Bool
    ) throws(StorageError) -> [Cell] {
        let summary = try directory.summary(part.tid, of: part.oid)
        let what: [Cell]
        if let line = part.line {
            what = [.integer(number), .text(line)]
        } else {
            what = [part.path.map { .text($0) } ?? .none, part.value.map { value($0, isPython2) } ?? .none]
        }
        return [
            .tid(part.tid), .time(part.tid), summary.map { TransactionText.cell($0.user) } ?? .none,
            summary.map { TransactionText.cell($0.description) } ?? .none,
        ] + what + [isVague(part, summary, isRemote) ? .text("then or before") : .none]
    }

    /// Whether an earlier transaction may have done it. Of an object's first revision only a file says whether a pack has
    /// been over it.
    private static func isVague(_ part: BlamedPart, _ summary: TransactionSummary?, _ isRemote: Bool) -> Bool {
        switch part.certainty {
        case .known: false
        case .oldest: isRemote || summary?.status != .complete
        case .limited: true
        }
    }

    private static func value(_ value: (record: ObjectRecord, slot: PickleDocument.Slot), _ isPython2: Bool) -> Cell {
        var options = PickleText.Options()
        (options.isPython2, options.stringLimit, options.width) = (isPython2, 200, nil)
        var json = Pickle.JSONText()
        value.record.document.writeJSON(value.slot, isPython2: isPython2, to: &json)
        let text = value.record.document.text(value.slot, options)
        return .value(text: TerminalText.cut(text, to: 400), json: json.text)
    }
}
