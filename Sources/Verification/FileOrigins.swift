internal import ZODB
internal import ZODBFile

/// From which object each was met first: an index whose "positions" are oids, one higher, since none may be 0.
struct FileOrigins {
    private var index = FileIndex()

    /// Whether it had not been met before.
    mutating func set(_ oid: ObjectID, from origin: ObjectID) -> Bool {
        guard index.position(of: oid) == nil else { return false }
        // An origin that has no room in the index is forgotten: then no path leads over it.
        let number = origin.rawValue < UInt64(FileFormat.largestPosition) - 1 ? Int(origin.rawValue) + 1 : 1
        index.set(oid, to: number)
        return true
    }

    func origin(of oid: ObjectID) -> ObjectID? {
        index.position(of: oid).map { ObjectID(rawValue: UInt64($0 - 1)) }
    }
}
