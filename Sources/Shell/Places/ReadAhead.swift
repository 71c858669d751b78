internal import ObjectGraph
internal import ZODB

/// Places a stretch at a time, the records that they lead to loaded together: far away, a load costs a round trip.
final class ReadAhead: Cursor {
    private static let stretch = 64

    private let places: any Cursor<Place>
    private let workspace: Workspace
    /// The next places, the first last.
    private var ready: [Place] = []

    init(_ places: any Cursor<Place>, _ workspace: Workspace) { (self.places, self.workspace) = (places, workspace) }

    func next() throws(StorageError) -> Place? {
        if ready.isEmpty {
            while ready.count < Self.stretch, let place = try places.next() { ready.append(place) }
            workspace.prefetch(ready.map(\.node))
            ready.reverse()
        }
        return ready.popLast()
    }
}
