public import ZODB

/// What undoing a transaction would do to one object, found out without doing it.
public struct UndoEffect: Hashable, Sendable {
    public enum Outcome: Hashable, Sendable {
        /// The object becomes what it was before; with nothing before, it ceases to exist.
        case restored
        /// Later changes stay, and what the transaction did is taken out of them.
        case merged
        /// The transaction, and what keeps it from being undone.
        case refused(TransactionID, UndoRefusal)
    }

    public let oid: ObjectID
    /// Those of the transactions to be undone that changed the object, newest first.
    public let transactions: [TransactionID]
    public let outcome: Outcome

    public var isRefused: Bool {
        if case .refused = outcome { true } else { false }
    }
}

/// Why a transaction cannot be undone for one object.
public enum UndoRefusal: Hashable, Sendable {
    /// A later transaction changed it, and the two changes cannot be told apart by the rules known here.
    case changedLater
    /// The transaction made it, and a later one changed it: it is in use.
    case changedSinceItWasMade
    /// It does not exist any more.
    case deletedLater
    /// The transaction deleted it, and it has been made again since.
    case madeAgain
    /// The file of the blob that would come back is missing.
    case noBlob
}

/// The rules of FileStorage's undo, applied to what any storage tells of its past: nothing is written.
///
/// FileStorage goes by positions in its file before it compares data. A record that points back to another has that
/// one's data, so that comparing data gives the same answer, but for deletions, which have none: there it matters
/// whether the newest record is the very one to be undone, or points to it. Where a transaction wrote an object twice
/// (it undid two others), the second record decides.
///
/// Source: `ZODB/FileStorage/FileStorage.py`, `_transactionalUndoRecord`; checked against it in `UndoJudgeTests`.
struct UndoRehearsal {
    let storage: any Storage
    /// The newest transaction: an undo starts from the state it left.
    let now: TransactionID
    /// Which Python merges.
    let generation: PythonGeneration

    /// An object at one moment of the rehearsal.
    struct State {
        /// nil when the object does not exist.
        var data: [UInt8]?
        var serial: TransactionID?
        /// The transaction whose record this is, or which it points back to. Of a deletion in a storage it is only found
        /// out when it matters.
        var source: TransactionID?
        /// Not from the storage: an undo of this rehearsal made it.
        var isRehearsed = false
    }

    struct Result {
        var outcome: UndoEffect.Outcome
        var before: State
        var after: State
    }

    /// Undoes for one object, in this order, transactions that changed it.
    /// - Parameter tids: newest first.
    func run(_ oid: ObjectID, undoing tids: [TransactionID]) throws(StorageError) -> Result {
        let before = try state(of: oid, at: now)
        var current = before
        for tid in tids {
            let undone = try state(of: oid, at: tid)
            let previous = try state(of: oid, at: tid.predecessor)
            if undone.data == nil, current.data == nil {
                guard try isDeletion(of: oid, by: tid, current) else {
                    return Result(outcome: .refused(tid, .deletedLater), before: before, after: current)
                }
            } else if undone.data != current.data {
                guard let merged = merge(undone, current, previous) else {
                    let refusal = Self.refusal(undone, current, previous)
                    return Result(outcome: .refused(tid, refusal), before: before, after: current)
                }
                current = State(data: merged, serial: nil, source: nil, isRehearsed: true)
                continue
            }
            if try lacksBlob(oid, previous) {
                return Result(outcome: .refused(tid, .noBlob), before: before, after: current)
            }
            current = previous
            current.isRehearsed = true
            if current.data == nil { current.source = try newest(of: oid, through: tid.predecessor) }
        }
        let isMerged = current.isRehearsed && current.serial == nil && current.data != nil
        return Result(outcome: isMerged ? .merged : .restored, before: before, after: current)
    }

    private func merge(_ undone: State, _ current: State, _ previous: State) -> [UInt8]? {
        guard let undone = undone.data, let current = current.data, let previous = previous.data else { return nil }
        return ConflictResolver.resolve(
            old: undone, committed: current, new: previous, generation: generation)
    }

    private static func refusal(_ undone: State, _ current: State, _ previous: State) -> UndoRefusal {
        if undone.data == nil { return .madeAgain }
        if current.data == nil { return .deletedLater }
        return previous.data == nil ? .changedSinceItWasMade : .changedLater
    }

    private func state(of oid: ObjectID, at tid: TransactionID) throws(StorageError) -> State {
        do throws(StorageError) {
            let revision = try storage.load(oid, at: tid)
            return State(data: revision.data, serial: revision.serial, source: revision.serial)
        } catch .noSuchObject, .noRevision {
            return State(data: nil, serial: nil, source: nil)
        }
    }

    // MARK: Deletions

    /// Whether an object that does not exist does so by the record that `tid` wrote.
    private func isDeletion(of oid: ObjectID, by tid: TransactionID, _ current: State) throws(StorageError) -> Bool {
        if current.isRehearsed { return current.source == tid }
        guard let newest = try newest(of: oid, through: now) else { return true }
        if newest == tid { return true }
        guard let log = storage as? any TransactionLogStorage else { return false }
        let records = try log.records(of: newest).records
        var source: TransactionID?
        while let record = try records.next() {
            if record.oid == oid { source = record.dataTransaction }
        }
        return source == tid
    }

    /// The object's newest record up to `tid`, deletions included; nil when there is none, or nobody knows.
    private func newest(of oid: ObjectID, through tid: TransactionID) throws(StorageError) -> TransactionID? {
        guard let storage = storage as? any HistoryStorage else { return nil }
        var limit = 8
        do throws(StorageError) {
            while true {
                let entries = try storage.history(of: oid, limit: limit)
                if let entry = entries.first(where: { $0.transaction.tid <= tid }) { return entry.transaction.tid }
                guard entries.count == limit, limit < 1 << 20 else { return nil }
                limit *= 4
            }
        } catch .noSuchObject {
            return nil
        }
    }

    // MARK: Blobs

    /// Undoing copies the blob's file: where that is missing, it fails.
    private func lacksBlob(_ oid: ObjectID, _ state: State) throws(StorageError) -> Bool {
        guard let data = state.data, let serial = state.serial, let blobs = storage as? any BlobStorage,
            Workspace.isBlob(data, oid)
        else { return false }
        do throws(StorageError) {
            _ = try blobs.blobSize(oid, serial: serial)
            return false
        } catch .noBlob {
            return true
        } catch .unsupported {
            // No blob directory: then nothing is copied either.
            return false
        }
    }
}

extension Workspace {
    /// Whether a record is that of a blob; false for what cannot be read.
    static func isBlob(_ data: [UInt8], _ oid: ObjectID) -> Bool {
        // Cheap first: most records are none, and a rehearsal looks at many.
        guard data.count < 200, let record = try? ObjectRecord(Revision(data: data, serial: .none, next: nil), oid: oid)
        else { return false }
        return record.className == blobClass
    }
}
