/// A storage that remembers older revisions.
public protocol HistoryStorage: Storage {
    /// Revisions of one object, newest first, deletions included, at most `limit`.
    /// - Throws: `noSuchObject` when the object was never stored.
    func history(of oid: ObjectID, limit: Int) throws(StorageError) -> [HistoryEntry]
}

/// A storage that can list its transactions.
public protocol TransactionLogStorage: Storage {
    /// Every transaction, newest first, as far back as the storage can tell.
    func transactionLog() throws(StorageError) -> any Cursor<TransactionSummary>
    /// Transactions with `first` ≤ tid ≤ `last`, oldest first.
    func transactions(
        from first: TransactionID, through last: TransactionID
    ) throws(StorageError) -> any Cursor<TransactionSummary>
    /// The transaction `tid` and its records, in stored order.
    /// - Throws: `noSuchTransaction`.
    func records(
        of tid: TransactionID
    ) throws(StorageError) -> (transaction: TransactionSummary, records: any Cursor<TransactionRecord>)
}

/// A transaction with all that it wrote: what a copy of it is made of.
public struct TransactionContent {
    public var transaction: TransactionSummary
    /// In stored order. They are to be read to their end before the next transaction is asked for.
    public var records: any Cursor<TransactionRecord>

    public init(transaction: TransactionSummary, records: any Cursor<TransactionRecord>) {
        (self.transaction, self.records) = (transaction, records)
    }
}

/// A storage that hands over its transactions whole, one after the other.
public protocol CopyableStorage: TransactionLogStorage {
    /// The transactions with `first` ≤ tid ≤ `last` and their records, oldest first; from the very first when `first` is nil.
    func contents(
        from first: TransactionID?, through last: TransactionID
    ) throws(StorageError) -> any Cursor<TransactionContent>
}

/// One current record, from a walk over all objects.
public struct CurrentRecord: Hashable, Sendable {
    public var oid: ObjectID
    public var revision: Revision

    public init(oid: ObjectID, revision: Revision) {
        self.oid = oid
        self.revision = revision
    }
}

/// A storage that can walk over the current record of every object.
public protocol CurrentRecordStorage: Storage {
    /// Current records with an oid ≥ `first`, by oid; deleted objects are left out.
    func currentRecords(from first: ObjectID) throws(StorageError) -> any Cursor<CurrentRecord>
}

/// A storage that keeps blobs.
public protocol BlobStorage: Storage {
    /// The blob's bytes, in chunks.
    /// - Throws: `noBlob` when its file is missing.
    func blob(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> any Cursor<[UInt8]>
    /// The blob's size in bytes, where it can be told without reading the blob; nil otherwise.
    func blobSize(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> Int?
    /// The file of this machine that holds the blob; nil where it lies elsewhere.
    /// - Throws: `noBlob` when its file is missing.
    func blobPath(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> String?
}

extension BlobStorage {
    public func blobPath(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> String? { nil }
}

/// What others committed: a transaction, and the objects it changed.
public struct Invalidation: Hashable, Sendable {
    public var tid: TransactionID
    public var oids: [ObjectID]
    /// False when it is not known any more which objects changed up to `tid`: any may have. So after a long absence.
    public var isComplete: Bool

    public init(tid: TransactionID, oids: [ObjectID], isComplete: Bool = true) {
        self.tid = tid
        self.oids = oids
        self.isComplete = isComplete
    }
}

/// A storage to which others commit while we look.
public protocol SharedStorage: Storage {
    /// Takes note of what others committed; returns what is new since the last call, oldest first.
    ///
    /// A file looks for appended transactions; a server's invalidations have already arrived. Does not wait.
    func poll() throws(StorageError) -> [Invalidation]
}

/// A storage behind a connection.
public protocol RemoteStorage: Storage {
    var isConnected: Bool { get }
    /// One round trip; how long it took.
    func ping() throws(StorageError) -> Duration
    /// The same, given up after so long.
    /// - Throws: `connection(.silent)` when no answer came in time.
    func ping(within limit: Duration?) throws(StorageError) -> Duration
    /// What a person ought to know of the connection, in sentences.
    var remarks: [String] { get }
}

extension RemoteStorage {
    public func ping(within limit: Duration?) throws(StorageError) -> Duration { try ping() }
    public var remarks: [String] { [] }
}

/// A storage that goes on with what it has kept while its server is away.
public protocol CachingStorage: RemoteStorage {
    /// nil while there is a connection.
    var absence: Absence? { get }
    /// What whoever uses the storage should know of its cache, told once.
    func takeRemarks() -> [String]
    /// Grows when everything that was read has to be read again: the server is back, and what was read meanwhile came from a
    /// file that nobody could be asked about, or the file has turned out to be of another state.
    var rereadings: Int { get }
}

/// A server is away.
public struct Absence: Hashable, Sendable {
    /// When it was noticed, as a transaction of that time would be numbered.
    public var since: TransactionID
    /// What came of the last attempt to reach it, in words.
    public var why: String

    public init(since: TransactionID, why: String) {
        self.since = since
        self.why = why
    }
}

/// A storage behind one of several servers, any of which may take another's place.
public protocol FailoverStorage: RemoteStorage {
    /// The address of the server that it is connected to, or was last.
    var serverAddress: String { get }
    /// It was opened to be written to, and the server that it has lets nobody write: one that does is being looked for.
    var awaitsWritableServer: Bool { get }
}

/// A storage whose records can be read in bulk where they lie, in the order that is cheapest for it.
///
/// The bytes are valid during the call only. To stop early, throw.
public protocol ScannableStorage: Storage {
    /// Calls `body` with the oid, serial and data of every object's current record, in any order; objects that are
    /// deleted are left out.
    func scanCurrentRecords(
        _ body: (ObjectID, TransactionID, RawSpan) throws(StorageError) -> Void
    ) throws(StorageError)
    /// Calls `body` with every record of every transaction, oldest first, that has data of its own: neither a back
    /// pointer nor a deletion.
    func scanRecords(
        _ body: (ObjectID, TransactionID, RawSpan) throws(StorageError) -> Void
    ) throws(StorageError)
}
