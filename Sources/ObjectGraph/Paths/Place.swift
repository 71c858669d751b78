public import ZODB

/// A node together with the way that led to it: where a session is, what a search found.
public final class Place: Sendable {
    public let node: Node
    /// How we came here; nil at the origin of the way.
    public let parent: Place?
    /// Where the way begins.
    public let origin: ObjectPath.Origin
    let depth: Int

    /// A longer way is cut: the place is then called by its oid. (Releasing a chain of places recurses.)
    static let depthLimit = 250

    init(origin: ObjectPath.Origin, node: Node) {
        (self.origin, self.node) = (origin, node)
        (parent, depth) = (nil, 0)
    }

    private init(_ node: Node, parent: Place) {
        (self.node, self.parent, origin) = (node, parent, parent.origin)
        depth = parent.depth + 1
    }

    /// An object by its oid: where a way can begin anywhere.
    public static func object(_ oid: ObjectID, at tid: TransactionID) -> Place {
        Place(origin: .object(oid), node: .object(oid, at: tid))
    }

    /// The place of a child of this one.
    public func child(_ node: Node) -> Place {
        // A value has no name of its own; its way may be a little longer before the object has to stand for it.
        let limit = node.isObject ? Self.depthLimit : Self.depthLimit * 8
        guard node.component != nil, depth < limit else { return Place.object(node.oid, at: node.at) }
        return Place(node, parent: self)
    }

    public var at: TransactionID { node.at }

    /// The canonical path, without a time: whatever it says, reading it leads here again, in the same snapshot.
    public var path: ObjectPath {
        var steps: [ObjectPath.Step] = []
        var place = self
        while let parent = place.parent {
            if let component = place.node.component { steps.append(.child(component)) }
            place = parent
        }
        return ObjectPath(origin: place.origin, steps: steps.reversed())
    }

    /// From the origin down to this place.
    public var way: [Place] {
        var places: [Place] = [self]
        while let parent = places[places.count - 1].parent { places.append(parent) }
        return places.reversed()
    }
}

extension Place: CustomStringConvertible {
    public var description: String { path.description }
}
