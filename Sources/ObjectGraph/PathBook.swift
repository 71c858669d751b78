internal import Pickle
public import ZODB

/// Paths of objects that are known by their oid alone, kept while the database changes: what a change is called by whoever
/// watches.
///
/// It reads what is near the application once (`learn`), and from then on only what changed: a new object is found in the
/// container that changed with it. Parts of a BTree are called by the tree. What lies too far away has no path here.
///
/// One thread's, as its workspace is.
public final class PathBook {
    private struct Entry {
        var place: Place
        /// A part of the tree that has this place.
        var isPart: Bool
    }

    private let workspace: Workspace
    /// The most objects that are kept.
    private let limit: Int
    private var entries: [ObjectID: Entry] = [:]
    /// Known, and not yet looked into.
    private var queue: [ObjectID] = []
    private var queueIndex = 0
    private var hasBegun = false

    /// The most children of one container that are looked at.
    private static let mostChildren = 500
    /// The most objects of one transaction that are looked into, and looked for.
    private static let mostVisits = 64
    private static let batch = 64

    /// - Parameter limit: the most objects whose paths are kept.
    public init(_ workspace: Workspace, limit: Int = 50_000) {
        self.workspace = workspace
        self.limit = limit
    }

    /// The path of an object, as it was when it was last seen; nil for one that is not known.
    public subscript(oid: ObjectID) -> Place? { entries[oid]?.place }

    /// Whether all that can be reached, as far as the limits allow, has been read.
    public var isComplete: Bool { hasBegun && queueIndex == queue.count }

    // MARK: Learning

    /// Goes on reading what is near the application, nearest first.
    /// - Parameter loads: the most objects to read now.
    public func learn(loads: Int) throws(StorageError) {
        if !hasBegun {
            hasBegun = true
            try begin()
        }
        var left = loads
        while left > 0, queueIndex < queue.count {
            let end = min(queueIndex + min(Self.batch, left), queue.count)
            let oids = Array(queue[queueIndex..<end])
            workspace.prefetch(oids)
            for oid in oids { try look(into: oid, at: workspace.at) }
            left -= oids.count
            queueIndex = end
        }
        if queueIndex == queue.count { (queue, queueIndex) = ([], 0) }
    }

    private func begin() throws(StorageError) {
        let start: Place
        do throws(PathError) {
            start = try PathResolver(workspace).application()
        } catch {
            if case .storage(let error) = error { throw error }
            return
        }
        note(start)
        note(Place(origin: .root, node: .object(.root, at: workspace.at)))
    }

    private func note(_ place: Place) { note(place.node.oid, Entry(place: place, isPart: false)) }

    private func note(_ oid: ObjectID, _ entry: Entry) {
        guard entries[oid] == nil, entries.count < limit else { return }
        entries[oid] = entry
        queue.append(oid)
    }

    // MARK: Changes

    /// Takes note of a transaction, and tells the paths of what it changed, as far as they are found.
    ///
    /// The workspace shows the transaction's state afterwards.
    /// - Parameter oids: what it wrote, new objects included.
    public func paths(of oids: [ObjectID], changedIn tid: TransactionID) throws(StorageError) -> [ObjectID: Place] {
        if !hasBegun { try learn(loads: 0) }
        try workspace.move(to: tid)
        let changed = Set(oids)
        workspace.prefetch(Array(oids.prefix(Self.mostVisits * 4)))
        var visited: Set<ObjectID> = []
        var isNew = true
        while isNew, visited.count < Self.mostVisits {
            isNew = false
            for oid in oids where entries[oid] != nil && !visited.contains(oid) && visited.count < Self.mostVisits {
                visited.insert(oid)
                try look(into: oid, at: tid, changed: changed)
                isNew = true
            }
            let lost = oids.filter { entries[$0] == nil }.prefix(Self.mostVisits)
            if !lost.isEmpty, try findByName(Array(lost), changed: changed, at: tid) { isNew = true }
        }
        var places: [ObjectID: Place] = [:]
        for oid in oids { places[oid] = entries[oid]?.place }
        return places
    }

