internal import Logging
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// Does what a client has asked for since its transaction began, now that nobody else can come between.
struct Replay {
    private let mergesInClient: Bool
    private let isOld: Bool
    private let served: ServedStorage
    private let client: ClientHandle
    private let label: String
    private let skipped: Set<ObjectID>
    private(set) var stored: [ObjectID] = []
    private(set) var undone: [ObjectID] = []
    /// What the client has to merge.
    private(set) var conflicts: [UnresolvedConflict] = []
    /// An object that was checked and is not there.
    private(set) var missing: ObjectID?
    private var current: ClientTransaction.Operation?

    init(_ request: CommitTurn.Request, _ served: ServedStorage, withoutCheck skipped: Set<ObjectID>) {
        self.served = served
        self.skipped = skipped
        client = request.client
        label = request.label
        mergesInClient = served.policy.resolvesConflictsInClients && request.generation >= .v5
        isOld = request.generation <= .v4
    }

    mutating func run(
        _ operations: [ClientTransaction.Operation], in transaction: any StorageTransaction
    ) throws(StorageError) {
        for operation in mergesInClient ? Self.latest(operations) : operations {
            // Of a client that is gone, the rest would be taken back anyway.
            guard !client.isGone else { throw .interrupted }
            current = operation
            try run(operation, in: transaction)
        }
        current = nil
    }

    /// What was stored again after a conflict takes the place of what was stored before.
    private static func latest(_ operations: [ClientTransaction.Operation]) -> [ClientTransaction.Operation] {
        var seen: Set<ObjectID> = []
        return operations.reversed().filter { operation in
            switch operation {
            case .store(let oid, _, _), .storeBlob(let oid, _, _, _): seen.insert(oid).inserted
            case .restore, .delete, .requireCurrent, .undo: true
            }
        }.reversed()
    }

    private mutating func run(
        _ operation: ClientTransaction.Operation, in transaction: any StorageTransaction
    ) throws(StorageError) {
        switch operation {
        case .store(let oid, let serial, let data):
            if try isInConflict(oid, serial, data, in: transaction) { return }
            try transaction.store(data, for: oid, basedOn: serial)
            stored.append(oid)
        case .storeBlob(let oid, let serial, let data, let file):
            if try isInConflict(oid, serial, data, in: transaction) { return }
            if let transaction = transaction as? any BlobAdoptingTransaction {
                try transaction.storeBlob(data, for: oid, basedOn: serial, adopting: file.path)
            } else {
                try transaction.storeBlob(data, for: oid, basedOn: serial, contents: try file.contents())
            }
            stored.append(oid)
        case .restore(let oid, _, let data, let previous):
            guard let transaction = transaction as? any RestoringTransaction else {
                throw .unsupported("\(served.name) cannot take records of other storages as they are")
            }
            try transaction.restore(data, for: oid, from: previous)
            stored.append(oid)
        case .delete(let oid, let serial):
            guard let transaction = transaction as? any DeletingTransaction else {
                throw .unsupported("\(served.name) cannot delete objects")
            }
            try transaction.delete(oid, basedOn: serial)
            undone.append(oid)
        case .requireCurrent(let oid, let serial): try transaction.requireCurrent(oid, serial: serial)
        case .undo(let tid):
            try transaction.undo(tid)
            // Told to clients with the storage's own list of what has changed; to others it is an invalidation as well.
            undone += try CommitTurn.oids(of: tid, in: served)
        }
    }

    /// Whether the object has changed, where the client is to merge: then it is noted, and not stored.
    private mutating func isInConflict(
        _ oid: ObjectID, _ serial: TransactionID, _ data: [UInt8], in transaction: any StorageTransaction
    ) throws(StorageError) -> Bool {
        guard mergesInClient, serial != .none, !skipped.contains(oid) else { return false }
        do throws(StorageError) {
            try transaction.requireCurrent(oid, serial: serial)
            return false
        } catch .conflict(let oid, let committed, let read) {
            conflicts.append(UnresolvedConflict(oid: oid, committed: committed, read: read, data: data))
            return true
        } catch .noSuchObject(oid) {
            missing = oid
            throw .noSuchObject(oid)
        }
    }

