internal import Pickle
public import ZODB

/// A consistent view of a database: every object as of one transaction, read when asked for.
///
/// One thread owns a workspace. Reads are cached in parsed form, bounded; nothing is ever executed. Edits are staged in
/// it (`stage`), seen by every read as of `stagedView`, and written by `commit`.
public final class Workspace {
    public let storage: any Storage
    /// Raised to stop what is being done: every load looks at it.
    public let interruption: Interruption
    /// The transaction whose database state is shown, unless a call names another. It may be set to an earlier one,
    /// and to any up to the last that the storage knows; not to one still to come.
    public var at: TransactionID { didSet { if !at.isStaged { last = max(last, at) } } }
    /// The transaction whose state the edits were made on: what is not edited is read as of then.
    public internal(set) var basis: TransactionID

    /// The latest transaction known to exist: what is current then is known to be right so far, and no further.
    private var last: TransactionID

    private var cache: RecordCache
    /// What is known not to be readable, so that a listing does not ask twice.
    private var failures: [RecordKey: StorageError] = [:]
    private var knownGeneration: PythonGeneration?
    private let caching: (any CachingStorage)?
    /// Of the storage's rereadings, up to which everything has been read again: when it has grown between two reads, what is
    /// made of the first may rest on bytes that nobody but a cache file ever had.
    public private(set) var rereadings = 0
    /// What edits were made on may not be what the server has.
    var hasDoubtfulBases = false

    var staging = Staging()
    /// Grows with every edit, and every edit taken back.
    var editCount: UInt64 = 0
    /// Oids got from the storage and not used yet.
    var spareOIDs: [ObjectID] = []

    private static let failureLimit = 10_000
    static let oidBatch = 100

    /// - Parameters:
    ///   - tid: the state to show; by default that of the last transaction.
    ///   - cacheSize: the most memory, in bytes, that parsed records may take, roughly.
    public init(
        _ storage: any Storage, at tid: TransactionID? = nil, interruption: Interruption = Interruption(),
        cacheSize: Int = 64 << 20
    ) throws(StorageError) {
        self.storage = storage
        self.interruption = interruption
        cache = RecordCache(limit: cacheSize)
        caching = storage as? any CachingStorage
        rereadings = caching?.rereadings ?? 0
        last = try storage.lastTransaction()
        at = tid ?? last
        basis = last
    }

    /// The object as of `tid`, by default as of the workspace's own transaction.
    /// - Throws: `noSuchObject`, `noRevision`, `corrupt` for a record that is none, `interrupted`, and whatever else
    ///   the storage has to say.
    public func object(_ oid: ObjectID, at tid: TransactionID? = nil) throws(StorageError) -> ObjectRecord {
        try interruption.check()
        var tid = tid ?? at
        if tid.isStaged {
            if let staged = staging[oid] { return staged.record }
            tid = basis
        }
        rereadIfNeeded()
        if let record = cache.record(oid, at: tid) { return record }
        if let failure = failures[RecordKey(oid: oid, at: tid)] { throw failure }
        do throws(StorageError) {
            return try keep(try storage.load(oid, at: tid), of: oid, at: tid)
        } catch {
            note(error, for: RecordKey(oid: oid, at: tid))
            throw error
        }
    }

    /// Loads several objects at once, as far as they are not at hand; what fails will say so when asked for.
    public func prefetch(_ oids: [ObjectID], at tid: TransactionID? = nil) {
        var tid = tid ?? at
        var oids = oids
        if tid.isStaged {
            oids.removeAll { staging[$0] != nil }
            tid = basis
        }
        rereadIfNeeded()
        let wanted = oids.filter { cache.record($0, at: tid) == nil && failures[RecordKey(oid: $0, at: tid)] == nil }
        guard wanted.count > 1, !interruption.isRaised else { return }
        for (oid, result) in zip(wanted, storage.load(wanted, at: tid)) {
            do throws(StorageError) {
                _ = try keep(try result.get(), of: oid, at: tid)
            } catch {
                note(error, for: RecordKey(oid: oid, at: tid))
            }
        }
    }

    /// Forgets what was read, when the storage says that it has to be read again.
    public func rereadIfNeeded() {
        guard let count = caching?.rereadings, count != rereadings else { return }
        rereadings = count
        cache = RecordCache(limit: cache.limit)
        failures = [:]
        // Also while nothing is staged: what somebody read before may be about to be.
        hasDoubtfulBases = true
    }

    /// Moves on to the last transaction.
    /// - Returns: what others committed since the storage was last polled, oldest first.
    @discardableResult
    public func refresh() throws(StorageError) -> [Invalidation] {
        let news = try (storage as? any SharedStorage)?.poll() ?? []
        try move(to: try storage.lastTransaction())
        return news
    }

    /// Looks at the state of `tid` from now on, edits included: each stays based on the revision that was edited.
    public func move(to tid: TransactionID) throws(StorageError) {
        at = tid
        basis = tid
        if let stagedView { at = stagedView }
    }

    /// Which Python wrote the records: what the storage says, else what the root object looks like.
    public func generation() throws(StorageError) -> PythonGeneration {
        if let knownGeneration { return knownGeneration }
        let generation: PythonGeneration
        if let told = try storage.information().generation { generation = told } else { generation = try sampled() }
        knownGeneration = generation
        return generation
    }

    private func sampled() throws(StorageError) -> PythonGeneration {
        do throws(StorageError) {
            return try object(.root).document.generation ?? .python3
        } catch .noSuchObject, .noRevision {
            return .python3
        }
    }

    private func keep(_ revision: Revision, of oid: ObjectID, at tid: TransactionID) throws(StorageError)
        -> ObjectRecord
    {
        let record = try ObjectRecord(revision, oid: oid)
        // Without a successor a revision is known to hold until now, and no longer.
        let through = revision.next?.predecessor ?? max(last, revision.serial)
        cache.insert(record, through: through)
        return record
    }

    private func note(_ error: StorageError, for key: RecordKey) {
        switch error {
        case .noSuchObject, .noRevision, .corrupt:
            if failures.count >= Self.failureLimit { failures = [:] }
            // A time still to come may yet bring the object.
            if key.at <= last { failures[key] = error }
        default: break
        }
    }
}

struct RecordKey: Hashable {
    var oid: ObjectID
    var at: TransactionID
}
