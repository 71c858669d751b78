internal import Pickle
public import ZODB

extension PathResolver {
    /// Every place that the path stands for, found as the cursor advances.
    ///
    /// A path without patterns gives its one place. Parts that cannot be read do not match; they end nothing.
    public func expand(_ path: ObjectPath) throws(PathError) -> any Cursor<Place> {
        guard path.hasPatterns else { return ArrayCursor([try resolve(path)]) }
        if case .revisionsBack? = path.when { throw .ambiguous(path) }
        return PathExpansion(self, steps: path.steps, from: try start(path))
    }

    public func expand(_ text: String) throws(PathError) -> any Cursor<Place> { try expand(try Self.parse(text)) }
}

/// Depth first, one open listing for each pattern on the way.
private final class PathExpansion: Cursor {
    private struct Frame {
        var places: any Cursor<Place>
        /// The first step still to be taken from each of the places.
        var step: Int
    }

    private let resolver: PathResolver
    private let steps: [ObjectPath.Step]
    private var frames: [Frame]
    private let isRepeating: Bool
    /// What was given already: with `**` two ways may lead to one place.
    private var given: Set<Place.Key> = []

    init(_ resolver: PathResolver, steps: [ObjectPath.Step], from start: Place) {
        self.resolver = resolver
        // `**/**` leads where `**` does, by ever so many more ways.
        self.steps = steps.reduce(into: []) { kept, step in
            if step != .anyDepth || kept.last != .anyDepth { kept.append(step) }
        }
        frames = [Frame(places: ArrayCursor([start]), step: 0)]
        isRepeating = steps.count { $0 == .anyDepth } > 0
    }

    func next() throws(StorageError) -> Place? {
        while let frame = frames.last {
            try resolver.workspace.interruption.check()
            guard let place = try frame.places.next() else {
                frames.removeLast()
                continue
            }
            guard frame.step < steps.count else {
                if isRepeating, !given.insert(place.key).inserted { continue }
                return place
            }
            if let places = try places(after: steps[frame.step], from: place) {
                frames.append(Frame(places: places, step: frame.step + 1))
            }
        }
        return nil
    }

    /// Where one step leads; nil for nowhere.
    private func places(
        after step: ObjectPath.Step, from place: Place
    ) throws(StorageError) -> (any Cursor<Place>)? {
        do throws(PathError) {
            switch step {
            case .child(let component): return ArrayCursor([try resolver.step(component, from: place)])
            case .parent: return ArrayCursor([try resolver.parent(of: place)])
            case .anyDepth: return Walk(resolver.workspace, from: place)
            case .pattern(let pattern, let attributes): return try matches(pattern, attributes, in: place)
            }
        } catch {
            if case .storage(let storageError) = error { throw storageError }
            return nil
        }
    }

    private func matches(
        _ pattern: GlobPattern, _ attributes: Bool, in place: Place
    ) throws(PathError) -> any Cursor<Place> {
        let workspace = resolver.workspace
        do throws(StorageError) {
            guard place.node.reference == nil else { return ArrayCursor<Place>([]) }
            let subject = try workspace.subject(of: place.node)
            let nodes: any Cursor<Node> =
                attributes
                ? ArrayCursor(try workspace.attributes(of: subject, all: true)) : try workspace.items(of: subject)
            return MapCursor(nodes) { node in
                guard let component = node.component, pattern.matches(component.plainText) else { return nil }
                return place.child(node)
            }
        } catch {
            throw error.isAboutOneObject ? .unreadable(place, error) : .storage(error)
        }
    }
}

extension Place {
    /// The same for two places that are one: the target and its snapshot.
    struct Key: Hashable {
        var target: Node.Target
        var at: TransactionID
    }

    var key: Key { Key(target: node.target, at: node.at) }
}
