/// A storage that can be written to, a transaction at a time.
public protocol WritableStorage: Storage {
    /// False when it was opened for reading: `begin` then throws `readOnly`.
    var isWritable: Bool { get }
    /// Oids that no object has had, and that no other caller is given.
    /// - Throws: `readOnly`.
    func newObjectIDs(_ count: Int) throws(StorageError) -> [ObjectID]
    /// Begins a transaction. One at a time: a second caller waits, or with `vote`, until the first has ended.
    /// - Throws: `readOnly`.
    func begin(_ metadata: TransactionMetadata) throws(StorageError) -> any StorageTransaction
}

/// A two-phase commit in progress. One thread's; its calls come in this order: stores, `vote`, `finish`; at any time
/// `abort` instead, which also every error short of `finish` leaves as the only thing to do.
public protocol StorageTransaction: AnyObject {
    /// - Parameters:
    ///   - data: the record; `RecordTransformation` is not applied.
    ///   - serial: of the revision that was changed; `.none` for a new object.
    /// - Throws: `conflict` when another revision is current and the two changes cannot be merged; a storage far away
    ///   may say so only at `vote`.
    func store(_ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID) throws(StorageError)
    /// The same, with a blob's bytes.
    /// - Throws: `unsupported` when the storage keeps no blobs.
    func storeBlob(
        _ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID, contents: any Cursor<[UInt8]>
    ) throws(StorageError)
    /// The transaction is right only if this revision is still the current one.
    /// - Throws: `conflict`, here or at `vote`.
    func requireCurrent(_ oid: ObjectID, serial: TransactionID) throws(StorageError)
    /// Stores, for each object that the transaction `tid` changed, what it was before. Several in one transaction go
    /// newest first.
    /// - Throws: `undoFailed`, or `noSuchTransaction` where the storage can tell that apart, here or at `vote`;
    ///   `unsupported` where the storage cannot undo.
    func undo(_ tid: TransactionID) throws(StorageError)
    /// All that was stored can be written, and nobody else can write until `finish` or `abort`.
    /// - Returns: what is not as it was handed in.
    func vote() throws(StorageError) -> VoteResult
    /// Makes the transaction durable, then calls `publish` before any load can see it.
    /// - Returns: its tid.
    /// - Throws: `connection(.lost)` when it is not known whether the transaction happened.
    func finish(_ publish: (TransactionID) -> Void) throws(StorageError) -> TransactionID
    /// Leaves no trace. Does nothing after `finish` or `abort`.
    func abort()
}

extension StorageTransaction {
    public func finish() throws(StorageError) -> TransactionID { try finish { _ in } }
}

/// What `vote` has to tell.
public struct VoteResult: Hashable, Sendable {
    /// Objects whose stored data is a merge of what was handed in and of what others had committed, and objects changed
    /// by an undo: a copy kept by the caller is out of date.
    public var changedOIDs: [ObjectID]

    public init(changedOIDs: [ObjectID] = []) {
        self.changedOIDs = changedOIDs
    }
}

/// A storage that can undo transactions.
public protocol UndoableStorage: WritableStorage, TransactionLogStorage {
    /// False when it cannot now, or at all: a server says so by `supportsUndo`.
    var supportsUndo: Bool { get }
}

/// What a transaction says of itself, as whoever makes it hands it in.
public struct TransactionMetadata: Hashable, Sendable {
    /// At most 65 535 bytes each; UTF-8.
    public var user: [UInt8]
    public var description: [UInt8]
    /// A pickled dict, or empty for none; at most 65 535 bytes.
    public var extensionData: [UInt8]

    public init(user: [UInt8] = [], description: [UInt8] = [], extensionData: [UInt8] = []) {
        self.user = user
        self.description = description
        self.extensionData = extensionData
    }
}
