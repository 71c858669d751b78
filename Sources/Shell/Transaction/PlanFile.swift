internal import ObjectGraph
internal import Pickle
internal import Storages
internal import ZODB

/// Edits as a file: made by one session, read by people, applied by another.
///
/// JSON lines: a head, then a line an object, with the revision that the edit was made on, the record before and after,
/// and, for people, what is different. What the lines are for people is checked against the records when the file is read:
/// `PlanReader`.
struct PlanFile {
    struct Object {
        var planned: PlannedObject
        var path: String
        /// Of the file, from 1.
        var line: Int
    }

    var objects: [Object]
    /// What was typed to make it.
    var lines: [String]
    /// The transaction whose state was edited.
    var snapshot: TransactionID
    /// The file's name.
    var name: String

    static let version = 1

    // MARK: Writing

    /// - Throws: `ShellFailure` for edits that a file cannot hold: new bytes of blobs.
    static func text(_ changes: StagedChanges, _ session: Session) throws -> String {
        let workspace = try session.workspace
        var head = Pickle.JSONText()
        head.beginObject()
        head.key("zeoshell_plan")
        head.integer(version)
        head.key("database")
        head.string(session.databaseName)
        head.key("address")
        head.string(session.address?.description ?? "")
        head.key("time")
        head.string(TransactionID(unixTime: session.now()).map(TimeText.machine) ?? "")
        head.key("user")
        head.string(Identity.label(session.environment))
        head.key("snapshot")
        head.string(workspace.basis.hex)
        head.key("lines")
        head.beginArray()
        for line in session.transaction.lines { head.string(line) }
        head.endArray()
        head.key("objects")
        head.integer(changes.objects.count)
        head.endObject()
        var lines = [head.text]
        for object in changes.objects {
            guard object.contents == nil else {
                throw ShellFailure(
                    "unsupported", .refused, at: changes.path(object.oid), "a plan holds no bytes of blobs",
                    advice: "'commit' them first, by themselves")
            }
            guard let planned = workspace.planned(object.oid) else { continue }
            lines.append(try line(planned, object.record, changes))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func line(
        _ planned: PlannedObject, _ record: ObjectRecord, _ changes: StagedChanges
    ) throws -> String {
        var json = Pickle.JSONText()
        json.beginObject()
        json.key("oid")
        json.string(planned.oid.hex)
        json.key("path")
        json.string(changes.path(planned.oid))
        json.key("class")
        json.string(record.className?.description ?? "")
        json.key("serial")
        if planned.isNew { json.null() } else { json.string(planned.baseSerial.hex) }
        if let tree = planned.tree {
            json.key("tree")
            json.string(tree.hex)
        }
        json.key("changes")
        json.beginArray()
        for line in try changes.lines(from: try planned.base(), to: record) { json.string(line) }
        json.endArray()
        json.key("before")
        if case .revision(_, let data) = planned.basis { json.string(Base64.text(data)) } else { json.null() }
        json.key("after")
        json.string(Base64.text(planned.data))
        json.endObject()
        return json.text
    }
}
