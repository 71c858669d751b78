/// A transaction of a `LayeredStorage`: one of the changes, in which objects that only the base has are compared with
/// those of the base.
final class LayeredTransaction: PipelinedTransaction, BlobAdoptingTransaction {
    typealias Below = PipelinedTransaction & BlobAdoptingTransaction

    private let storage: LayeredStorage
    private let transaction: any Below
    private var mergedOIDs: [ObjectID] = []
    /// What this transaction has stored: it compares with that itself.
    private var stored: Set<ObjectID> = []

    init(_ storage: LayeredStorage, _ transaction: any Below) {
        self.storage = storage
        self.transaction = transaction
    }

    var tid: TransactionID { transaction.tid }

    func store(_ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID) throws(StorageError) {
        let (data, serial) = try compared(data, oid, serial)
        try transaction.store(data, for: oid, basedOn: serial)
    }

    func storeBlob(
        _ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID, contents: any Cursor<[UInt8]>
    ) throws(StorageError) {
        let (data, serial) = try compared(data, oid, serial)
        try transaction.storeBlob(data, for: oid, basedOn: serial, contents: contents)
    }

    func storeBlob(
        _ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID, adopting path: String
    ) throws(StorageError) {
        let (data, serial) = try compared(data, oid, serial)
        try transaction.storeBlob(data, for: oid, basedOn: serial, adopting: path)
    }

    /// What is to be stored in the changes, and upon which of their revisions: with the changes of others in it when there
    /// are some and it was made to a revision of the base. Of a revision of the changes they know themselves.
    private func compared(
        _ data: [UInt8], _ oid: ObjectID, _ serial: TransactionID
    ) throws(StorageError) -> ([UInt8], TransactionID) {
        guard serial <= storage.base.tid, stored.insert(oid).inserted else { return (data, serial) }
        guard let current = try current(oid), current.serial != serial else { return (data, serial) }
        guard let old = try revision(oid, serial),
            let merged = ConflictResolver.resolve(old: old.data, committed: current.data, new: data)
        else { throw .conflict(oid, committed: current.serial, read: serial) }
        mergedOIDs.append(oid)
        return (merged, current.serial)
    }

    private func current(_ oid: ObjectID) throws(StorageError) -> Revision? {
        if let changed = try storage.changed(oid) { return changed }
        do throws(StorageError) {
            return try storage.load(oid, at: .latest)
        } catch .noSuchObject, .noRevision {
            return nil
        }
    }

    /// The base's revision of exactly this serial.
    private func revision(_ oid: ObjectID, _ serial: TransactionID) throws(StorageError) -> Revision? {
        do throws(StorageError) {
            let revision = try storage.load(oid, at: serial)
            return revision.serial == serial ? revision : nil
        } catch .noSuchObject, .noRevision {
            return nil
        }
    }

    func requireCurrent(_ oid: ObjectID, serial: TransactionID) throws(StorageError) {
        guard try storage.changed(oid) == nil else { return try transaction.requireCurrent(oid, serial: serial) }
        let revision = try storage.load(oid, at: .latest)
        guard revision.serial == serial else { throw .conflict(oid, committed: revision.serial, read: serial) }
    }

    func undo(_ tid: TransactionID) throws(StorageError) {
        guard tid > storage.base.tid else {
            throw .undoFailed(tid, [UndoObstacle(oid: nil, reason: "it is one of the base, which is only read")])
        }
        try transaction.undo(tid)
    }

    func vote() throws(StorageError) -> VoteResult {
        var result = try transaction.vote()
        // A clock that is wrong: nothing could tell this transaction from those of the base.
        guard transaction.tid > storage.base.tid else {
            throw .wrongState(
                "\(storage.name): the last transaction of the base, \(storage.base.tid), is in the future; is the clock right?"
            )
        }
        result.changedOIDs += mergedOIDs.filter { !result.changedOIDs.contains($0) }
        return result
    }

    func finish(_ publish: (TransactionID) -> Void) throws(StorageError) -> TransactionID {
        try transaction.finish(publish)
    }

    /// It is waited for: what is on its way to the disk would not be seen by the next one's comparisons.
    func finish(
        publish: @escaping @Sendable (TransactionID) -> Void,
        completion: @escaping @Sendable (Result<TransactionID, StorageError>) -> Void
    ) throws(StorageError) {
        completion(.success(try finish(publish)))
    }

    func abort() { transaction.abort() }
}
