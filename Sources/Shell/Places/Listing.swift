internal import ByteCoding
internal import ObjectGraph
internal import Pickle
internal import ZODB

extension StorageError {
    /// Nothing is known of the object: it is not in the cache, and the server is away.
    var isUnknown: Bool {
        if case .connection(.away) = self { true } else { false }
    }
}

/// Places as rows of a listing: by name or by path, short or with the facts of each.
struct Listing {
    /// Tell places by their paths: they are not all children of one.
    var isByPath: Bool
    /// With facts: every object is loaded.
    var isLong: Bool
    var workspace: Workspace

    // MARK: Columns

    var columns: [Report.Column] {
        let names = [
            Report.Column("name", visibility: isByPath ? .detail : .always, tone: .name),
            Report.Column("path", visibility: isByPath ? .always : .detail, tone: .path),
        ]
        guard isLong else {
            return names + [
                Report.Column("oid", visibility: .detail), Report.Column("kind", visibility: .detail),
                Report.Column("class", visibility: .detail),
            ]
        }
        return names + [
            Report.Column("kind"), Report.Column("size"), Report.Column("time"), Report.Column("oid"),
            Report.Column("title", isFlexible: true), Report.Column("note", isFlexible: true),
            Report.Column("class", visibility: .detail), Report.Column("record_size", visibility: .detail),
            Report.Column("items", visibility: .detail), Report.Column("content_type", visibility: .detail),
            Report.Column("serial", visibility: .detail),
        ]
    }

    /// What people see of a short listing.
    var compactColumn: String? { isLong ? nil : isByPath ? "path" : "name" }

    // MARK: Rows

    /// A row for each place; the records of a stretch of places are loaded together.
    func rows(_ places: any Cursor<Place>) -> any Cursor<[Cell]> {
        let places = isLong ? ReadAhead(places, workspace) : places
        return ClosureCursor { () throws(StorageError) in
            guard let place = try places.next() else { return nil }
            return isLong ? longRow(place, try workspace.facts(of: place.node)) : shortRow(place)
        }
    }

    private func names(_ place: Place, isBroken: Bool) -> [Cell] {
        let (name, path) = (place.node.label, place.description)
        return isBroken ? [.alert(name), .alert(path)] : [.text(name), .text(path)]
    }

    private func shortRow(_ place: Place) -> [Cell] {
        let node = place.node
        return names(place, isBroken: node.problem != nil) + [
            node.isObject ? .oid(node.oid) : .none, (node.metaType ?? node.className?.name).map { .text($0) } ?? .none,
            node.className.map { .text($0.description) } ?? .none,
        ]
    }

    func longRow(_ place: Place, _ facts: Facts) -> [Cell] {
        let node = place.node
        return names(place, isBroken: facts.problem != nil) + [
            facts.problem == nil ? .text(facts.kind) : .alert(Self.word(facts.problem)),
            (facts.contentSize ?? facts.size).map { .size($0) } ?? .none, facts.serial.map { .time($0) } ?? .none,
            node.isObject ? .oid(node.oid) : .none, title(node, facts).map { .text($0) } ?? .none,
            Self.note(node, facts), facts.className.map { .text($0.description) } ?? .none,
            facts.size.map { .size($0) } ?? .none, facts.count.map { .integer($0) } ?? .none,
            facts.contentType.map { .text($0) } ?? .none, facts.serial.map { .tid($0) } ?? .none,
        ]
    }

    /// An object's title; of a value inside a record, the value itself.
    private func title(_ node: Node, _ facts: Facts) -> String? {
        if node.isObject { return facts.title }
        guard facts.problem == nil, facts.reference == nil, let subject = try? workspace.subject(of: node) else {
            return nil
        }
        var options = PickleText.Options()
        (options.stringLimit, options.depthLimit, options.valueLimit, options.width) = (60, 3, 12, nil)
        options.isPython2 = (try? workspace.generation()) == .python2
        return subject.document.text(subject.slot, options)
    }

    private static func word(_ problem: StorageError?) -> String {
        switch problem {
        case .noSuchObject?, .noRevision?: "missing"
        case let problem? where problem.isUnknown: "?"
        default: "damaged"
        }
    }

    private static func note(_ node: Node, _ facts: Facts) -> Cell {
        if let reference = facts.reference { return .text("to " + reference.text) }
        guard let problem = facts.problem else { return .none }
        let referrer = node.referrer.map { "; \($0.path) refers to it" } ?? ""
        switch problem {
        case .noSuchObject: return .alert("no such object" + referrer)
        case .noRevision: return .alert("did not exist then" + referrer)
        case .corrupt(_, let format): return .alert(format.description)
        case let problem where problem.isUnknown: return .alert("not in the cache")
        default: return .alert(problem.description)
        }
    }
}
