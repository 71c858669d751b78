internal import ObjectGraph
internal import ZODB

/// One commit, with the paths of what it changed.
struct WatchedCommit {
    var commit: CommitFeed.Commit
    /// Of those of its objects that are near enough.
    var places: [ObjectID: Place]
    /// Objects that were there before, as far as is known.
    var known: Set<ObjectID>

    /// In a line of text; JSON has all.
    private static let mostPaths = 20

    static let columns = [
        Report.Column("time"), Report.Column("user", isFlexible: true), Report.Column("description", isFlexible: true),
        Report.Column("paths", title: "changed", tone: .path, isFlexible: true),
        Report.Column("tid", visibility: .detail), Report.Column("objects", visibility: .detail),
        Report.Column("changes", visibility: .detail), Report.Column("remark", visibility: .detail),
    ]

    var row: [Cell] {
        [
            .time(commit.tid), commit.summary.map { TransactionText.cell($0.user) } ?? .none,
            commit.summary.map { TransactionText.cell($0.description) } ?? .none, pathsCell, .tid(commit.tid),
            commit.changes.map { .integer($0.count) } ?? .none, changesCell, remark.map { .text($0) } ?? .none,
        ]
    }

    func path(of oid: ObjectID) -> String { places[oid]?.description ?? oid.path }

    /// Each once, those with names first.
    var paths: [String] {
        var seen: Set<String> = []
        let oids = (commit.changes ?? []).map(\.oid)
        let named = oids.filter { places[$0] != nil }.map(path).sorted()
        return (named + oids.filter { places[$0] == nil }.map(path)).filter { seen.insert($0).inserted }
    }

    private var pathsCell: Cell {
        guard commit.changes != nil else { return .value(text: "?", json: "null") }
        let paths = paths
        var text = paths.prefix(Self.mostPaths).joined(separator: ", ")
        if paths.count > Self.mostPaths { text += " and \(paths.count - Self.mostPaths) more" }
        return .value(text: text, json: JSONText.array(paths.map(JSONText.string)))
    }

    private var changesCell: Cell {
        guard let changes = commit.changes else { return .none }
        let objects = changes.map { change in
            var members = [("oid", JSONText.string(change.oid.hex)), ("path", "null"), ("class", "null")]
            if let place = places[change.oid] { members[1].1 = JSONText.string(place.description) }
            if let name = change.className { members[2].1 = JSONText.string(name) }
            members.append(("size", change.size.map(String.init) ?? "null"))
            if change.isDeletion { members.append(("deleted", "true")) }
            return JSONText.object(members)
        }
        return .value(
            text: changes.prefix(Self.mostPaths).map(\.oid.path).joined(separator: " "), json: JSONText.array(objects))
    }

    /// What could not be told.
    var remark: String? {
        var remarks: [String] = []
        if commit.summary == nil { remarks.append("the server does not tell who and why") }
        if commit.changes == nil { remarks.append("the server does not tell which objects") }
        if commit.isCut { remarks.append("more objects than are listed") }
        return remarks.isEmpty ? nil : remarks.joined(separator: "; ")
    }
}

extension WatchedCommit {
    /// The most objects whose differences are shown.
    private static let mostDifferences = 100

    /// What the transaction changed in each object, as text like a diff, and as JSON.
    func differences(_ printer: DifferencePrinter, _ workspace: Workspace) throws(StorageError) -> Report.Document {
        var texts: [String] = []
        var values: [String] = []
        let changes = commit.changes ?? []
        for change in changes.prefix(Self.mostDifferences) {
            let path = path(of: change.oid)
            var before = try DifferencePrinter.Side(.object(change.oid, at: commit.tid.predecessor), path, workspace)
            let after = try DifferencePrinter.Side(.object(change.oid, at: commit.tid), path, workspace)
            if before.subject == nil, before.problem == nil, known.contains(change.oid) {
                before.problem = .unsupported("its older state is not kept")
            }
            let document = printer.document(before, after).document
            texts.append(document.text)
            values.append(document.json)
        }
        if changes.count > Self.mostDifferences {
            texts.append("… and \(changes.count - Self.mostDifferences) more objects")
        }
        let shown = Self.columns.indices.filter { Self.columns[$0].name != "changes" }
        let row = row
        var members = shown.map { (Self.columns[$0].name, JSONCells.value(row[$0])) }
        members.append(("differences", JSONText.array(values)))
        return Report.Document(
            text: ([heading] + texts.filter { !$0.isEmpty }).joined(separator: "\n") + "\n",
            json: JSONText.object(members))
    }

    private var heading: String {
        let parts =
            [TimeText.machine(commit.tid), commit.tid.hex]
            + [commit.summary?.user, commit.summary?.description].compactMap { $0 }
            .map { CellText.machine.text(TransactionText.cell($0)) } + [remark].compactMap { $0 }
        return "=== " + parts.filter { !$0.isEmpty }.joined(separator: "  ")
    }
}
