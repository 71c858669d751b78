internal import ArgumentParser
internal import ObjectGraph
internal import ZODB

struct PwdCommand: ShellCommand {
    static let name = "pwd"
    static let summary = "tell where we are: path, oid, and the moment looked at"
    static let group = CommandGroup.move
    static let scope = CommandScope.sessionOnly

    func run(in session: Session) throws -> Report {
        let place = try session.place()
        var fields = [
            Report.Field(Report.Column("path", tone: .path), .text(place.description)),
            Report.Field("oid", .oid(place.node.oid)), Report.Field("at", .tid(place.at)),
            Report.Field("time", place.at == .none ? .none : .time(place.at)),
        ]
        if session.past != nil { fields.append(Report.Field("past", .boolean(true))) }
        return .record(fields)
    }
}
