internal import ObjectGraph
internal import Pickle
internal import Storages
internal import ZODB

/// Edits as a file: made by one session, read by people, applied by another.
///
/// JSON lines: a head, then a line an object, with the revision that the edit was made on, the record before and after,
/// and, for people, what is different.
struct PlanFile {
    struct Object {
        var planned: PlannedObject
        var path: String
        /// The record that was edited; nil for a new object.
        var before: [UInt8]?
    }

    var objects: [Object]
    /// What was typed to make it.
    var lines: [String]

    private static let version = 1

    // MARK: Writing

    /// - Throws: `ShellFailure` for edits that a file cannot hold: new bytes of blobs.
    static func text(_ changes: StagedChanges, _ session: Session) throws -> String {
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
            lines.append(try line(object, changes))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func line(_ object: StagedObject, _ changes: StagedChanges) throws -> String {
        var json = Pickle.JSONText()
        json.beginObject()
        json.key("oid")
        json.string(object.oid.hex)
        json.key("path")
        json.string(changes.path(object.oid))
        json.key("class")
        json.string(object.record.className?.description ?? "")
        json.key("serial")
        if object.isNew { json.null() } else { json.string(object.baseSerial.hex) }
        json.key("changes")
        json.beginArray()
        for line in try changes.lines(of: object) { json.string(line) }
        json.endArray()
        json.key("before")
        if let base = object.base { json.string(Base64.text(base.document.source)) } else { json.null() }
        json.key("after")
        json.string(Base64.text(object.record.document.source))
        json.endObject()
        return json.text
    }

    // MARK: Reading

    init(_ path: String) throws {
        let bytes = try FilePaths.read(path)
        (objects, lines) = ([], [])
        var count: Int?
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n")).enumerated() {
            func failure(_ what: String) -> ShellFailure {
                ShellFailure("bad-plan", .data, at: "\(path):\(index + 1)", what, advice: "'plan > FILE' writes them")
            }
            guard let json = try? JSONTree(parsing: Array(line)) else { throw failure("no line of a plan: not JSON") }
            guard count != nil else {
                guard json["zeoshell_plan"] == .number("\(Self.version)") else {
                    throw failure("not a plan of version \(Self.version)")
                }
                lines = json["lines"]?.elements?.compactMap(\.string) ?? []
                guard case .number(let text)? = json["objects"], let number = Int(text) else {
                    throw failure("the head does not say how many objects there are")
                }
                count = number
                continue
            }
            guard let object = Self.object(json) else { throw failure("not an object of a plan") }
            objects.append(object)
        }
        guard let count, count == objects.count else {
            throw ShellFailure(
                "bad-plan", .data, at: path, "the head says \(count ?? 0) objects, there are \(objects.count)",
                advice: "the file was cut off, or is no plan")
        }
    }

    private static func object(_ json: JSONTree) -> Object? {
        guard let oid = json["oid"]?.string.flatMap({ UInt64($0, radix: 16) }), let path = json["path"]?.string,
            case .string(let after)? = json["after"], let data = Base64.bytes(after)
        else { return nil }
        var serial = TransactionID.none
        var before: [UInt8]?
        if case .string? = json["serial"] {
            guard let tid = json["serial"]?.string.flatMap({ TransactionID(hex: $0) }),
                case .string(let text)? = json["before"], let bytes = Base64.bytes(text)
            else { return nil }
            (serial, before) = (tid, bytes)
        }
        let planned = PlannedObject(oid: ObjectID(rawValue: oid), baseSerial: serial, data: data)
        return Object(planned: planned, path: path, before: before)
    }
}
