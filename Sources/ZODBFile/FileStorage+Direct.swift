internal import Synchronization
public import ZODB

extension FileStorage: DirectLoadStorage {
    /// Of a file opened for writing, the bytes are those of its map (see `Options.mapsFile`); of one opened for reading, a
    /// copy.
    public func withRevision<Result>(
        _ oid: ObjectID, before tid: TransactionID, steps: inout Int,
        _ body: (RawSpan, TransactionID, TransactionID?) -> Result
    ) throws(StorageError) -> Result? {
        // It holds the map that the data lies in as long as `body` runs: a pack may put another in its place.
        let current = state.withLock { state in
            (position: state.index?.position(of: oid) ?? 0, end: state.end?.position ?? 0, map: state.map)
        }
        if let map = current.map,
            let (data, serial) = unsafe currentData(of: oid, before: tid, at: current.position, current.end, in: map)
        {
            return withExtendedLifetime(map) { unsafe body(data.bytes, serial, nil) }
        }
        do throws(StorageError) {
            return try newestRecord(of: oid, mapped: true) { (reader, position) throws(StorageError) in
                try reader.withRevision(of: oid, from: position, at: tid.predecessor, steps: &steps, body)
            }
        } catch .interrupted where steps < 0 {
            return nil
        }
    }

    /// What nearly every load asks for: the newest revision, with data of its own; nil when it is anything else.
    @inline(__always)
    private func currentData(
        of oid: ObjectID, before tid: TransactionID, at position: Int, _ end: Int, in map: FileMap
    ) -> (data: UnsafeRawBufferPointer, serial: TransactionID)? {
        guard position > 0, position <= end - RecordHeader.fixedSize,
            let head = unsafe map.bytes(at: position, count: RecordHeader.fixedSize)
        else { return nil }
        let header = unsafe RecordHeader(head, at: position)
        guard header.oid == oid, header.serial < tid, header.versionSize == 0, header.dataSize > 0,
            header.dataSize <= UInt64(min(FileFormat.largestRecord, end - header.dataPosition)),
            let data = unsafe map.bytes(at: header.dataPosition, count: Int(header.dataSize))
        else { return nil }
        return unsafe (data, header.serial)
    }
}
