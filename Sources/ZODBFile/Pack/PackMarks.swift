internal import ZODB

/// Which revisions stay of those before the pack position.
///
/// Of an object that is reachable, the one that was current at the pack time; of one that is not, and that a later undo
/// brought back, the one that the undo leads to; and others that undos lead to.
struct PackMarks: Sendable {
    var index: FileIndex
    /// Everything that existed at the pack time is reachable: no garbage is collected.
    var keepsAll: Bool
    var marked = ObjectIDSet()
    var substitutes = FileIndex()
    /// Objects that are not reachable at the pack time, were written after it, and are needed then.
    var needed = ObjectIDSet()
    /// Whether `needed` is known; if not, nothing that was written after the pack time refers to what goes.
    var knowsNeeded = false
    /// Ascending.
    var extras: [UInt64] = []

    @inline(__always)
    func isReachable(_ oid: ObjectID) -> Bool { keepsAll || marked.contains(oid) }

    /// Whether the revision at `position`, which is one of the object's before the pack position, stays.
    ///
    /// A record that says that the object does not exist is kept only when something leads to it.
    @inline(__always)
    func keeps(_ oid: ObjectID, at position: Int, isDeletion: Bool) -> Bool {
        if !isDeletion, index.position(of: oid) == position, isReachable(oid) { return true }
        guard substitutes.count > 0 || !extras.isEmpty else { return false }
        return substitutes.position(of: oid) == position || hasExtra(position)
    }

    func hasExtra(_ position: Int) -> Bool {
        let place = extras.boundary { $0 >= UInt64(position) }
        return place < extras.count && extras[place] == UInt64(position)
    }

    /// Whether it was not there yet.
    mutating func addExtra(_ position: Int) -> Bool {
        let place = extras.boundary { $0 >= UInt64(position) }
        guard place == extras.count || extras[place] != UInt64(position) else { return false }
        extras.insert(UInt64(position), at: place)
        return true
    }
}

extension Array {
    /// The index of the first element that satisfies `predicate`, in an array whose satisfying elements are all at the
    /// end; `count` when none does.
    fileprivate func boundary(where predicate: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