    // MARK: Failures

    /// What the client is told of an error.
    func outcome(of error: StorageError, _ operations: [ClientTransaction.Operation]) -> VoteOutcome {
        guard case .conflict(let oid, let committed, let read) = error else {
            served.logger.notice("(\(served.name)) the vote of \(label) failed: \(error)")
            return .failed(PythonException(error), isOld ? current?.oid : nil)
        }
        let stored = storedData(of: oid, operations)
        if mergesInClient, stored?.isEmpty == false {
            // A storage that looks for conflicts when it votes tells of the first.
            return .unresolved(allConflicts(operations, known: (oid, committed, read)))
        }
        served.statistics.withLock { $0.conflicts += 1 }
        let isRead = stored == nil
        let name = stored.flatMap { Self.className(of: $0, oid) }
        served.logger.info(
            "(\(served.name)) conflict of \(label) on \(oid) \(name ?? "") committed \(committed), read \(read)")
        return .failed(.conflict(oid, committed: committed, read: read, className: name, isRead: isRead), oid)
    }

    /// What the client wanted to store; nil for an object that it has only read. A storage may find a conflict when the
    /// object is handed to it, or only at the vote.
    private func storedData(of oid: ObjectID, _ operations: [ClientTransaction.Operation]) -> [UInt8]? {
        if case .requireCurrent(oid, _)? = current { return nil }
        for operation in operations.reversed() {
            switch operation {
            case .store(oid, _, let data), .storeBlob(oid, _, let data, _): return data
            case .restore(oid, _, let data, _): return data ?? []
            case .delete(oid, _): return []
            default: continue
            }
        }
        return nil
    }

    private func allConflicts(
        _ operations: [ClientTransaction.Operation],
        known: (oid: ObjectID, committed: TransactionID, read: TransactionID)
    ) -> [UnresolvedConflict] {
        Self.latest(operations).compactMap { operation in
            guard case .store(let oid, let serial, let data) = operation else { return nil }
            if oid == known.oid {
                return UnresolvedConflict(oid: oid, committed: known.committed, read: known.read, data: data)
            }
            guard let current = try? served.revision(oid, before: .latest).serial, current != serial else { return nil }
            return UnresolvedConflict(oid: oid, committed: current, read: serial, data: data)
        }
    }

    private static func className(of data: [UInt8], _ oid: ObjectID) -> String? {
        let revision = Revision(data: data, serial: .none, next: nil)
        return (try? ObjectRecord(revision, oid: oid))?.className.map { "\($0)" }
    }
}

extension ServedStorage {
    /// Objects of which a client knows a revision, and of which there is none.
    func unknownObjects(in operations: [ClientTransaction.Operation]) -> Set<ObjectID> {
        var unknown: Set<ObjectID> = []
        for operation in operations {
            switch operation {
            case .store(let oid, let serial, _), .storeBlob(let oid, let serial, _, _):
                guard serial != .none else { continue }
                do throws(StorageError) {
                    try requireObject(oid)
                } catch .noSuchObject {
                    unknown.insert(oid)
                } catch {
                    // Whoever stores it says so.
                }
            case .restore, .delete, .requireCurrent, .undo: continue
            }
        }
        return unknown
    }

    private func requireObject(_ oid: ObjectID) throws(StorageError) {
        if let direct {
            try direct.withRevision(oid, before: .latest) { _, _, _ in }
        } else {
            _ = try revision(oid, before: .latest)
        }
    }
}

extension ClientTransaction.Operation {
    /// The object that it is about; nil for an undo.
    fileprivate var oid: ObjectID? {
        switch self {
        case .store(let oid, _, _), .storeBlob(let oid, _, _, _), .restore(let oid, _, _, _), .delete(let oid, _),
            .requireCurrent(let oid, _):
            oid
        case .undo: nil
        }
    }
}
