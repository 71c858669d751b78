internal import Pickle

/// What became of a transaction whose connection was lost while it was being finished.
public enum CommitOutcome: Hashable, Sendable {
    case committed(TransactionID)
    /// It has not happened and will not.
    case notCommitted
    /// It cannot be told; why, in words.
    case unknown(String)
}

/// What to remember of a transaction before it is finished, in order to find out afterwards whether it happened.
public struct CommitTrace: Hashable, Sendable {
    public struct Store: Hashable, Sendable {
        public var oid: ObjectID
        public var data: [UInt8]

        public init(oid: ObjectID, data: [UInt8]) {
            self.oid = oid
            self.data = data
        }
    }

    /// The key of a transaction's extension whose value no other transaction has: text, by which it is found again.
    public static let markKey = "zeoshell-id"

    /// As handed to `begin`; with a mark, if nothing is to be left to guessing.
    public var metadata: TransactionMetadata
    /// The last transaction known before this one began: its own tid can only be higher.
    public var since: TransactionID
    /// What was stored; for an undo, the objects that `vote` told.
    public var stores: [Store]
    /// Objects changed by an undo, or merged: their data is not known here.
    public var changedOIDs: [ObjectID]

    public init(
        metadata: TransactionMetadata, since: TransactionID, stores: [Store], changedOIDs: [ObjectID] = []
    ) {
        self.metadata = metadata
        self.since = since
        self.stores = stores
        self.changedOIDs = changedOIDs
    }
}

extension WritableStorage {
    /// Finds out whether a transaction happened whose `finish` failed for want of a connection.
    ///
    /// A server that was told to finish may not even have looked at it yet. So first a transaction of ours, an empty one,
    /// is voted on and aborted: it gets the server's lock only when the lost one has ended, in whatever way. That takes as
    /// long as the server takes to notice that the old connection is gone; the user's interruption ends the wait.
    ///
    /// Then the objects' histories and the log are searched for a transaction with its mark; where a storage tells no
    /// extensions, for one of the same user and description, after which every object is as it was stored.
    /// - Throws: `connection` while there is none; `interrupted`; what the storage's own calls throw.
    public func outcome(of trace: CommitTrace) throws(StorageError) -> CommitOutcome {
        let barrier = try begin(TransactionMetadata())
        defer { barrier.abort() }
        _ = try barrier.vote()
        barrier.abort()

        var search = CommitSearch(trace)
        let oids = trace.stores.map(\.oid) + trace.changedOIDs
        // A transaction happens as a whole: one object is as good as all.
        if let storage = self as? any HistoryStorage, let oid = oids.first {
            try search.look(inHistoryOf: oid, storage)
        }
        if search.found == nil, let storage = self as? any TransactionLogStorage { try search.look(inLogOf: storage) }
        return try search.outcome(self)
    }
}

/// A search for the transaction that left a trace.
private struct CommitSearch {
    /// Revisions of one object that are looked at; beyond, the log has to tell.
    private static let longestHistory = 10_000

    let trace: CommitTrace
    let mark: [UInt8]?
    private(set) var found: TransactionID?
    /// Transactions of the same user and description, of a storage that tells no extensions.
    private var similar: Set<TransactionID> = []
    /// Something was searched down to the time before the transaction.
    private var isComplete = false

    init(_ trace: CommitTrace) {
        self.trace = trace
        mark = Self.mark(in: trace.metadata.extensionData)
    }

    mutating func look(inHistoryOf oid: ObjectID, _ storage: any HistoryStorage) throws(StorageError) {
        var limit = 20
        while limit <= Self.longestHistory {
            let history: [HistoryEntry]
            do throws(StorageError) {
                history = try storage.history(of: oid, limit: limit)
            } catch {
                switch error {
                // A new object that never came to be; a storage that does not remember.
                case .noSuchObject, .unsupported, .remote: return
                default: throw error
                }
            }
            for entry in history where consider(entry.transaction) { return }
            guard history.count == limit, let oldest = history.last, oldest.transaction.tid > trace.since else {
                return
            }
            limit *= 5
        }
    }

    mutating func look(inLogOf storage: any TransactionLogStorage) throws(StorageError) {
        let log = try storage.transactionLog()
        while let transaction = try log.next(), transaction.tid > trace.since {
            if consider(transaction) { return }
        }
        isComplete = true
    }

    /// - Returns: whether it is the one.
    private mutating func consider(_ transaction: TransactionSummary) -> Bool {
        guard transaction.tid > trace.since else { return false }
        if let mark, !transaction.extensionData.isEmpty {
            guard Self.mark(in: transaction.extensionData) == mark else { return false }
            found = transaction.tid
            return true
        }
        let metadata = trace.metadata
        if transaction.user == metadata.user, transaction.description == metadata.description {
            similar.insert(transaction.tid)
        }
        return false
    }

    func outcome(_ storage: any Storage) throws(StorageError) -> CommitOutcome {
        if let found { return .committed(found) }
        guard isComplete else {
            return .unknown("\(storage.name) does not list its transactions back to \(trace.since)")
        }
        for tid in similar.sorted() {
            if try isAsStored(at: tid, storage) { return .committed(tid) }
        }
        // Without an undo or a merge, a transaction that left its data nowhere has not happened.
        if similar.isEmpty || trace.changedOIDs.isEmpty { return .notCommitted }
        return .unknown("transaction \(similar.min() ?? .none) may be it: it bears no mark, but user and description")
    }

    private func isAsStored(at tid: TransactionID, _ storage: any Storage) throws(StorageError) -> Bool {
        guard !trace.stores.isEmpty, trace.changedOIDs.isEmpty else { return false }
        for store in trace.stores {
            do throws(StorageError) {
                let revision = try storage.load(store.oid, at: tid)
                guard revision.serial == tid, revision.data == store.data else { return false }
            } catch {
                switch error {
                case .noSuchObject, .noRevision: return false
                default: throw error
                }
            }
        }
        return true
    }

    /// The mark in a pickled extension, which need not be one of ours.
    private static func mark(in extensionData: [UInt8]) -> [UInt8]? {
        guard !extensionData.isEmpty, let document = try? PickleDocument(extensionData, .one),
            let root = document.roots.first, case .dict(let entries) = document[root]
        else { return nil }
        for entry in entries where text(entry.key, document) == Array(CommitTrace.markKey.utf8) {
            return text(entry.value, document)
        }
        return nil
    }

    private static func text(_ slot: PickleDocument.Slot, _ document: PickleDocument) -> [UInt8]? {
        switch document[slot] {
        case .text(let bytes), .bytes(let bytes), .nativeString(let bytes): bytes
        default: nil
        }
    }
}
