internal import Synchronization

/// A database in memory: all that a Data.fs does, with all its history, until it is released.
///
/// A transaction begins at once; it waits for others, and meets their changes, when it votes. Several storages may show
/// one database (`init(sharing:)`), as several clients of one server do: each is told by `poll` what the others commit.
///
/// It may lie over another storage, whose objects then show through as they were at one transaction: see
/// `OverlayStorage`, which is made of that.
public final class MemoryStorage: Storage {
    /// What several storages share.
    final class Database: Sendable {
        let history = Mutex(MemoryHistory())
        let oids: Mutex<UInt64>
        let gate = CommitGate()
        let base: Base?

        init(base: Base?, firstOID: UInt64) {
            self.base = base
            oids = Mutex(firstOID)
        }
    }

    /// The storage that shows through, as of a transaction.
    struct Base: Sendable {
        let storage: any Storage
        let tid: TransactionID

        /// What changed below since then does not show; `next` changed here.
        func seen(_ revision: Revision, next: TransactionID?) -> Revision {
            var revision = revision
            if let after = revision.next, after > tid { revision.next = nil }
            revision.next = revision.next ?? next
            return revision
        }

        /// An object younger than all that shows does not exist, unless it was made here, at `next`.
        func seen(_ error: StorageError, at asked: TransactionID, next: TransactionID?) -> StorageError {
            switch error {
            case .noSuchObject(let oid), .noRevision(let oid, _):
                if next != nil { return .noRevision(oid, at: asked) }
                return asked >= tid ? .noSuchObject(oid) : error
            default:
                return error
            }
        }
    }

    /// What this storage, other than those that share its database, has seen and done.
    private struct View: Sendable {
        var polled = TransactionID.none
        var own: Set<TransactionID> = []
        var isClosed = false
    }

    public let name: String
    public let isWritable: Bool
    let database: Database
    let interruption: Interruption?
    private let view = Mutex(View())

    /// An empty database.
    public convenience init(_ name: String = "memory", interruption: Interruption? = nil) {
        self.init(name, over: nil, firstOID: 1, interruption: interruption)
    }

    /// Another storage of the same database.
    public init(sharing other: MemoryStorage, isWritable: Bool = true) {
        name = other.name
        self.isWritable = isWritable
        database = other.database
        interruption = other.interruption
        view.withLock { $0.polled = database.history.withLock { $0.lastTransaction } }
    }

    init(_ name: String, over base: Base?, firstOID: UInt64, interruption: Interruption?) {
        self.name = name
        isWritable = true
        database = Database(base: base, firstOID: firstOID)
        self.interruption = interruption
    }

    public func information() throws(StorageError) -> StorageInformation {
        let (count, size) = database.history.withLock { ($0.records.count, $0.size) }
        return StorageInformation(kind: "memory", storageName: name, objectCount: count, size: size)
    }

    public func lastTransaction() throws(StorageError) -> TransactionID {
        let own = database.history.withLock { $0.lastTransaction }
        return own == .none ? database.base?.tid ?? .none : own
    }

    public func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
        let (record, next) = database.history.withLock { $0.record(oid, at: tid) }
        if let record {
            guard let data = record.data else { throw .noSuchObject(oid) }
            return Revision(data: data, serial: record.serial, next: next)
        }
        guard let base = database.base else {
            throw next == nil ? .noSuchObject(oid) : .noRevision(oid, at: tid)
        }
        do throws(StorageError) {
            return base.seen(try base.storage.load(oid, at: min(tid, base.tid)), next: next)
        } catch {
            throw base.seen(error, at: tid, next: next)
        }
    }

    public func load(_ oids: [ObjectID], at tid: TransactionID) -> [Result<Revision, StorageError>] {
        guard let base = database.base else { return oids.map { oid in loadResult(oid, at: tid) } }
        let nexts = database.history.withLock { history in
            oids.map { oid -> TransactionID?? in
                let (record, next) = history.record(oid, at: tid)
                return record == nil ? .some(next) : nil
            }
        }
        // Those that only the base has, it is asked for together.
        let asked = zip(oids, nexts).filter { $0.1 != nil }.map(\.0)
        var answers = base.storage.load(asked, at: min(tid, base.tid)).makeIterator()
        return zip(oids, nexts).map { oid, next in
            guard let next, let answer = answers.next() else { return loadResult(oid, at: tid) }
            return switch answer {
            case .success(let revision): .success(base.seen(revision, next: next))
            case .failure(let error): .failure(base.seen(error, at: tid, next: next))
            }
        }
    }

    private func loadResult(_ oid: ObjectID, at tid: TransactionID) -> Result<Revision, StorageError> {
        do throws(StorageError) {
            return .success(try load(oid, at: tid))
        } catch {
            return .failure(error)
        }
    }

    /// Ends what is shown and done through this storage; others of the same database go on.
    public func close() { view.withLock { $0.isClosed = true } }

    /// The object's newest data with its serial; nil when no transaction stored it.
    func current(_ oid: ObjectID) throws(StorageError) -> MemoryHistory.Record? {
        if let own = database.history.withLock({ $0.newest(oid) }) { return own }
        guard let base = database.base else { return nil }
        return try revision(oid, at: base.tid)
    }

    /// The object's revision as of `tid`; nil when it did not exist, or does not.
    func revision(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> MemoryHistory.Record? {
        do throws(StorageError) {
            let revision = try load(oid, at: tid)
            return MemoryHistory.Record(serial: revision.serial, data: revision.data)
        } catch .noSuchObject, .noRevision {
            return nil
        }
    }

    /// Whether any transaction of this database itself changed the object.
    func hasChanged(_ oid: ObjectID) -> Bool { database.history.withLock { $0.newest(oid) } != nil }

    func continueOIDs(at first: UInt64) { database.oids.withLock { $0 = first } }

    /// What was committed through this storage is no news to it.
    func committed(_ tid: TransactionID) { view.withLock { _ = $0.own.insert(tid) } }

    func requireOpen() throws(StorageError) {
        if view.withLock({ $0.isClosed }) { throw .wrongState("\(name) is closed") }
    }
}

extension MemoryStorage: DirectLoadStorage {}

extension MemoryStorage: SharedStorage {
    public func poll() throws(StorageError) -> [Invalidation] {
        view.withLock { view in
            let news = database.history.withLock { history in
                let first = history.transactions.boundary { $0.summary.tid > view.polled }
                return history.transactions[first...].map { Invalidation(tid: $0.summary.tid, oids: $0.oids) }
            }
            if let last = news.last { view.polled = last.tid }
            defer { view.own = view.own.filter { $0 > view.polled } }
            return news.filter { !view.own.contains($0.tid) }
        }
    }
}

extension MemoryStorage: WritableStorage {
    public func newObjectIDs(_ count: Int) throws(StorageError) -> [ObjectID] {
        guard isWritable else { throw .readOnly(name) }
        let count = UInt64(max(count, 0))
        let first = database.oids.withLock { next -> UInt64? in
            let (end, overflows) = next.addingReportingOverflow(count)
            guard !overflows else { return nil }
            defer { next = end }
            return next
        }
        guard let first else { throw .unsupported("\(name) has no \(count) more oids") }
        return (first..<first + count).map { ObjectID(rawValue: $0) }
    }

    public func begin(_ metadata: TransactionMetadata) throws(StorageError) -> any StorageTransaction {
        guard isWritable else { throw .readOnly(name) }
        try requireOpen()
        try metadata.check()
        return MemoryTransaction(self, metadata)
    }
}
