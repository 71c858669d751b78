internal import ObjectGraph
internal import Pickle
internal import ZODB

/// Finds a way from the root to each of some objects, by the references of all objects, breadth first: the shortest way
/// there is, and, where there is none, that there is none.
///
/// Memory: 6 to 8 bytes for each object that is met, and 8 for each that waits to be read. Time: each reachable object is
/// read once, until all have been found.
struct PathSearch {
    private let workspace: Workspace
    private let storage: any Storage
    /// The object from which each was met first: a number below 2^48 for each oid.
    private var origins = FileOrigins()

    /// The most objects that are read.
    private let loadLimit: Int
    /// Not stopped by that limit.
    private var isComplete = true

    private static let batch = 64

    init(_ workspace: Workspace, loadLimit: Int = .max) {
        self.workspace = workspace
        self.loadLimit = loadLimit
        storage = workspace.storage
    }

    /// What was found of one object.
    enum Outcome {
        case path(String)
        case unreachable
    }

    /// Follows references from the root until all of `wanted` have been met; all there are, when it is nil.
    ///
    /// - Parameter progress: told how many objects have been read.
    mutating func run(_ wanted: Set<ObjectID>? = nil, progress: (Int) -> Void) throws(StorageError) {
        var missing = wanted ?? []
        missing.remove(.root)
        if wanted != nil, missing.isEmpty { return }
        var check = RecordCheck()
        var queue: [ObjectID] = [.root]
        var count = 0
        _ = origins.set(.root, from: .root)
        while !queue.isEmpty {
            var next: [ObjectID] = []
            for start in stride(from: 0, to: queue.count, by: Self.batch) {
                let oids = Array(queue[start..<min(start + Self.batch, queue.count)])
                try workspace.interruption.check()
                progress(count)
                count += oids.count
                for (oid, result) in zip(oids, storage.load(oids, at: workspace.at)) {
                    guard let revision = try Self.readable(result) else { continue }
                    _ = check.read(revision.data.span.bytes, of: oid)
                    for target in check.references {
                        let target = ObjectID(rawValue: target)
                        guard origins.set(target, from: oid) else { continue }
                        next.append(target)
                        missing.remove(target)
                    }
                }
                if wanted != nil, missing.isEmpty { return }
                if count >= loadLimit {
                    isComplete = false
                    return
                }
            }
            queue = next
        }
    }

    /// Whether a way from the root leads there; known when all references have been followed.
    func isReachable(_ oid: ObjectID) -> Bool { oid == .root || origins.origin(of: oid) != nil }

    /// What is known of an object now that references have been followed; nil when it was not met before the limit.
    func outcome(_ oid: ObjectID) throws(StorageError) -> Outcome? {
        if isReachable(oid) { return .path(try path(to: oid)) }
        return isComplete ? .unreachable : nil
    }

    private static func readable(_ result: Result<Revision, StorageError>) throws(StorageError) -> Revision? {
        do throws(StorageError) {
            return try result.get()
        } catch {
            switch error {
            case .connection, .interrupted, .io: throw error
            default: return nil
            }
        }
    }

    /// The way as a path that can be gone: attributes and keys; the inside of trees left out.
    private func path(to oid: ObjectID) throws(StorageError) -> String {
        var chain = [oid]
        while let last = chain.last, last != .root, let origin = origins.origin(of: last), chain.count < 1000 {
            chain.append(origin)
        }
        chain.reverse()
        var text = ""
        for (parent, child) in zip(chain, chain.dropFirst()) {
            guard let step = try step(from: parent, to: child) else { return oid.path }
            text += step
        }
        return Self.canonical(text)
    }

    /// The root's own name, and the application under the name that everybody uses.
    private static func canonical(_ text: String) -> String {
        if text.isEmpty { return "//" }
        if text.hasPrefix("/Application") {
            let rest = text.dropFirst("/Application".count)
            if rest.isEmpty { return "/" }
            if rest.hasPrefix("/") { return String(rest) }
        }
        return "/" + text
    }

    /// What leads from an object to one that it refers to; empty from a node of a tree to its parts.
    private func step(from parent: ObjectID, to child: ObjectID) throws(StorageError) -> String? {
        let place = Place.object(parent, at: workspace.at)
        do throws(StorageError) {
            let record = try workspace.object(parent)
            if let kind = BTreeState.Kind(record),
                case .node? = BTreeState(record.stateSlot, kind, in: record.document)
            {
                return ""
            }
            let references = try workspace.references(from: place)
            guard let found = references.first(where: { $0.target == child }) else { return nil }
            let text = found.place.description
            let base = place.description
            guard text.hasPrefix(base) else { return nil }
            let rest = String(text.dropFirst(base.count))
            return rest.hasPrefix("/") ? rest : "/" + rest
        } catch {
            guard case .interrupted = error else { return nil }
            throw error
        }
    }
}

extension ObjectID {
    /// As a path names it: `#0x1a2b`.
    fileprivate var path: String { "#\(self)" }
}
