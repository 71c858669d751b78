internal import Pickle
public import ZODB

/// How objects are copied.
public struct CopyOptions {
    /// nil for the rule of the case: within a database they are kept; between two any is an error.
    public var outside: OutsideReferences?
    /// The most objects to copy.
    public var limit = 100_000
    /// What a folder lists the copy as; nil to take what the original, or others of its class, are listed as.
    public var metaType: String?
    /// Called now and then with the number of objects read.
    public var progress: (Int) -> Void = { _ in }

    public init() {}
}

/// What a copy made.
public struct CopyResult: Hashable, Sendable {
    public var oid: ObjectID
    public var objectCount: Int
    /// References that became `None`.
    public var blankedCount: Int
}

extension Workspace {
    /// Copies an object with its sub-objects (see `Closure` for what those are) into a container, under a name that is
    /// free. The copies get new oids; references among them lead to the copies.
    ///
    /// A value inside a record is copied as it is; what it refers to stays the same object.
    /// - Parameters:
    ///   - source: in this workspace, as of any time, or in another one.
    ///   - other: the workspace of `source`; nil for this one.
    @discardableResult
    public func copy(
        _ source: Place, from other: Workspace? = nil, to container: Place, as name: String,
        _ options: CopyOptions = CopyOptions()
    ) throws(EditError) -> CopyResult {
        try atomically { () throws(EditError) in
            let origin = other ?? self
            guard source.node.isObject else {
                return try copyValue(source, from: origin, to: container, as: name, options)
            }
            let isForeign = origin.storage !== storage
            let outside = options.outside ?? (isForeign ? .refuse : .keep)
            guard !isForeign || outside != .keep else {
                throw EditError(
                    .unsupported, at: source.description, expected: "references that mean something here",
                    found: "references into the other database")
            }
            try requireSameGeneration(as: origin, at: source)
            let closure = try Closure(
                of: source, in: origin, takingAll: outside == .take, limit: options.limit, progress: options.progress)
            var transplant = Transplant(self, closure, outside)
            if let parent = source.parent?.node.oid { transplant.container = (parent, container.node.oid) }
            let oid = try transplant.stage(at: source.description)
            try PlaceEditor(self, container).add(
                try reference(to: oid, for: try editedSubject(of: container).record, at: container.description),
                as: name, metaType: options.metaType ?? origin.metaType(of: source))
            try adopt(oid, as: name, of: container, was: source.node.component?.childName, source.parent?.node.oid)
            return CopyResult(
                oid: oid, objectCount: closure.members.count, blankedCount: transplant.blankedCount)
        }
    }

    private func copyValue(
        _ source: Place, from origin: Workspace, to container: Place, as name: String, _ options: CopyOptions
    ) throws(EditError) -> CopyResult {
        let subject = try EditError.wrap(source.description) { () throws(StorageError) in
            try origin.subject(of: source.node)
        }
        let value = try copiedValue(subject.slot, of: subject.record, at: source.description)
        if origin.storage !== storage {
            try requireSameGeneration(as: origin, at: source)
            guard !value.hasReferences else {
                throw EditError(
                    .unsupported, at: source.description, expected: "a value without references",
                    found: "one that refers to objects of the other database",
                    advice: "copy the object that it stands in")
            }
        }
        try PlaceEditor(self, container).add(value, as: name, metaType: options.metaType)
        return CopyResult(oid: container.node.oid, objectCount: 0, blankedCount: 0)
    }

    func requireSameGeneration(as other: Workspace, at source: Place) throws(EditError) {
        guard other !== self else { return }
        let (mine, theirs) = try EditError.wrap(source.description) { () throws(StorageError) in
            (try generation(), try other.generation())
        }
        guard mine != theirs else { return }
        throw EditError(
            .unsupported, at: source.description, expected: "a database of Python \(mine.rawValue), like this one",
            found: "one of Python \(theirs.rawValue)")
    }

