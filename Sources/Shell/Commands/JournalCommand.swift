internal import ArgumentParser
internal import ZODB

struct JournalCommand: ShellCommand {
    static let name = "journal"
    static let summary = "list what was committed from this machine, newest first"
    static let synopsis = "[--limit N]"
    static let group = CommandGroup.transaction
    static let scope = CommandScope.withoutStorage
    static let discussion = """
        Every commit of this user's shells, to any database, also those that failed. It is kept in
        $XDG_STATE_HOME/zeoshell/journal, JSON lines that only you may read: a line before a commit and one after it. A
        commit whose end is 'unknown' was cut off in between; 'log' tells whether it is there.
        """
    static let examples = [CommandExample("journal --limit 5", "the last five")]

    func run(in session: Session) throws -> Report {
        guard let journal = session.journal else {
            throw ShellFailure(
                "no-journal", .environment, "there is no place for a journal", advice: "set HOME or XDG_STATE_HOME")
        }
        let rows: [[Cell]] = try journal.entries().reversed().map { entry in
            [
                entry.tid.map { .tid($0) } ?? .none, .text(entry.time),
                entry.end == .committed ? .text(entry.end.rawValue) : .alert(entry.end.rawValue),
                .text(entry.service ?? entry.address), .text(entry.description), .integer(entry.objectCount),
                entry.reason.map { .text($0) } ?? .none, .text(entry.mark),
            ]
        }
        let columns = [
            Report.Column("tid", tone: .name), Report.Column("time"), Report.Column("end"), Report.Column("database"),
            Report.Column("description", isFlexible: true), Report.Column("objects"),
            Report.Column("why", visibility: .detail, isFlexible: true), Report.Column("id", visibility: .detail),
        ]
        return .table(columns, rows)
    }
}
