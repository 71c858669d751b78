internal import ObjectGraph
internal import Pickle
internal import ZODB

/// The staged edits, as `status`, `diff` and `commit` show them.
struct StagedChanges {
    let session: Session
    let objects: [StagedObject]
    private let workspace: Workspace
    private let paths: [ObjectID: String]

    init(_ session: Session) throws {
        self.session = session
        workspace = try session.workspace
        objects = workspace.stagedObjects
        var paths: [ObjectID: String] = [:]
        for difference in try workspace.stagedDifferences(limit: 1) {
            guard let place = difference.place else { continue }
            let isPart = difference.tree.map { $0 != difference.oid } ?? false
            paths[difference.oid] = isPart ? "\(place) (part \(difference.oid.path))" : place.description
        }
        self.paths = paths.merging(session.transaction.paths) { _, typed in typed }
    }

    var isEmpty: Bool { objects.isEmpty }
    var size: Int { objects.reduce(0) { $0 + $1.record.document.source.count } }

    func path(_ oid: ObjectID) -> String { paths[oid] ?? oid.path }

    // MARK: Status

    static let columns = [
        Report.Column("oid", tone: .name), Report.Column("change"), Report.Column("class", isFlexible: true),
        Report.Column("size"), Report.Column("path", tone: .path, isFlexible: true),
        Report.Column("based_on", title: "based on", visibility: .detail),
    ]

    var rows: [[Cell]] {
        objects.map { object in
            let isInConflict = session.transaction.conflicts[object.oid] != nil
            return [
                .oid(object.oid), isInConflict ? .alert("conflict") : .text(object.isNew ? "new" : "changed"),
                object.record.className.map { .text($0.description) } ?? .none,
                .size(object.record.document.source.count), .text(path(object.oid)),
                object.isNew ? .none : .tid(object.baseSerial),
            ]
        }
    }

    /// `2 Folder, 1 OOBTree`, the most frequent first.
    var classes: String {
        var counts: [String: Int] = [:]
        for object in objects { counts[object.record.className?.name ?? "unknown", default: 0] += 1 }
        let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let shown = sorted.prefix(5).map { "\($0.value) \($0.key)" }
        return shown.joined(separator: ", ") + (sorted.count > 5 ? ", …" : "")
    }

    /// `3 objects, 1.2 K: 2 Folder, 1 OOBTree`
    var summary: String { "\(counted(objects.count, "object")), \(CellText.humanSize(size)): \(classes)" }

    // MARK: Differences

    /// What the edits change, object by object.
    func differences() throws -> some Cursor<Report.Document> {
        let printer = try DifferencePrinter(workspace)
        var index = 0
        return ClosureCursor<Report.Document> { () throws(StorageError) in
            guard index < objects.count else { return nil }
            defer { index += 1 }
            return try difference(objects[index], printer)
        }
    }

    private func difference(
        _ object: StagedObject, _ printer: DifferencePrinter
    ) throws(StorageError) -> Report.Document {
        let path = path(object.oid)
        var document = printer.document(
            DifferencePrinter.Side(path: path, subject: object.base.map { Subject(of: $0) }),
            DifferencePrinter.Side(path: path, subject: Subject(of: object.record))
        ).document
        // The heading of the text says it.
        document.title = nil
        if document.text.isEmpty { document.text = "--- \(path)\n+++ \(path)\n  (the same values, written anew)" }
        return document
    }

    /// A few lines about what was done to some of the objects: all that the edits so far change in them.
    func brief(_ oids: [ObjectID]) throws -> [String] {
        let oids = Set(oids)
        let printer = try DifferencePrinter(workspace)
        var lines: [String] = []
        for object in objects where oids.contains(object.oid) {
            guard lines.count < Self.briefLimit else { break }
            let text = try difference(object, printer).text
            lines += ["\(path(object.oid)):"]
            lines += text.split(separator: "\n", omittingEmptySubsequences: false).dropFirst(2).map { "  " + $0 }
        }
        guard lines.count > Self.briefLimit else { return lines }
        return lines.prefix(Self.briefLimit) + ["… \(counted(oids.count, "object")) changed: 'diff' shows all"]
    }

    /// What is different between two records, without a heading: it is the same wherever it is looked at.
    /// - Parameter before: nil when there was nothing.
    func lines(from before: ObjectRecord?, to after: ObjectRecord) throws -> [String] {
        func side(_ record: ObjectRecord?) -> DifferencePrinter.Side {
            DifferencePrinter.Side(path: "", subject: record.map { Subject(of: $0) })
        }
        let text = try DifferencePrinter(workspace).document(side(before), side(after)).document.text
        guard !text.isEmpty else { return ["  (the same values, written anew)"] }
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropFirst(2).map(String.init)
    }

    private static let briefLimit = 12

    /// The text of all differences.
    /// - Parameter lineLimit: the most lines; what is left out is counted.
    func text(lineLimit: Int = .max) throws -> String {
        let documents = try differences()
        var lines: [Substring] = []
        var omitted = 0
        while let document = try documents.next() {
            try session.interruption.check()
            for line in document.text.split(separator: "\n", omittingEmptySubsequences: false) {
                if lines.count < lineLimit { lines.append(line) } else { omitted += 1 }
            }
        }
        var text = lines.joined(separator: "\n")
        if omitted > 0 { text += "\n… \(counted(omitted, "more line")): 'diff' shows all" }
        return text
    }
}
