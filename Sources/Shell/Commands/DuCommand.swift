internal import ArgumentParser
internal import ZODB

struct DuCommand: ShellCommand {
    static let name = "du"
    static let summary = "tell what takes the space: by class, user, day or month"
    static let synopsis = "[--by class|user|day|month] [--top N] [--since WHEN] [--until WHEN] [--current]"
    static let group = CommandGroup.look
    static let discussion = """
        Objects, revisions and the bytes of their records, current ones and history apart. Current is what a pack to this
        moment would keep, were every object in use; history is what it would remove: revisions that were written again,
        undone or deleted since. Days are those of the local clock. With --since or --until, what was written then, and
        how much of it is still current. --current looks at current records alone: quicker over the network, and all that
        can be told where a server does not list its transactions.
        Where a Data.fs has a blob directory (--blob-dir), files of blobs are counted beside their records.
        """
    static let examples = [
        CommandExample("du", "by class, the most bytes first"),
        CommandExample("du --by user --since 1w", "who wrote how much in a week"),
        CommandExample("du --by day --since 1month", "how much was written each day"),
        CommandExample("zeoshell du Data.fs --by class --top 20 -o csv", "for a spreadsheet"),
    ]

    @Option(help: ArgumentHelp("class (when left out), user, day or month.", valueName: "what"))
    var by = SpaceGrouping.class
    @Option(help: ArgumentHelp("Only the N that take the most.", valueName: "n")) var top: Int?
    @Option(help: ArgumentHelp("What was written then or later.", valueName: "when")) var since: String?
    @Option(help: ArgumentHelp("What was written then or earlier.", valueName: "when")) var until: String?
    @Flag(name: .customLong("current"), help: "Only current records, no history.") var isCurrentOnly = false

    func validate() throws {
        if let top, top < 1 { throw ValidationError("--top takes a number from 1 up") }
        if isCurrentOnly, by == .user {
            throw ValidationError("--current --by user: a current record alone does not say who wrote it")
        }
        if isCurrentOnly, since != nil || until != nil {
            throw ValidationError("--current takes no --since and --until")
        }
    }

    func run(in session: Session) throws -> Report {
        let range = try TransactionRange(since: since, until: until, session)
        let survey = SpaceSurvey(session, by)
        let tally = try isCurrentOnly ? survey.current() : survey.all(range)
        let lines = tally.lines
        let shown = lines.prefix(top ?? .max)
        let total = tally.total
        var fields = [
            Report.Field("objects", .integer(total.objects)),
            Report.Field("current_bytes", title: "current", .size(total.currentBytes)),
            Report.Field("old_revisions", title: "old revisions", .integer(total.oldRevisions)),
            Report.Field("history_bytes", title: "history", .size(total.historyBytes)),
        ]
        if total.blobs > 0 {
            fields.append(Report.Field("blobs", .integer(total.blobs)))
            fields.append(Report.Field("blob_bytes", title: "blob files", .size(total.blobBytes)))
        }
        let columns = Self.columns(by, hasBlobs: total.blobs > 0)
        let rows = shown.map { row($0, of: total) }
        let table = Report.Table(columns, ArrayCursor(rows), total: rows.count)
        return Report(.detailed(fields, name: by.plural, table)) {
            var conclusion = Report.Conclusion()
            if shown.count < lines.count {
                conclusion.messages.append(Report.Message("… \(grouped(lines.count - shown.count)) more"))
            }
            if tally.missingBlobs > 0 {
                conclusion.messages.append(
                    Report.Message("\(counted(tally.missingBlobs, "blob")) without a file", severity: .warning))
            }
            return conclusion
        }
    }

    private static func columns(_ grouping: SpaceGrouping, hasBlobs: Bool) -> [Report.Column] {
        var columns = [Report.Column(grouping.rawValue, tone: .name, isFlexible: true)]
        if grouping != .class { columns.append(Report.Column("transactions")) }
        columns += [
            Report.Column("objects"), Report.Column("current_bytes", title: "current"),
            Report.Column("old_revisions", title: "old"), Report.Column("history_bytes", title: "history"),
        ]
        // Of every row or of none: scripts count columns.
        columns += [
            Report.Column("blob_bytes", title: "blobs", visibility: hasBlobs ? .always : .detail),
            Report.Column("percent", title: "share"),
        ]
        return columns
    }

    private func row(_ line: SpaceTally.Line, of total: SpaceTally.Count) -> [Cell] {
        let count = line.count
        let label: Cell =
            switch line.label {
            case .named(let text): by == .user ? SpaceSurvey.userCell(text) : .text(text)
            case .unreadable: .alert("(class not readable)")
            case .deletions: .text("(deletions)")
            }
        let all = total.bytes + total.blobBytes
        let share = all > 0 ? Double(count.bytes + count.blobBytes) * 100 / Double(all) : 0
        let transactions: [Cell] = by == .class ? [] : [.integer(count.transactions)]
        return [label] + transactions + [
            .integer(count.objects), .size(count.currentBytes), .integer(count.oldRevisions),
            .size(count.historyBytes), count.blobs > 0 ? .size(count.blobBytes) : .none, .percent(share),
        ]
    }
}
