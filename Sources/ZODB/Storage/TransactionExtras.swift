/// A storage that takes blobs whose bytes are in a file of its own directory already.
public protocol BlobReceivingStorage: BlobStorage {
    /// Where the file of a blob that is on its way in is to be made; nil when the storage keeps no blobs.
    func blobReceptionDirectory() throws(StorageError) -> String?
    /// Where a client that shares the blob directory puts a new blob of the object; nil when no blobs are kept.
    func sharedBlobDirectory(of oid: ObjectID) throws(StorageError) -> String?
}

/// A transaction that takes over such a file.
public protocol BlobAdoptingTransaction: StorageTransaction {
    /// Like `storeBlob`, with the file at `path` as the blob: it is moved, not copied.
    func storeBlob(
        _ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID, adopting path: String
    ) throws(StorageError)
}

/// A transaction that can say of an object that it is no more: what an external garbage collection needs.
public protocol DeletingTransaction: StorageTransaction {
    /// - Throws: `noSuchObject`; `conflict` when another revision is current.
    func delete(_ oid: ObjectID, basedOn serial: TransactionID) throws(StorageError)
}

/// A storage whose transactions are such.
public protocol DeletingStorage: WritableStorage {}

/// A storage to which the transactions of another can be copied as they are, tids and all.
public protocol RestorableStorage: WritableStorage {
    /// Begins a transaction that has a tid already.
    /// - Parameter status: `complete`, or `packed`.
    /// - Throws: `wrongState` when the tid is not later than the last one; what `begin` throws.
    func begin(
        _ metadata: TransactionMetadata, tid: TransactionID, status: TransactionSummary.Status
    ) throws(StorageError) -> any StorageTransaction
}

/// A transaction in which records are written as they were elsewhere.
public protocol RestoringTransaction: StorageTransaction {
    /// Writes a record without any check.
    /// - Parameters:
    ///   - data: nil for an object that was deleted.
    ///   - previous: a transaction that may hold the same data, to which the record then only points.
    func restore(
        _ data: [UInt8]?, for oid: ObjectID, from previous: TransactionID?
    ) throws(StorageError)
}
