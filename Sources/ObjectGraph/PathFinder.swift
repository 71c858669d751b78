public import ZODB

/// Finds paths of objects that are known by their oid alone, as far as that is cheap: what is near the application
/// first, and not too much of it.
public struct PathFinder {
    private let workspace: Workspace
    /// The most objects that are read.
    private let loadLimit: Int
    /// The most children of one container that are looked at.
    private let childLimit: Int

    private static let batch = 64

    public init(_ workspace: Workspace, loadLimit: Int = 1000, childLimit: Int = 500) {
        (self.workspace, self.loadLimit, self.childLimit) = (workspace, loadLimit, childLimit)
    }

    /// Those of `oids` that were found, as of `tid` (by default the workspace's own transaction).
    public func places(of oids: Set<ObjectID>, at tid: TransactionID? = nil) throws(StorageError) -> [ObjectID: Place] {
        try search(oids, at: tid)
    }

    /// Every object that is near enough.
    public func allPlaces(at tid: TransactionID? = nil) throws(StorageError) -> [ObjectID: Place] {
        try search(nil, at: tid)
    }

    private func search(_ oids: Set<ObjectID>?, at tid: TransactionID?) throws(StorageError) -> [ObjectID: Place] {
        guard let start = try start(at: tid) else { return [:] }
        let root = Place(origin: .root, node: .object(.root, at: start.at))
        var found = [start.node.oid: start]
        if found[root.node.oid] == nil { found[root.node.oid] = root }
        var queue = start.node.oid == .root ? [start] : [start, root]
        var missing = oids.map { $0.count { found[$0] == nil } } ?? .max
        var index = 0
        while index < min(queue.count, loadLimit), missing > 0 {
            let end = min(index + Self.batch, queue.count, loadLimit)
            workspace.prefetch(queue[index..<end].map(\.node))
            for place in queue[index..<end] {
                for child in try children(of: place) where found[child.node.oid] == nil {
                    found[child.node.oid] = child
                    queue.append(child)
                    if oids?.contains(child.node.oid) ?? false { missing -= 1 }
                }
            }
            index = end
        }
        return oids.map { oids in found.filter { oids.contains($0.key) } } ?? found
    }

    private func start(at tid: TransactionID?) throws(StorageError) -> Place? {
        do throws(PathError) {
            return try PathResolver(workspace).application(at: tid)
        } catch {
            if case .storage(let error) = error { throw error }
            return nil
        }
    }

    /// The objects that a container contains, and those its own attributes lead to.
    private func children(of place: Place) throws(StorageError) -> [Place] {
        do throws(StorageError) {
            let subject = try workspace.subject(of: place.node)
            let items = try workspace.children(of: subject)
            var places: [Place] = []
            var count = 0
            while count < childLimit, let node = try items.next() {
                count += 1
                guard node.isObject, node.problem == nil, !node.isUpward else { continue }
                places.append(place.child(node))
            }
            return places
        } catch {
            guard error.isAboutOneObject else { throw error }
            return []
        }
    }
}
