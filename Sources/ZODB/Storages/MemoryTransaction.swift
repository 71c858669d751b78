internal import Pickle
internal import Synchronization

/// A transaction of a storage in memory: what it is to do is gathered, and done when it votes, with nobody else inside.
final class MemoryTransaction: PipelinedTransaction {
    private enum Operation {
        case store([UInt8], ObjectID, basedOn: TransactionID, blob: [UInt8]?)
        case require(ObjectID, TransactionID)
        case undo(TransactionID)
    }

    private enum Phase {
        case gathering, voted, ended
    }

    private let storage: MemoryStorage
    private let metadata: TransactionMetadata
    private var operations: [Operation] = []
    private var phase = Phase.gathering
    /// What the vote made of the operations.
    private var changes: [ObjectID: MemoryChange] = [:]
    private var order: [ObjectID] = []
    private var changedOIDs: [ObjectID] = []
    /// `.none` before the vote.
    private(set) var tid = TransactionID.none

    private var database: MemoryStorage.Database { storage.database }

    init(_ storage: MemoryStorage, _ metadata: TransactionMetadata) {
        self.storage = storage
        self.metadata = metadata
    }

    deinit { abort() }

    func store(_ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID) throws(StorageError) {
        try Self.check(data, oid)
        try gather(.store(data, oid, basedOn: serial, blob: nil))
    }

    func storeBlob(
        _ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID, contents: any Cursor<[UInt8]>
    ) throws(StorageError) {
        try require(.gathering, "store")
        try Self.check(data, oid)
        try gather(.store(data, oid, basedOn: serial, blob: try contents.joined()))
    }

    /// A Data.fs has no room for a record without data; what cannot be copied there is no record here either.
    private static func check(_ data: [UInt8], _ oid: ObjectID) throws(StorageError) {
        guard !data.isEmpty else { throw .unsupported("a record without data, for \(oid)") }
    }

    func requireCurrent(_ oid: ObjectID, serial: TransactionID) throws(StorageError) {
        try gather(.require(oid, serial))
    }

    func undo(_ tid: TransactionID) throws(StorageError) { try gather(.undo(tid)) }

    private func gather(_ operation: Operation) throws(StorageError) {
        try require(.gathering, "store")
        operations.append(operation)
    }

    func vote() throws(StorageError) -> VoteResult {
        try require(.gathering, "vote")
        try storage.requireOpen()
        try database.gate.enter(storage.interruption)
        phase = .voted
        do throws(StorageError) {
            for operation in operations { try perform(operation) }
            // Nobody else commits before this one has ended.
            tid = TransactionID.new(after: try storage.lastTransaction())
        } catch {
            abort()
            throw error
        }
        operations = []
        var told: Set<ObjectID> = []
        return VoteResult(changedOIDs: changedOIDs.filter { told.insert($0).inserted })
    }

    func finish(_ publish: (TransactionID) -> Void) throws(StorageError) -> TransactionID {
        try require(.voted, "finish")
        publish(tid)
        let length = changes.values.reduce(0) { $0 + ($1.data?.count ?? 0) }
        storage.committed(tid)
        // Only now: what is not committed uses no oids.
        let largest = order.max()?.rawValue ?? 0
        database.oids.withLock { next in
            if largest >= next, largest < .max { next = largest + 1 }
        }
        database.history.withLock {
            $0.append(.init(summary: metadata.summary(of: tid, length: length), oids: order), changes)
        }
        end()
        return tid
    }

    /// Memory has nothing to wait for: both are called at once.
    func finish(
        publish: @escaping @Sendable (TransactionID) -> Void,
        completion: @escaping @Sendable (Result<TransactionID, StorageError>) -> Void
    ) throws(StorageError) {
        completion(.success(try finish(publish)))
    }

    func abort() { end() }

    private func end() {
        if phase == .voted { database.gate.leave() }
        phase = .ended
        operations = []
        changes = [:]
    }

    private func require(_ expected: Phase, _ call: String) throws(StorageError) {
        guard phase == expected else {
            let state =
                switch phase {
                case .gathering: "has not voted"
                case .voted: "has voted"
                case .ended: "has ended"
                }
            throw .wrongState("\(call): the transaction \(state)")
        }
    }

