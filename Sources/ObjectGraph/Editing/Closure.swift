internal import Pickle
internal import ZODB

/// What a copy, or an export, does with references that lead out of what is taken.
public enum OutsideReferences: Hashable, Sendable {
    /// They lead where they led: within one database.
    case keep
    /// Any is an error that lists them.
    case refuse
    /// There are none: all that can be reached is taken, whoever contains it.
    case take
    /// `None` takes their place.
    case blank
}

/// An object with its sub-objects, as a copy takes them.
///
/// A sub-object is what strong references lead to, without those by names for the container (`__parent__`, `aq_parent`,
/// `__primary_parent__`), and without what belongs to others: containers of the object and what they refer to directly
/// or list under its own id, and objects whose stored chain of parents leads elsewhere. Those stay outside, and
/// references to them lead there still.
struct Closure {
    struct Member {
        var record: ObjectRecord
        /// Of a blob.
        var contents: StagedObject.BlobContents?
    }

    /// A reference that leads out.
    struct Outside {
        var from: ObjectID
        var reference: PersistentReference
        var isUpward: Bool
    }

    /// The object first, then breadth first: each is referred to by one before it.
    private(set) var members: [Member] = []
    private(set) var oids: Set<ObjectID> = []
    private(set) var outside: [Outside] = []

    private let workspace: Workspace
    private let at: TransactionID
    /// Containers, from the innermost, and what is theirs.
    private var containers: [ObjectID] = []
    private var claimed: Set<ObjectID> = []
    private var parents: [ObjectID: ObjectID?] = [:]

    static let batch = 64

    init(
        of place: Place, in workspace: Workspace, takingAll: Bool, limit: Int, progress: (Int) -> Void
    ) throws(EditError) {
        self.workspace = workspace
        at = place.at
        let start = place.node.oid
        let path = place.description
        try EditError.wrap(path) { () throws(StorageError) in
            if !takingAll { try claim(place) }
            // A container that refers to itself by way of what is taken is outside all the same.
            claimed.remove(start)
        }
        var queue: [ObjectID] = [start]
        oids = [start]
        var index = 0
        while index < queue.count {
            let end = min(index + Self.batch, queue.count)
            workspace.prefetch(Array(queue[index..<end]), at: at)
            for oid in queue[index..<end] {
                guard members.count < limit else {
                    throw EditError(
                        .unsupported, at: path, expected: "at most \(limit) objects", found: "more",
                        advice: "raise the limit if so many are meant")
                }
                let record = try EditError.wrap("#\(oid), below \(path)") { () throws(StorageError) in
                    try workspace.object(oid, at: at)
                }
                members.append(Member(record: record, contents: contents(of: record)))
                if members.count.isMultiple(of: 256) { progress(members.count) }
                for site in record.referenceSites() {
                    guard site.reference.kind == .strong, !site.isUpward else { continue }
                    let target = site.reference.oid
                    guard !oids.contains(target) else { continue }
                    let isOutside = try EditError.wrap(path) { () throws(StorageError) in
                        takingAll ? false : try belongsToOthers(target)
                    }
                    if !isOutside {
                        oids.insert(target)
                        queue.append(target)
                    }
                }
            }
            index = end
        }
        noteOutside()
    }

    /// Objects that come from elsewhere, as they are.
    init(_ members: [Member], in workspace: Workspace) {
        self.workspace = workspace
        at = .none
        self.members = members
        oids = Set(members.map(\.record.oid))
        noteOutside()
    }

    /// References that lead out, weak ones too; known only when all members are.
    private mutating func noteOutside() {
        for member in members {
            for site in member.record.referenceSites()
            where site.reference.kind != .crossDatabase && !oids.contains(site.reference.oid)
                && site.reference.database == nil
            {
                outside.append(
                    Outside(from: member.record.oid, reference: site.reference, isUpward: site.isUpward))
            }
        }
    }

    // MARK: What belongs to others

    private mutating func claim(_ place: Place) throws(StorageError) {
        var above = place.way.reversed().dropFirst().filter(\.node.isObject).map(\.node.oid)
        var parent = try storedParent(of: place.node.oid)
        while let oid = parent, !above.contains(oid), above.count < Place.depthLimit {
            above.append(oid)
            parent = try storedParent(of: oid)
        }
        if !above.contains(.root) { above.append(.root) }
        for oid in above where oid != place.node.oid {
            containers.append(oid)
            claimed.insert(oid)
            guard let record = try? workspace.object(oid, at: at) else { continue }
            for reference in record.document.references where reference.kind == .strong {
                claimed.insert(reference.oid)
            }
        }
    }

    private mutating func belongsToOthers(_ oid: ObjectID) throws(StorageError) -> Bool {
        if claimed.contains(oid) { return true }
        // Up the stored parents: to a member, it is inside; to a container of the whole, outside.
        var seen: Set<ObjectID> = [oid]
        var parent = try storedParent(of: oid)
        while let above = parent {
            if oids.contains(above) { return false }
            if claimed.contains(above) { return true }
            guard seen.insert(above).inserted, seen.count < Place.depthLimit else { break }
            parent = try storedParent(of: above)
        }
        return try isListed(oid)
    }

    /// Whether a container above lists the object under the id that it says it has.
    private func isListed(_ oid: ObjectID) throws(StorageError) -> Bool {
        guard let record = try? workspace.object(oid, at: at) else { return false }
        let subject = Subject(.object(oid, at: at), record: record)
        guard let id = subject.text(of: "id") ?? subject.text(of: "__name__") else { return false }
        for container in containers {
            let node = Node.object(container, at: at)
            if let child = try? workspace.child(.name(id), of: node), child.target == .object(oid) { return true }
        }
        return false
    }

    private mutating func storedParent(of oid: ObjectID) throws(StorageError) -> ObjectID? {
        if let known = parents[oid] { return known }
        var parent: ObjectID?
        if let record = try? workspace.object(oid, at: at) {
            let subject = Subject(.object(oid, at: at), record: record)
            for name in ["__parent__", "aq_parent"] where parent == nil {
                parent = subject.attribute(name).flatMap { record.document.strongReference($0)?.oid }
            }
        }
        parents[oid] = .some(parent)
        return parent
    }

    // MARK: Blobs

    private func contents(of record: ObjectRecord) -> StagedObject.BlobContents? {
        guard record.className == Workspace.blobClass else { return nil }
        let staged = at.isStaged ? workspace.stagedObject(record.oid) : nil
        if let contents = staged?.contents { return contents }
        let (storage, oid, serial) = (workspace.storage, record.oid, staged?.baseSerial ?? record.serial)
        return { () throws(StorageError) in
            guard let storage = storage as? any BlobStorage else {
                throw .unsupported("\(storage.name): has no blobs")
            }
            return try storage.blob(oid, serial: serial)
        }
    }
}
