internal import Synchronization

/// Changes kept in one storage, over another that is only read: a `<demostorage>` whose changes last, as ZODB's
/// `DemoStorage` with a FileStorage for its changes.
///
/// The base shows as it was when this was opened. An object whose creation is undone in the changes shows as the base has
/// it again. Transactions of the base cannot be undone.
///
/// New objects have oids from a place drawn by lot for each time it is opened, so that the base's own new ones stay clear
/// of them.
public final class LayeredStorage: Storage {
    public typealias Changes = UndoableStorage & HistoryStorage & BlobReceivingStorage

    public let name: String
    let base: MemoryStorage.Base
    let changes: any Changes
    private let nextOID: Mutex<UInt64>

    /// Both belong to it from now on, unless it throws.
    /// - Throws: whatever the two say when they are asked for their last transactions; `wrongState` when the changes are
    ///   older than the base: they belong to another one.
    public init(_ changes: any Changes, over base: any Storage) throws(StorageError) {
        let last = try base.lastTransaction()
        self.base = MemoryStorage.Base(storage: base, tid: last)
        self.changes = changes
        name = "\(changes.name) over \(base.name)"
        nextOID = Mutex(OverlayStorage.randomOID())
        let first = try changes.transactions(from: .none, through: .latest).next()?.tid
        if let first, first <= last {
            throw .wrongState(
                "\(changes.name) has changes from before the last transaction of \(base.name), \(last): they were made "
                    + "to another file, or that was changed since")
        }
    }

    /// What the changes say of themselves, and what they are over.
    public func information() throws(StorageError) -> StorageInformation {
        var information = try changes.information()
        information.kind += " over \(try base.storage.information().kind)"
        information.storageName = name
        information.details.append(.init("base as of", base.tid.description))
        return information
    }

    public func lastTransaction() throws(StorageError) -> TransactionID {
        max(try changes.lastTransaction(), base.tid)
    }

    public func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
        // First: what is committed after this has a next revision in the changes anyway.
        let last = try changes.lastTransaction()
        do throws(StorageError) {
            return try changes.load(oid, at: tid)
        } catch .noSuchObject, .noRevision {
            let next = tid >= last ? nil : try firstChange(of: oid, after: tid)
            do throws(StorageError) {
                return base.seen(try base.storage.load(oid, at: min(tid, base.tid)), next: next)
            } catch {
                throw base.seen(error, at: tid, next: next)
            }
        }
    }

    /// When the object was next changed here.
    private func firstChange(of oid: ObjectID, after tid: TransactionID) throws(StorageError) -> TransactionID? {
        do throws(StorageError) {
            return try changes.history(of: oid, limit: .max).map(\.transaction.tid).filter { $0 > tid }.min()
        } catch .noSuchObject {
            return nil
        }
    }

    /// The current revision in the changes; nil when there the object is unchanged.
    func changed(_ oid: ObjectID) throws(StorageError) -> Revision? {
        do throws(StorageError) {
            return try changes.load(oid, at: .latest)
        } catch .noSuchObject, .noRevision {
            return nil
        }
    }

    /// Closes both.
    public func close() {
        changes.close()
        base.storage.close()
    }
}

extension LayeredStorage: DirectLoadStorage {}

extension LayeredStorage: UndoableStorage {
    public var isWritable: Bool { changes.isWritable }
    public var supportsUndo: Bool { changes.supportsUndo }

    public func newObjectIDs(_ count: Int) throws(StorageError) -> [ObjectID] {
        guard isWritable else { throw .readOnly(name) }
        let count = UInt64(max(count, 0))
        while true {
            let first = nextOID.withLock { next -> UInt64 in
                if UInt64.max - next < count { next = OverlayStorage.randomOID() }
                defer { next += count }
                return next
            }
            let oids = (first..<first + count).map { ObjectID(rawValue: $0) }
            let isTaken = load(oids, at: .latest).contains { result in
                switch result {
                case .success, .failure(.noRevision): true
                case .failure: false
                }
            }
            if !isTaken { return oids }
            nextOID.withLock { $0 = OverlayStorage.randomOID() }
        }
    }

    public func begin(_ metadata: TransactionMetadata) throws(StorageError) -> any StorageTransaction {
        guard let transaction = try changes.begin(metadata) as? any LayeredTransaction.Below else {
            throw .unsupported("\(changes.name) cannot hold the changes of a demo storage")
        }
        return LayeredTransaction(self, transaction)
    }

    public func transactionLog() throws(StorageError) -> any Cursor<TransactionSummary> {
        try base.log(below: changes)
    }

    public func transactions(
        from first: TransactionID, through last: TransactionID
    ) throws(StorageError) -> any Cursor<TransactionSummary> {
        try base.transactions(below: changes, from: first, through: last)
    }

    public func records(
        of tid: TransactionID
    ) throws(StorageError) -> (transaction: TransactionSummary, records: any Cursor<TransactionRecord>) {
        try base.records(below: changes, of: tid)
    }
}

extension LayeredStorage: HistoryStorage {
    public func history(of oid: ObjectID, limit: Int) throws(StorageError) -> [HistoryEntry] {
        try base.history(below: changes, of: oid, limit: limit)
    }
}

extension LayeredStorage: BlobReceivingStorage {
    private func holder(of serial: TransactionID) throws(StorageError) -> any BlobStorage {
        serial > base.tid ? changes : try base.asking((any BlobStorage).self, "keep blobs")
    }

    public func blob(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> any Cursor<[UInt8]> {
        try holder(of: serial).blob(oid, serial: serial)
    }

    public func blobSize(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> Int? {
        try holder(of: serial).blobSize(oid, serial: serial)
    }

    public func blobPath(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> String? {
        try holder(of: serial).blobPath(oid, serial: serial)
    }

    public func blobReceptionDirectory() throws(StorageError) -> String? { try changes.blobReceptionDirectory() }

    public func sharedBlobDirectory(of oid: ObjectID) throws(StorageError) -> String? {
        try changes.sharedBlobDirectory(of: oid)
    }
}