    /// Objects that know their own name, in the containers that changed: large ones are not gone through.
    private func findByName(
        _ oids: [ObjectID], changed: Set<ObjectID>, at tid: TransactionID
    ) throws(StorageError) -> Bool {
        var containers: [Place] = []
        var seen: Set<ObjectID> = []
        for oid in changed {
            var place = entries[oid]?.place
            // The tree of a folder changes, and not the folder; what is in it is the folder's.
            for _ in 0..<3 {
                guard let current = place, seen.insert(current.node.oid).inserted, containers.count < 32 else { break }
                containers.append(current)
                place = current.parent
            }
        }
        // A folder comes before the tree that it keeps its children in.
        containers.sort { $0.depth < $1.depth }
        var found = false
        for oid in oids {
            guard let name = try name(of: oid, at: tid) else { continue }
            for container in containers where entries[oid] == nil {
                let child = try Self.forgiving { () throws(StorageError) -> Node? in
                    let subject = try workspace.subject(of: .object(container.node.oid, at: tid))
                    return try workspace.child(.name(name), of: subject)
                }
                guard let child, child.isObject, child.oid == oid else { continue }
                note(container.child(child))
                found = true
            }
        }
        return found
    }

    private func name(of oid: ObjectID, at tid: TransactionID) throws(StorageError) -> String? {
        let subject = try Self.forgiving { () throws(StorageError) in
            try workspace.subject(of: .object(oid, at: tid))
        }
        return subject.flatMap { $0.text(of: "id") ?? $0.text(of: "__name__") ?? $0.text(of: "name") }
    }

    /// Takes note of the children of an object that is known.
    /// - Parameter changed: what else changed: what has left such a container may be found in this one.
    private func look(
        into oid: ObjectID, at tid: TransactionID, changed: Set<ObjectID> = []
    ) throws(StorageError) {
        guard let entry = entries[oid] else { return }
        do throws(StorageError) {
            let subject = try workspace.subject(of: .object(oid, at: tid))
            if !entry.isPart { try noteChildren(of: subject, at: entry.place, changed) }
            if let name = subject.className, BTreeState.Kind(name) != nil { try noteParts(of: oid, entry, at: tid) }
        } catch {
            guard error.isAboutOneObject else { throw error }
        }
    }

    private func noteChildren(
        of subject: Subject, at place: Place, _ changed: Set<ObjectID>
    ) throws(StorageError) {
        let children = try workspace.children(of: subject)
        var count = 0
        var listed: Set<ObjectID> = []
        while count < Self.mostChildren, let node = try children.next() {
            count += 1
            guard node.isObject, node.problem == nil, !node.isUpward, listed.insert(node.oid).inserted else { continue }
            let child = place.child(node)
            if let known = entries[node.oid], known.isPart || hasMoved(known.place, to: child, changed) {
                forget(below: node.oid)
                entries[node.oid] = nil
            }
            note(child)
        }
    }

    /// The buckets and nodes of a tree, which have no names of their own.
    private func noteParts(of oid: ObjectID, _ entry: Entry, at tid: TransactionID) throws(StorageError) {
        for reference in try workspace.references(from: .object(oid, at: tid)) {
            guard let part = reference.target, let name = reference.reference.className, BTreeState.Kind(name) != nil
            else { continue }
            note(part, Entry(place: entry.place, isPart: true))
        }
    }

    /// Whether an object was renamed in its container, or left one that changed.
    private func hasMoved(_ old: Place, to new: Place, _ changed: Set<ObjectID>) -> Bool {
        guard !changed.isEmpty, let before = old.parent?.node.oid, old.description != new.description else {
            return false
        }
        return changed.contains(before)
    }

    /// What lies below an object that has moved will be found again where it is now.
    private func forget(below oid: ObjectID) {
        entries = entries.filter { _, entry in
            var place = entry.place.parent
            while let current = place {
                if current.node.oid == oid { return false }
                place = current.parent
            }
            return true
        }
    }

    /// nil in place of what is wrong with one object.
    private static func forgiving<Value>(_ body: () throws(StorageError) -> Value?) throws(StorageError) -> Value? {
        do throws(StorageError) {
            return try body()
        } catch {
            guard error.isAboutOneObject else { throw error }
            return nil
        }
    }
}

extension Node {
    /// It leads back to a container, by the names that are in use for that.
    var isUpward: Bool {
        switch component {
        case .attribute("__parent__"), .attribute("aq_parent"), .attribute("__primary_parent__"): true
        default: false
        }
    }
}
