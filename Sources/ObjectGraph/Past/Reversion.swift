internal import Pickle
public import ZODB

/// Objects as they were at another time, to be staged in place of what they are now.
///
/// An object is taken together with what makes it up: the nodes, buckets and sets of its BTrees, its `Length` counters and
/// blobs. One of them alone would contradict the others.
public struct Reversion {
    /// Something that stands in the way of bringing an object back whole.
    public enum Loss: Error, Hashable, Sendable {
        /// A part of it, or an object it refers to, can no longer be read as of then: packed away.
        case object(ObjectID, referrer: ObjectID?, StorageError)
        /// The file of a blob's old revision is gone.
        case blob(ObjectID, TransactionID, StorageError)
        case storage(StorageError)
    }

    /// What was done.
    public struct Result: Sendable {
        /// Objects that were staged, in the order in which they were met; those that are as they were are not.
        public var staged: [ObjectID] = []
        /// Objects among them that do not exist today.
        public var broughtBack: [ObjectID] = []
        /// How many objects were looked at.
        public var count = 0
        /// The objects that were asked for, and with `isRecursive` those below them: not what makes them up.
        public var places: [Place] = []
    }

    private let workspace: Workspace
    private let progress: (Int) -> Void

    /// - Parameter progress: called now and then with the number of objects looked at.
    public init(_ workspace: Workspace, progress: @escaping (Int) -> Void = { _ in }) {
        (self.workspace, self.progress) = (workspace, progress)
    }

    /// Stages the object of a place in the past as it was then. What throws leaves nothing staged.
    /// - Parameters:
    ///   - isRecursive: also what is below it: what it contains, and the objects its attributes lead to, except those
    ///     that say that their parent is elsewhere.
    ///   - name: told of each object by which way it was found.
    public func stage(
        _ place: Place, isRecursive: Bool = false, name: (ObjectID, Place) -> Void = { _, _ in }
    ) throws(Loss) -> Result {
        let before = workspace.savepoint()
        do throws(Loss) {
            return try run(place, isRecursive, name)
        } catch {
            workspace.roll(back: before)
            throw error
        }
    }

    private func run(
        _ place: Place, _ isRecursive: Bool, _ name: (ObjectID, Place) -> Void
    ) throws(Loss) -> Result {
        var queue: [(place: Place, referrer: ObjectID?, isPart: Bool)] = []
        if isRecursive {
            for place in try subtree(place) { queue.append((place, nil, false)) }
        } else {
            queue.append((place, nil, false))
        }
        var seen: Set<ObjectID> = []
        var result = Result()
        var index = 0
        while index < queue.count {
            let (place, referrer, isPart) = queue[index]
            index += 1
            let oid = place.node.oid
            guard seen.insert(oid).inserted else { continue }
            let subject: Subject
            do throws(StorageError) {
                subject = try workspace.subject(of: .object(oid, at: place.at))
            } catch {
                if error.isAboutOneObject { throw .object(oid, referrer: referrer, error) }
                throw .storage(error)
            }
            result.count += 1
            if !isPart { result.places.append(place) }
            if result.count.isMultiple(of: 100) { progress(result.count) }
            name(oid, place)
            try stage(subject, &result)
            for part in try parts(of: subject, at: place, isPart: isPart) {
                queue.append((part, oid, true))
            }
            for place in try missing(referredToBy: subject, at: place) { queue.append((place, oid, false)) }
        }
        return result
    }

    // MARK: One object

    private func stage(_ old: Subject, _ result: inout Result) throws(Loss) {
        let oid = old.record.oid
        let contents = try contents(of: old)
        let data = old.document.source
        do throws(StorageError) {
            let now: ObjectRecord
            do throws(StorageError) {
                now = try workspace.editable(oid)
            } catch .noSuchObject, .noRevision {
                try workspace.stageAnew(data, for: oid, after: try deletion(of: oid), contents: contents)
                result.staged.append(oid)
                result.broughtBack.append(oid)
                return
            } catch .corrupt {
                // Its present record is damaged: what it is does not matter, only that it is replaced.
                let serial = try workspace.storage.load(oid, at: workspace.basis).serial
                try workspace.stageAnew(data, for: oid, after: serial, contents: contents)
                result.staged.append(oid)
                return
            }
            if contents != nil ? now.serial == old.record.serial : now.document.source == data { return }
            try workspace.stage(data, for: oid, contents: contents)
            result.staged.append(oid)
        } catch {
            throw .storage(error)
        }
    }

    /// The old bytes of a blob; nil for what is none.
    private func contents(of old: Subject) throws(Loss) -> StagedObject.BlobContents? {
        guard old.className == Workspace.blobClass, let storage = workspace.storage as? any BlobStorage else {
            return nil
        }
        let (oid, serial) = (old.record.oid, old.record.serial)
        do throws(StorageError) {
            _ = try storage.blobSize(oid, serial: serial)
        } catch {
            switch error {
            case .noBlob: throw .blob(oid, serial, error)
            default: throw .storage(error)
            }
        }
        return { () throws(StorageError) in try storage.blob(oid, serial: serial) }
    }

