/// Changes kept apart from the storage they are made to, which is only read: what is committed here is in memory, and
/// gone when this is released.
///
/// The base shows as it was at one transaction, that of opening, whatever is committed to it meanwhile: else a view of
/// both would hold together only by chance. So nothing arrives by itself, and there is no way to move on but a new
/// overlay. (A revision that a pack of the base removes is missed here too.)
///
/// Transactions of the base can be undone, like those of the overlay: a trial of what the real undo would do. It
/// decides by data where a Data.fs decides by positions, with the same result.
///
/// New objects have oids from a place in the second quarter of all that there are, drawn by lot for each overlay, so that
/// the base's own new ones stay clear of them.
public final class OverlayStorage: Storage {
    public let base: any Storage
    /// The transaction as of which the base shows.
    public let baseTransaction: TransactionID
    public let name: String
    let changes: MemoryStorage

    private static let lowestOID: UInt64 = 1 << 62

    /// - Parameter tid: as of which transaction the base shows; by default its last one.
    /// - Throws: whatever the base says when it is asked for that.
    public init(
        over base: any Storage, at tid: TransactionID? = nil, interruption: Interruption? = nil
    ) throws(StorageError) {
        let last = try base.lastTransaction()
        self.base = base
        baseTransaction = tid.map { min($0, last) } ?? last
        name = "overlay over \(base.name)"
        changes = MemoryStorage(
            name, over: MemoryStorage.Base(storage: base, tid: baseTransaction), firstOID: Self.randomOID(),
            interruption: interruption)
    }

    static func randomOID() -> UInt64 { UInt64.random(in: lowestOID..<lowestOID * 2) }

    /// What the base says of itself, and what was changed.
    public func information() throws(StorageError) -> StorageInformation {
        var information = try base.information()
        let own = try changes.information()
        let transactions = try changes.transactionLog()
        var count = 0
        while try transactions.next() != nil { count += 1 }
        information.kind = "overlay over \(information.kind)"
        information.details += [
            .init("base as of", baseTransaction.description),
            .init("transactions of the overlay", "\(count)"),
            .init("objects changed in the overlay", "\(own.objectCount ?? 0)"),
        ]
        return information
    }

    public func lastTransaction() throws(StorageError) -> TransactionID { try changes.lastTransaction() }

    public func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
        try changes.load(oid, at: tid)
    }

    public func load(_ oids: [ObjectID], at tid: TransactionID) -> [Result<Revision, StorageError>] {
        changes.load(oids, at: tid)
    }

    /// Closes the base too.
    public func close() {
        changes.close()
        base.close()
    }

    private var below: MemoryStorage.Base { MemoryStorage.Base(storage: base, tid: baseTransaction) }

    /// - Throws: `unsupported` where the base cannot do it.
    func baseAs<Capability>(_ capability: Capability.Type, _ what: String) throws(StorageError) -> Capability {
        try below.asking(capability, what)
    }
}

extension OverlayStorage: DirectLoadStorage {
    /// The base's revisions where they lie, if the base can do that; those of the overlay are found at once.
    public func withRevision<Result>(
        _ oid: ObjectID, before tid: TransactionID, steps: inout Int,
        _ body: (RawSpan, TransactionID, TransactionID?) -> Result
    ) throws(StorageError) -> Result? {
        guard !changes.hasChanged(oid), let base = base as? any DirectLoadStorage else {
            let revision = try load(oid, at: tid.predecessor)
            return body(revision.data.span.bytes, revision.serial, revision.next)
        }
        let last = baseTransaction
        do throws(StorageError) {
            return try base.withRevision(oid, before: min(tid, last.successor), steps: &steps) { data, serial, next in
                body(data, serial, next.flatMap { $0 > last ? nil : $0 })
            }
        } catch .noRevision(_, _) where tid > last {
            // Made in the base later.
            throw .noSuchObject(oid)
        } catch .noRevision(_, _) {
            throw .noRevision(oid, at: tid.predecessor)
        }
    }
}

extension OverlayStorage: UndoableStorage {
    public var isWritable: Bool { true }
    public var supportsUndo: Bool { true }

    public func newObjectIDs(_ count: Int) throws(StorageError) -> [ObjectID] {
        while true {
            let oids = try changes.newObjectIDs(count)
            let isTaken = base.load(oids, at: .latest).contains { result in
                switch result {
                case .success, .failure(.noRevision): true
                case .failure: false
                }
            }
            // An overlay over an overlay may have drawn the same lot.
            if !isTaken { return oids }
            changes.continueOIDs(at: Self.randomOID())
        }
    }

    public func begin(_ metadata: TransactionMetadata) throws(StorageError) -> any StorageTransaction {
        try changes.begin(metadata)
    }

    public func transactionLog() throws(StorageError) -> any Cursor<TransactionSummary> {
        try below.log(below: changes)
    }

    public func transactions(
        from first: TransactionID, through last: TransactionID
    ) throws(StorageError) -> any Cursor<TransactionSummary> {
        try below.transactions(below: changes, from: first, through: last)
    }

    public func records(
        of tid: TransactionID
    ) throws(StorageError) -> (transaction: TransactionSummary, records: any Cursor<TransactionRecord>) {
        try below.records(below: changes, of: tid)
    }
}

extension OverlayStorage: HistoryStorage {
    public func history(of oid: ObjectID, limit: Int) throws(StorageError) -> [HistoryEntry] {
        try below.history(below: changes, of: oid, limit: limit)
    }
}

extension OverlayStorage: BlobStorage {
    public func blob(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> any Cursor<[UInt8]> {
        guard serial <= baseTransaction else { return try changes.blob(oid, serial: serial) }
        return try baseAs((any BlobStorage).self, "keep blobs").blob(oid, serial: serial)
    }

    public func blobSize(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> Int? {
        guard serial <= baseTransaction else { return try changes.blobSize(oid, serial: serial) }
        return try baseAs((any BlobStorage).self, "keep blobs").blobSize(oid, serial: serial)
    }

    public func blobPath(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> String? {
        guard serial <= baseTransaction else { return nil }
        return try baseAs((any BlobStorage).self, "keep blobs").blobPath(oid, serial: serial)
    }
}