    // MARK: The vote

    private func perform(_ operation: Operation) throws(StorageError) {
        switch operation {
        case .store(let data, let oid, let serial, let blob):
            let merged = try merge(data, into: oid, basedOn: serial)
            set(oid, MemoryChange(data: merged, blob: blob))
        case .require(let oid, let serial):
            guard let current = try storage.current(oid), current.data != nil else { throw .noSuchObject(oid) }
            guard current.serial == serial else { throw .conflict(oid, committed: current.serial, read: serial) }
        case .undo(let tid):
            try performUndo(of: tid)
        }
    }

    private func set(_ oid: ObjectID, _ change: MemoryChange) {
        if changes.updateValue(change, forKey: oid) == nil { order.append(oid) }
    }

    /// The data to store: as it is when nobody else has changed the object, else with the others' changes in it.
    private func merge(
        _ data: [UInt8], into oid: ObjectID, basedOn serial: TransactionID
    ) throws(StorageError) -> [UInt8] {
        guard let current = try storage.current(oid), current.serial != serial else { return data }
        guard let committed = current.data, let old = try storage.revision(oid, at: serial), old.serial == serial,
            let oldData = old.data,
            let merged = ConflictResolver.resolve(old: oldData, committed: committed, new: data)
        else { throw .conflict(oid, committed: current.serial, read: serial) }
        changedOIDs.append(oid)
        return merged
    }

    private func performUndo(of tid: TransactionID) throws(StorageError) {
        let cursor = try storage.undoableRecords(of: tid)
        var obstacles: [UndoObstacle] = []
        while let record = try cursor.next() {
            let previous = try storage.revision(record.oid, at: tid.predecessor)
            let current: [UInt8]?
            if let change = changes[record.oid] {
                current = change.data
            } else {
                current = try storage.current(record.oid)?.data
            }
            switch UndoOutcome(undone: record.data, current: current, previous: previous?.data) {
            case .restored:
                let blob = try previous.flatMap { (revision) throws(StorageError) in
                    try storage.blobToRestore(record.oid, revision)
                }
                set(
                    record.oid,
                    MemoryChange(data: previous?.data, dataTransaction: previous?.serial, blob: blob))
            case .merged(let data):
                set(record.oid, MemoryChange(data: data))
            case .refused(let reason):
                obstacles.append(UndoObstacle(oid: record.oid, reason: reason))
                continue
            }
            changedOIDs.append(record.oid)
        }
        guard obstacles.isEmpty else { throw .undoFailed(tid, obstacles) }
    }
}

extension Cursor<[UInt8]> {
    /// All chunks together.
    func joined() throws(StorageError) -> [UInt8] {
        var bytes: [UInt8] = []
        while let chunk = try next() { bytes += chunk }
        return bytes
    }
}

extension MemoryStorage {
    /// What a transaction did that is to be undone: one of this database, or of what shows through.
    func undoableRecords(of tid: TransactionID) throws(StorageError) -> any Cursor<TransactionRecord> {
        guard let base = database.base, tid <= base.tid, let log = base.storage as? any TransactionLogStorage else {
            return try records(of: tid).records
        }
        let (transaction, records) = try log.records(of: tid)
        guard transaction.status == .complete else {
            throw .undoFailed(tid, [UndoObstacle(oid: nil, reason: "non-undoable transaction")])
        }
        return records
    }

    /// The blob that belongs to a revision which an undo brings back; nil when the object is no blob.
    func blobToRestore(_ oid: ObjectID, _ revision: MemoryHistory.Record) throws(StorageError) -> [UInt8]? {
        if let own = database.history.withLock({ $0.blob(oid, revision.serial) }) { return own }
        guard let blobs = database.base?.storage as? any BlobStorage, let data = revision.data,
            let record = try? ObjectRecord(Revision(data: data, serial: revision.serial, next: nil), oid: oid),
            record.className == GlobalName(module: "ZODB.blob", name: "Blob")
        else { return nil }
        return try blobs.blob(oid, serial: revision.serial).joined()
    }
}
