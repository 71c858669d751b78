internal import ArgumentParser
internal import ByteCoding
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct StatCommand: ShellCommand {
    static let name = "stat"
    static let summary = "tell about an object: class, size, who wrote it when"
    static let synopsis = "[--count] [--history] [PATH…]"
    static let group = CommandGroup.look
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        The number of items is told where it is known; --count counts. --history counts the revisions that the storage
        still has.
        """
    static let examples = [
        CommandExample("stat /Plone/news", "one object"),
        CommandExample("stat --count /Plone/catalog/.uids", "a BTree's keys, counted"),
        CommandExample("stat '/Plone/*' -o csv", "a table of several"),
    ]

    @Flag(help: "Count the items where their number is not known.") var count = false
    @Flag(help: "Count the revisions.") var history = false
    @Argument(help: "What to tell about; where we are when left out.") var paths: [String] = []

    func run(in session: Session) throws -> Report {
        let operands = try session.places(paths)
        let workspace = try session.workspace
        let progress = session.progress
        let facts = { (place: Place) throws(StorageError) -> [Report.Field] in
            try fields(place, workspace, progress)
        }
        guard operands.isMany else {
            var found: [Report.Field] = []
            if let fields = try operands.next(facts) { found = fields.filter { $0.cell != .none } }
            return Report(.record(found)) { operands.conclusion }
        }
        // Every place has the same fields, if only with nothing in them: the columns are those of the first.
        let first = try operands.next(facts)
        var pending = first
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            if let fields = pending {
                pending = nil
                return fields.map(\.cell)
            }
            return try operands.next(facts)?.map(\.cell)
        }
        return Report(.table(Report.Table(first?.map(\.column) ?? [], rows))) { operands.conclusion }
    }

    private func fields(
        _ place: Place, _ workspace: Workspace, _ progress: Progress
    ) throws(StorageError) -> [Report.Field] {
        let subject = try workspace.subject(of: place.node)
        let facts = try workspace.facts(of: subject)
        let record = subject.record
        typealias Field = Report.Field
        typealias Column = Report.Column
        func text(_ text: String?) -> Cell { text.map { .text($0) } ?? .none }
        func size(_ size: Int?) -> Cell { size.map { .size($0) } ?? .none }
        func integer(_ number: Int?) -> Cell { number.map { .integer($0) } ?? .none }
        let content = try? workspace.content(of: subject)
        let summary = try transaction(record, workspace)
        let isCompressed = record.document.source.count != record.storedSize
        var items = facts.count
        if count, items == nil {
            items = try workspace.count(itemsOf: subject) { progress.update("counting", $0, "items") }
        }
        return [
            Field(Column("path", tone: .path, isFlexible: true), .text(place.description)),
            Field("oid", title: subject.isObject ? "oid" : "inside", .oid(record.oid)),
            Field("kind", .text(facts.kind)),
            Field(Column("class", isFlexible: true), text(facts.className?.description)),
            Field(Column("title", isFlexible: true), text(facts.title)), Field("items", integer(items)),
            Field("refers_to", title: "refers to", subject.isObject ? Self.references(record) : .none),
            Field("size", title: subject.isObject ? "record" : "size", size(facts.size)),
            Field("uncompressed", isCompressed ? .size(record.document.source.count) : .none),
            Field("content_size", title: "content", size(facts.contentSize)),
            Field("content_type", title: "type", text(facts.contentType)),
            Field("blob", content?.blob.map { .oid($0) } ?? .none),
            Field("protocol", .integer(record.document.protocolNumber)),
            Field("python", .integer(try workspace.generation(of: record).rawValue)),
            Field("serial", .tid(record.serial)), Field("time", title: "written", .time(record.serial)),
            Field("user", title: "by", summary.map { TransactionText.cell($0.user) } ?? .none),
            Field(
                Column("description", title: "what", isFlexible: true),
                summary.map { TransactionText.cell($0.description) } ?? .none),
            Field("revisions", history ? try revisions(record.oid, workspace) : .none),
        ]
    }

    /// How many objects the record refers to.
    private static func references(_ record: ObjectRecord) -> Cell {
        .integer(Set(record.document.references.filter { $0.kind == .strong }.map(\.oid)).count)
    }

    /// The transaction that wrote the record, where the storage can be asked.
    private func transaction(
        _ record: ObjectRecord, _ workspace: Workspace
    ) throws(StorageError) -> TransactionSummary? {
        guard !record.serial.isStaged, let storage = workspace.storage as? any HistoryStorage else { return nil }
        // Nearly always it is the newest; in the past it is a later one of the list.
        for limit in [1, 100] {
            do throws(StorageError) {
                let entries = try storage.history(of: record.oid, limit: limit)
                if let entry = entries.first(where: { $0.transaction.tid == record.serial }) {
                    return entry.transaction
                }
                if entries.count < limit { return nil }
            } catch {
                guard error.isAboutOneObject else { throw error }
                return nil
            }
        }
        return nil
    }

    private static let revisionLimit = 100_000

    private func revisions(_ oid: ObjectID, _ workspace: Workspace) throws(StorageError) -> Cell {
        guard let storage = workspace.storage as? any HistoryStorage else { return .none }
        return .integer(try storage.history(of: oid, limit: Self.revisionLimit).count)
    }
}

struct FileCommand: ShellCommand {
    static let name = "file"
    static let summary = "tell what an object is: kind, class, pickle protocol"
    static let synopsis = "PATH…"
    static let group = CommandGroup.look
    static let operands: [OperandKind] = [.path]
    static let examples = [
        CommandExample("file /Plone/*", "everything in a folder"),
        CommandExample("file #1a2b", "by oid"),
    ]

    @Argument(help: "What to look at; where we are when left out.") var paths: [String] = []

    func run(in session: Session) throws -> Report {
        let operands = try session.places(paths)
        let workspace = try session.workspace
        let rows = ClosureCursor { () throws(StorageError) in
            try operands.next { place throws(StorageError) in try Self.row(place, workspace) }
        }
        let columns = [
            Report.Column("path", tone: .path), Report.Column("kind"), Report.Column("class", isFlexible: true),
            Report.Column("type", isFlexible: true), Report.Column("protocol"), Report.Column("python"),
            Report.Column("oid", visibility: .detail),
        ]
        return Report(.table(Report.Table(columns, rows))) { operands.conclusion }
    }

    private static func row(_ place: Place, _ workspace: Workspace) throws(StorageError) -> [Cell] {
        let subject = try workspace.subject(of: place.node)
        let facts = try workspace.facts(of: subject)
        return [
            .text(place.description), .text(facts.kind), facts.className.map { .text($0.description) } ?? .none,
            facts.contentType.map { .text($0) } ?? .none, .integer(subject.document.protocolNumber),
            .integer(try workspace.generation(of: subject.record).rawValue), .oid(subject.record.oid),
        ]
    }
}

extension Workspace {
    /// Which Python wrote a record: as far as it tells, else as the storage does.
    func generation(of record: ObjectRecord) throws(StorageError) -> PythonGeneration {
        if let generation = record.document.generation { return generation }
        return try generation()
    }
}

extension PickleDocument {
    /// The protocol: what the first pickle says it is; without a word it is 1, or 0 where all is written as text.
    var protocolNumber: Int {
        if source.first == Opcode.proto.rawValue, source.count > 1 { return Int(source[1]) }
        let textual: Set<String> = Set(Self.textOpcodes.map(\.name))
        for line in Disassembly(source) where !textual.contains(line.name) { return 1 }
        return 0
    }

    /// The opcodes of protocol 0. Source: `pickletools.py`.
    private static let textOpcodes: [Opcode] = [
        .mark, .stop, .pop, .duplicate, .float, .int, .long, .none, .persistentText, .reduce, .string, .unicode,
        .append,
        .build, .global, .dict, .get, .inst, .list, .put, .setItem, .tuple,
    ]
}