    /// What a place's container lists it as.
    private func metaType(of place: Place) -> String? {
        if let metaType = place.node.metaType { return metaType }
        guard let parent = place.parent, let component = place.node.component, parent.at.isStaged || parent.at == basis,
            let editor = try? PlaceEditor(self, parent)
        else { return nil }
        return (try? editor.child(component))?.metaType
    }
}

/// Objects on their way into a workspace: with new oids, and references that lead to these.
struct Transplant {
    private let workspace: Workspace
    private let closure: Closure
    private let outside: OutsideReferences
    /// The container of the object before, and the one after: what it calls its parent.
    var container: (old: ObjectID, new: ObjectID)?
    private(set) var blankedCount = 0

    init(_ workspace: Workspace, _ closure: Closure, _ outside: OutsideReferences) {
        (self.workspace, self.closure, self.outside) = (workspace, closure, outside)
    }

    /// - Returns: the oid of the object's copy.
    mutating func stage(at path: String) throws(EditError) -> ObjectID {
        if outside == .refuse { try refuseOutside(path) }
        var oids: [ObjectID: ObjectID] = [:]
        for member in closure.members {
            oids[member.record.oid] = try EditError.wrap(path) { () throws(StorageError) in
                try workspace.newObjectID()
            }
        }
        for member in closure.members {
            let style = try workspace.style(of: member.record, at: path)
            var blanked = 0
            let data: [UInt8]
            do throws(PickleEditError) {
                data = try member.record.rewritingReferences(style: style) { site in
                    let fate = self.fate(site, of: member.record, oids)
                    if fate == .blank { blanked += 1 }
                    return fate
                }
            } catch {
                throw EditError(
                    .unsupported, at: "#\(member.record.oid), below \(path)",
                    expected: "references that can be changed",
                    found: "\(error)")
            }
            blankedCount += blanked
            guard let oid = oids[member.record.oid] else { continue }
            try EditError.wrap(path) { () throws(StorageError) in
                try workspace.stageNew(data, for: oid, contents: member.contents)
            }
        }
        guard let oid = closure.members.first.flatMap({ oids[$0.record.oid] }) else {
            throw EditError(.notFound, at: path, expected: "an object", found: "none")
        }
        return oid
    }

    private func fate(_ site: ReferenceSite, of record: ObjectRecord, _ oids: [ObjectID: ObjectID]) -> ReferenceFate {
        guard site.reference.kind != .crossDatabase, site.reference.database == nil else { return .keep }
        if let oid = oids[site.reference.oid] { return .lead(oid) }
        if let container, site.isUpward, site.reference.oid == container.old,
            record.oid == closure.members.first?.record.oid
        {
            return .lead(container.new)
        }
        return outside == .keep ? .keep : .blank
    }

    /// Upward references and weak ones are no reason to refuse: both may be `None`.
    private func refuseOutside(_ path: String) throws(EditError) {
        let hard = closure.outside.filter { !$0.isUpward && $0.reference.kind == .strong }
        guard !hard.isEmpty else { return }
        let list = hard.prefix(5).map { outside in
            "#\(outside.from) → #\(outside.reference.oid)"
                + (outside.reference.className.map { " (\($0))" } ?? "")
        }
        let rest = hard.count > 5 ? " and \(hard.count - 5) more" : ""
        throw EditError(
            .unsupported, at: path, expected: "no references to objects outside of what is copied",
            found: list.joined(separator: ", ") + rest,
            advice: "take what they lead to as well, or put None in their place")
    }
}

extension PickleValue {
    /// Whether a reference is in it.
    var hasReferences: Bool {
        switch self {
        case .persistentID, .persistentText: true
        case .tuple(let items), .list(let items), .set(let items), .frozenSet(let items):
            items.contains(where: \.hasReferences)
        case .dict(let entries): entries.contains { $0.key.hasReferences || $0.value.hasReferences }
        case .instance(let instance):
            (instance.arguments + instance.items + instance.states).contains(where: \.hasReferences)
                || instance.entries.contains { $0.key.hasReferences || $0.value.hasReferences }
                || instance.callable.hasReferences
        default: false
        }
    }
}
