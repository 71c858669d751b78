internal import Pickle
public import ZODB

/// Goes where paths lead.
public struct PathResolver {
    /// Reads what stands behind `@`; throws `PathError.when` for what is no time.
    public typealias When = (String) throws(PathError) -> TransactionID

    public let workspace: Workspace
    /// Where relative paths begin; the application when nil.
    public var current: Place?
    /// What `-` means.
    public var previous: Place?
    private let when: When

    public init(
        _ workspace: Workspace, current: Place? = nil, previous: Place? = nil,
        when: @escaping When = { (text) throws(PathError) in
            throw PathError.when(text, reason: "times cannot be read here")
        }
    ) {
        self.workspace = workspace
        self.current = current
        self.previous = previous
        self.when = when
    }

    // MARK: One place

    public func resolve(_ text: String) throws(PathError) -> Place { try resolve(try Self.parse(text)) }

    /// The one place that the path names. It is not read yet: what it refers to may be missing.
    public func resolve(_ path: ObjectPath) throws(PathError) -> Place {
        guard !path.hasPatterns else { throw .ambiguous(path) }
        let place: Place
        do throws(PathError) {
            place = try walk(path, from: try start(path))
        } catch {
            guard let retry = try applicationPath(path, after: error) else { throw error }
            return try resolve(retry)
        }
        guard case .revisionsBack(let count)? = path.when else { return place }
        return try self.place(place, revisionsBack: count)
    }

    static func parse(_ text: String) throws(PathError) -> ObjectPath {
        do throws(PathSyntaxError) {
            return try ObjectPath(parsing: text)
        } catch {
            throw .syntax(error)
        }
    }

    /// Every tutorial says `app.Plone`: where nothing here is called `app`, `app/Plone` means `/Plone`.
    private func applicationPath(_ path: ObjectPath, after error: PathError) throws(PathError) -> ObjectPath? {
        guard path.origin == .current, path.steps.first == .child(.name("app")),
            case .notFound(.name("app"), let place) = error, place.node.oid == (try start(path)).node.oid
        else { return nil }
        return ObjectPath(origin: .application, steps: Array(path.steps.dropFirst()), when: path.when)
    }

    /// Where the path begins, in the snapshot that it names.
    func start(_ path: ObjectPath) throws(PathError) -> Place {
        var tid: TransactionID?
        if case .text(let text)? = path.when { tid = try when(text) }
        switch path.origin {
        case .application: return try application(at: tid)
        case .root: return Place(origin: .root, node: .object(.root, at: tid ?? workspace.at))
        case .object(let oid): return .object(oid, at: tid ?? workspace.at)
        case .current: return try again(current, at: tid)
        case .previous:
            guard let previous else { throw .noPrevious }
            return try again(previous, at: tid)
        }
    }

    /// The same way in another snapshot.
    private func again(_ place: Place?, at tid: TransactionID?) throws(PathError) -> Place {
        guard let place else { return try application(at: tid) }
        guard let tid, tid != place.at else { return place }
        let path = place.path
        let start: Place
        switch path.origin {
        case .root: start = Place(origin: .root, node: .object(.root, at: tid))
        case .object(let oid): start = .object(oid, at: tid)
        default: start = try application(at: tid)
        }
        return try walk(path, from: start)
    }

    /// `/`: the root's item `Application` when it has one, else the root.
    public func application(at tid: TransactionID? = nil) throws(PathError) -> Place {
        let root = Place(origin: .root, node: .object(.root, at: tid ?? workspace.at))
        guard let node = try child(.name("Application"), of: root), node.isObject,
            node.component == .name("Application")
        else { return Place(origin: .application, node: root.node) }
        return Place(origin: .application, node: node)
    }

    private func walk(_ path: ObjectPath, from start: Place) throws(PathError) -> Place {
        var place = start
        for step in path.steps {
            switch step {
            case .child(let component): place = try self.step(component, from: place)
            case .parent: place = try parent(of: place)
            case .pattern, .anyDepth: throw .ambiguous(path)
            }
        }
        return place
    }

    // MARK: Steps

    public func step(_ component: Component, from place: Place) throws(PathError) -> Place {
        if let node = try child(component, of: place) { return place.child(node) }
        throw .notFound(component, in: place)
    }

    private func child(_ component: Component, of place: Place) throws(PathError) -> Node? {
        if let reference = place.node.reference { throw .notFollowed(reference, at: place) }
        do throws(StorageError) {
            return try workspace.child(component, of: place.node)
        } catch {
            throw error.isAboutOneObject ? .unreadable(place, error) : .storage(error)
        }
    }

    /// What is above: the stored parent (`__parent__`, `aq_parent`) when there is one, else how we came.
    public func parent(of place: Place) throws(PathError) -> Place {
        if place.node.isObject, let stored = try storedParent(of: place) {
            // Up the way we came, when the parent is on it: that keeps the path readable.
            var ancestor = place.parent
            while let candidate = ancestor {
                if candidate.node.target == .object(stored) { return candidate }
                ancestor = candidate.parent
            }
            return .object(stored, at: place.at)
        }
        if let parent = place.parent { return parent }
        switch place.origin {
        case .application:
            // Above the application is the root mapping; above that, as in a file system, itself.
            return place.node.oid == .root ? place : Place(origin: .root, node: .object(.root, at: place.at))
        case .root: return place
        default:
            if place.node.oid == .root { return place }
            throw .noParent(place)
        }
    }

    private func storedParent(of place: Place) throws(PathError) -> ObjectID? {
        do throws(StorageError) {
            let subject = try workspace.subject(of: place.node)
            for name in ["__parent__", "aq_parent"] {
                guard let slot = subject.attribute(name), let reference = subject.document.strongReference(slot) else {
                    continue
                }
                return reference.oid
            }
            return nil
        } catch {
            // From a lost object one may still leave by the way one came.
            if error.isAboutOneObject { return nil }
            throw .storage(error)
        }
    }

    // MARK: Back in time

    /// The place as it was so many revisions of its object ago: the steps inside its record are taken again.
    private func place(_ place: Place, revisionsBack count: Int) throws(PathError) -> Place {
        var steps: [Component] = []
        var base = place
        while !base.node.isObject, let parent = base.parent, let component = base.node.component {
            steps.append(component)
            base = parent
        }
        let tid = try revision(of: base.node.oid, at: base.at, back: count)
        var result = base.moved(to: tid)
        for component in steps.reversed() { result = try step(component, from: result) }
        return result
    }

    private func revision(
        of oid: ObjectID, at tid: TransactionID, back count: Int
    ) throws(PathError) -> TransactionID {
        guard let storage = workspace.storage as? any HistoryStorage else {
            throw .storage(.unsupported("this storage keeps no history"))
        }
        do throws(StorageError) {
            // Revisions later than the snapshot do not count; how many there are is not known beforehand.
            var limit = count + 1
            while true {
                let entries = try storage.history(of: oid, limit: limit)
                let seen = entries.filter { $0.transaction.tid <= tid }
                if seen.count > count { return seen[count].transaction.tid }
                guard entries.count == limit, limit < 1 << 20 else {
                    throw StorageError.noRevision(oid, at: entries.last?.transaction.tid.predecessor ?? .none)
                }
                limit *= 2
            }
        } catch {
            throw .storage(error)
        }
    }
}

extension Place {
    /// The same object as of another transaction, reached the same way.
    func moved(to tid: TransactionID) -> Place {
        guard let parent else { return Place(origin: origin, node: node.moved(to: tid)) }
        return parent.child(node.moved(to: tid))
    }
}
