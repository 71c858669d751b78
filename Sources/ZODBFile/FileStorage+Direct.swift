internal import Synchronization
public import ZODB

extension FileStorage: DirectLoadStorage {
    /// Of a file opened for writing, the bytes are those of its map (see `Options.mapsFile`); of one opened for reading, a
    /// copy.
    public func withRevision<Result>(
        _ oid: ObjectID, before tid: TransactionID, steps: inout Int,
        _ body: (RawSpan, TransactionID, TransactionID?) -> Result
    ) throws(StorageError) -> Result? {
        let map = writer?.map
        if let map, let (data, serial) = unsafe currentData(of: oid, before: tid, in: map) {
            return unsafe body(data.bytes, serial, nil)
        }
        do throws(StorageError) {
            return try newestRecord(of: oid) { (reader, position) throws(StorageError) in
                var reader = reader
                reader.map = map
                return try reader.withRevision(of: oid, from: position, at: tid.predecessor, steps: &steps, body)
            }
        } catch .interrupted where steps < 0 {
            return nil
        }
    }

    /// What nearly every load asks for: the newest revision, with data of its own; nil when it is anything else.
    @inline(__always)
    private func currentData(
        of oid: ObjectID, before tid: TransactionID, in map: FileMap
    ) -> (data: UnsafeRawBufferPointer, serial: TransactionID)? {
        let (position, end) = state.withLock { state in
            (state.index?.position(of: oid) ?? 0, state.end?.position ?? 0)
        }
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
