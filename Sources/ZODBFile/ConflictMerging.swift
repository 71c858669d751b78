internal import Synchronization
internal import ZODB

extension FileTransaction {
    /// One record of both changes, when the object's class has a rule for that.
    func merge(old: [UInt8], committed: [UInt8], new: [UInt8]) -> [UInt8]? {
        let generation = storage.state.withLock { $0.generation }
        return ConflictResolver.resolve(old: old, committed: committed, new: new, generation: generation)
    }

    /// The changes made to the revision `serial` and those committed since, in one record.
    /// - Throws: `conflict` when there is no such record.
    func merged(
        _ data: [UInt8], of oid: ObjectID, basedOn serial: TransactionID, with current: RecordReader.Record
    ) throws(StorageError) -> [UInt8] {
        let conflict = StorageError.conflict(oid, committed: current.header.serial, read: serial)
        guard let committed = try reader.data(of: current), let old = try revision(serial, before: current),
            let merged = merge(old: old, committed: committed, new: data)
        else { throw conflict }
        return merged
    }

    /// The object's data at exactly this serial; nil when it has no such revision, or did not exist then.
    private func revision(
        _ serial: TransactionID, before current: RecordReader.Record
    ) throws(StorageError) -> [UInt8]? {
        var record = current
        while record.header.serial > serial {
            guard let older = try reader.older(than: record) else { return nil }
            record = older
        }
        guard record.header.serial == serial else { return nil }
        return try reader.data(of: record)
    }
}
