public import ZODB

/// Everything below a place, the place first, each object once.
///
/// Items come before attributes: an object that is an item somewhere below is found as that, not by the way some index
/// or cross reference happens to lead to it. What cannot be read is given too; who goes on to read it will see why.
public final class Walk: Cursor {
    public struct Options: Sendable {
        /// Also objects that are reached only by attributes, and by values inside records.
        public var attributes = false
        /// Also values inside records, where they are items: the entries of a dict, the elements of a list.
        public var values = false
        /// Levels below the starting place; nil for all.
        public var depth: Int?

        public init() {}
    }

    private struct Frame {
        var children: any Cursor<Place>
        /// Children read ahead, to load their records together.
        var ready: [Place] = []
        var level: Int
    }

    private let workspace: Workspace
    private let options: Options
    private var frames: [Frame] = []
    private var start: Place?
    private var visited: Set<ObjectID> = []
    /// Values that are containers: a list may contain itself.
    private var visitedValues: Set<Place.Key> = []
    /// Objects that attributes lead to: their turn comes when all items have been seen.
    private var deferred: [(place: Place, level: Int)] = []
    private var nextDeferred = 0
    private var entering: (place: Place, level: Int)?

    private static let batch = 64

    public init(_ workspace: Workspace, from start: Place, _ options: Options = Options()) {
        self.workspace = workspace
        self.options = options
        self.start = start
    }

    public func next() throws(StorageError) -> Place? {
        if let start {
            self.start = nil
            if start.node.isObject { visited.insert(start.node.oid) }
            entering = (start, 0)
            return start
        }
        if let (place, level) = entering {
            entering = nil
            try enter(place, level: level)
        }
        while true {
            try workspace.interruption.check()
            guard var frame = frames.last else {
                guard let (place, level) = takeDeferred() else { return nil }
                guard isNew(place) else { continue }
                entering = (place, level)
                return place
            }
            if frame.ready.isEmpty {
                frame.ready = try readAhead(frame.children)
                guard !frame.ready.isEmpty else {
                    frames.removeLast()
                    continue
                }
            }
            let place = frame.ready.removeLast()
            frames[frames.count - 1] = frame
            guard isNew(place) else { continue }
            if !place.node.isObject, !options.values {
                // Not to be shown, but there may be objects in it.
                try enter(place, level: frame.level)
                continue
            }
            entering = (place, frame.level)
            return place
        }
    }

    private func isNew(_ place: Place) -> Bool {
        if place.node.problem != nil { return true }
        return place.node.isObject ? visited.insert(place.node.oid).inserted : visitedValues.insert(place.key).inserted
    }

    /// The caller does not want what is below the place given last.
    public func skipChildren() { entering = nil }

    /// The next children, in reverse order, their records loaded.
    private func readAhead(_ cursor: any Cursor<Place>) throws(StorageError) -> [Place] {
        var places: [Place] = []
        do throws(StorageError) {
            while places.count < Self.batch, let place = try cursor.next() { places.append(place) }
        } catch {
            // A damaged container ends its own listing, not the walk.
            guard error.isAboutOneObject else { throw error }
        }
        let oids = places.filter { $0.node.isObject && $0.node.problem == nil }.map(\.node.oid)
        if let at = places.first?.at { workspace.prefetch(oids.filter { !visited.contains($0) }, at: at) }
        return places.reversed()
    }

    private func enter(_ place: Place, level: Int) throws(StorageError) {
        guard level < options.depth ?? .max, place.node.problem == nil, place.node.reference == nil else { return }
        do throws(StorageError) {
            let subject = try workspace.subject(of: place.node)
            if options.attributes, subject.isObject { deferAttributes(of: subject, place, level: level + 1) }
            let items = MapCursor(try workspace.items(of: subject)) { [self] node in
                node.isObject || options.values || isContainer(node) ? place.child(node) : nil
            }
            frames.append(Frame(children: items, level: level + 1))
        } catch {
            guard error.isAboutOneObject else { throw error }
        }
    }

    /// Whether objects may be found inside a value.
    private func isContainer(_ node: Node) -> Bool {
        guard case .value(let oid, let slot) = node.target, let record = try? workspace.object(oid, at: node.at) else {
            return false
        }
        return ValueAdapter.contents(of: slot, in: record.document) != nil
    }

    /// Notes the objects that a record mentions, each under the shortest way inside the record.
    private func deferAttributes(of subject: Subject, _ place: Place, level: Int) {
        guard BTreeState.Kind(subject.record) == nil else { return }
        for reference in RecordReferences(subject, startingAt: place) {
            guard let target = reference.target, !visited.contains(target), !reference.isUpward else { continue }
            deferred.append((reference.place, level))
        }
    }

    private func takeDeferred() -> (place: Place, level: Int)? {
        guard nextDeferred < deferred.count else { return nil }
        defer { nextDeferred += 1 }
        let element = deferred[nextDeferred]
        // The front half is done with: give its memory back.
        if nextDeferred > 1024, nextDeferred * 2 > deferred.count {
            deferred.removeFirst(nextDeferred)
            nextDeferred = 0
        }
        return element
    }
}