    /// The transaction that deleted an object: a store has to say that it knows of it.
    private func deletion(of oid: ObjectID) throws(StorageError) -> TransactionID {
        guard let storage = workspace.storage as? any HistoryStorage else { return .none }
        do throws(StorageError) {
            return try storage.history(of: oid, limit: 1).first?.transaction.tid ?? .none
        } catch .noSuchObject {
            return .none
        }
    }

    // MARK: What belongs to it

    /// The objects that make up another, as it was: what its attributes hold of BTrees, counters and blobs, and what BTrees
    /// consist of. A mapping's items and a folder's children are objects in their own right.
    private func parts(of subject: Subject, at place: Place, isPart: Bool) throws(Loss) -> [Place] {
        var items: Set<ObjectID> = []
        do throws(StorageError) {
            if BTreeState.Kind(subject.record) == nil {
                let nodes = try workspace.items(of: subject, prefix: "", delegating: false)
                while let node = try nodes.next() {
                    if node.isObject { items.insert(node.oid) }
                }
            } else if let kind = BTreeState.Kind(subject.record),
                case .interior(let interior) = try BTreePart(subject.record, kind)
            {
                return interior.children.map { Place.object($0.oid, at: place.at) }
            }
        } catch {
            if error.isAboutOneObject { throw .object(subject.record.oid, referrer: nil, error) }
            throw .storage(error)
        }
        var parts: [Place] = []
        for reference in RecordReferences(subject, startingAt: place) {
            guard let target = reference.target, let className = reference.reference.className,
                Self.isPart(className), !items.contains(target), !reference.isUpward
            else { continue }
            parts.append(reference.place)
        }
        return parts
    }

    private static func isPart(_ name: GlobalName) -> Bool {
        BTreeState.Kind(name) != nil || name == Workspace.blobClass
            || name == GlobalName(module: "BTrees.Length", name: "Length")
    }

    /// Objects that the old state refers to and the present one does not, and that do not exist any more.
    private func missing(referredToBy old: Subject, at place: Place) throws(Loss) -> [Place] {
        var known: Set<ObjectID> = []
        var found: [Place] = []
        do throws(StorageError) {
            if let base = workspace.stagedObject(old.record.oid)?.base {
                known = Set(base.document.references.map(\.oid))
            }
            for reference in RecordReferences(old, startingAt: place) {
                guard let target = reference.target, known.insert(target).inserted else { continue }
                do throws(StorageError) {
                    _ = try workspace.editable(target)
                } catch .noSuchObject, .noRevision {
                    guard try exists(target, at: place.at) else { throw .noSuchObject(target) }
                    found.append(reference.place)
                } catch .corrupt {
                    continue
                }
            }
        } catch {
            if case .noSuchObject(let oid) = error { throw .object(oid, referrer: old.record.oid, error) }
            throw .storage(error)
        }
        return found
    }

    private func exists(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Bool {
        do throws(StorageError) {
            _ = try workspace.object(oid, at: tid)
            return true
        } catch .noSuchObject, .noRevision {
            return false
        }
    }

    // MARK: What goes

    /// What a container has in the state that the edits are based on and not with the edits: entries whose name is gone, or
    /// leads to another object.
    public func lostEntries(of container: ObjectID) throws(StorageError) -> [Node] {
        guard let view = workspace.stagedView else { return [] }
        let before: Subject
        let after: Subject
        do throws(StorageError) {
            before = try workspace.subject(of: .object(container, at: workspace.basis))
            after = try workspace.subject(of: .object(container, at: view))
        } catch {
            // It was not there, or is damaged: nothing of it can be lost.
            if error.isAboutOneObject { return [] }
            throw error
        }
        var kept: [Component: ObjectID?] = [:]
        let items = try workspace.items(of: after)
        while let node = try items.next() {
            if let component = node.component { kept[component] = .some(node.isObject ? node.oid : nil) }
        }
        var lost: [Node] = []
        let old = try workspace.items(of: before)
        while let node = try old.next() {
            guard let component = node.component else { continue }
            if let other = kept[component], !node.isObject || other == node.oid { continue }
            lost.append(node)
        }
        return lost
    }

    // MARK: What is below it

    private func subtree(_ place: Place) throws(Loss) -> [Place] {
        do throws(StorageError) {
            var options = Walk.Options()
            options.attributes = true
            let walk = Walk(workspace, from: place, options)
            var places: [Place] = []
            var inside: Set<ObjectID> = []
            while let found = try walk.next() {
                guard found.node.isObject, found.node.problem == nil else { continue }
                if found !== place, try hasParent(found, outside: inside) {
                    walk.skipChildren()
                    continue
                }
                inside.insert(found.node.oid)
                places.append(found)
            }
            return places
        } catch {
            throw .storage(error)
        }
    }

    /// Whether an object says that its parent is none of these.
    private func hasParent(_ place: Place, outside inside: Set<ObjectID>) throws(StorageError) -> Bool {
        do throws(StorageError) {
            let subject = try workspace.subject(of: place.node)
            for name in ["__parent__", "aq_parent"] {
                guard let slot = subject.attribute(name), let reference = subject.document.strongReference(slot) else {
                    continue
                }
                return !inside.contains(reference.oid)
            }
            return false
        } catch {
            guard error.isAboutOneObject else { throw error }
            return false
        }
    }
}
