internal import ClientCache
internal import ZEOProtocol
internal import ZODB

/// What is known of the server's state: up to which transaction, what changed that nobody asked about yet, and the
/// revisions that were loaded. Everything happens here in the order in which it arrives.
struct SharedView: Sendable {
    /// More commits than this without a look are remembered as one of which the objects are not known.
    static let mostUnreported = 10_000, mostUnreportedObjects = 500_000

    private(set) var lastTransaction = TransactionID.none
    private var unreported: [Invalidation] = []
    private var unreportedObjects = 0
    private var cache: RevisionCache
    /// A file to look into after that, unless it is not to be used.
    private var tier: FileTier?
    /// Something from the file has been handed out; and that while there was no connection.
    private var (hasServed, hasServedAlone) = (false, false)
    /// See `CachingStorage`.
    private(set) var rereadings = 0
    /// Why the file does not tell of an object that is in it.
    private var damages: [ObjectID: String] = [:]
    private static let mostDamages = 100
    private var isAsking = false
    private var givenUp: [CacheFile] = []
    private var remarks: [String] = []
    /// Objects being loaded, and the invalidations that arrived since they were asked for.
    private var loading: [ObjectID: (loads: Int, invalidations: [TransactionID])] = [:]

    init(cacheCapacity: Int) {
        cache = RevisionCache(capacity: cacheCapacity)
    }

    mutating func takeRemarks() -> [String] {
        defer { remarks = [] }
        return remarks
    }

    mutating func remark(_ text: String) { remarks.append(text) }

    mutating func takeUnreported() -> [Invalidation] {
        defer {
            unreported = []
            unreportedObjects = 0
        }
        return unreported
    }

    // MARK: What is committed

    /// There is a connection (again), and what was missed is known, as far as it can be.
    mutating func connected(_ welcome: ClientConnection.Welcome, isFirst: Bool) {
        let before = lastTransaction
        lastTransaction = welcome.lastTransaction
        if hasServedAlone {
            // What it told was in nobody's hands, and may be in edits by now.
            hasServedAlone = false
            rereadings += 1
        }
        if let reason = tier?.connected(welcome, since: before) { withdraw(reason) }
        guard !isFirst else { return }
        switch welcome.missed {
        case .nothing: break
        case .objects(let oids):
            for oid in oids { cache.forgetCurrent(oid) }
            if welcome.lastTransaction != before { report(Invalidation(tid: welcome.lastTransaction, oids: oids)) }
        case .unknown:
            cache.removeAll()
            report(Invalidation(tid: welcome.lastTransaction, oids: [], isComplete: false))
        }
    }

    mutating func apply(_ invalidation: Invalidation) {
        end(invalidation.oids, in: invalidation.tid)
        tier?.ended(invalidation.oids, in: invalidation.tid)
        // Known already when it was under way while the server answered what was missed.
        guard invalidation.tid > lastTransaction else { return }
        lastTransaction = invalidation.tid
        report(invalidation)
    }

    /// A transaction of our own has become `tid`: as with others', but nobody needs to be told.
    mutating func committed(_ oids: some Sequence<ObjectID>, as tid: TransactionID) {
        let oids = Array(oids)
        end(oids, in: tid)
        tier?.ended(oids, in: tid)
        lastTransaction = max(lastTransaction, tid)
    }

    /// What was current of these objects no longer is.
    private mutating func end(_ oids: some Sequence<ObjectID>, in tid: TransactionID) {
        for oid in oids {
            cache.invalidate(oid, in: tid)
            // Tids only grow; a server that repeats itself does not fill the memory.
            if let last = loading[oid]?.invalidations.last, tid <= last { continue }
            loading[oid]?.invalidations.append(tid)
        }
    }

    private mutating func report(_ invalidation: Invalidation) {
        unreported.append(invalidation)
        unreportedObjects += invalidation.oids.count
        if unreported.count > Self.mostUnreported || unreportedObjects > Self.mostUnreportedObjects {
            unreported = [Invalidation(tid: invalidation.tid, oids: [], isComplete: false)]
            unreportedObjects = 0
        }
    }

    // MARK: Loading

    /// - Parameters:
    ///   - isForWriting: what is read may become part of what is written. The file knows its blocks, and not whether the disk
    ///     has changed a byte within one: a server that can be asked is asked then.
    ///   - isConnected: whether one can be.
    mutating func cached(
        _ oid: ObjectID, at tid: TransactionID, isForWriting: Bool, isConnected: Bool = true
    ) -> Revision? {
        if let revision = cache.revision(of: oid, at: tid) { return revision }
        guard !(isForWriting && isConnected), let tier else { return nil }
        switch tier.revision(of: oid, at: tid) {
        case .success(let revision)?:
            hasServed = true
            if !isConnected { hasServedAlone = true }
            // What no server has confirmed does not leave its place, nor does what has not come from one leave it for edits.
            if tier.isSettled, !isForWriting { cache.insert(revision, oid) }
            return revision
        case .failure(let damage)?:
            if damages.isEmpty { remarks.append(damage.remark) }
            if damages.count < Self.mostDamages { damages[oid] = damage.remark }
            return nil
        case nil: return nil
        }
    }

    /// Why the cache file, which has the object, or had it, does not tell of it.
    func damage(of oid: ObjectID) -> String? {
        if let damage = damages[oid] { return damage }
        guard let file = tier?.file, let failure = file.failure else { return nil }
        return "the cache file \(file.path) is no longer used: \(failure)"
    }

    mutating func willLoad(_ oid: ObjectID) {
        loading[oid, default: (0, [])].loads += 1
    }

    /// The load of `oid` is over. The revision as it is now: when an invalidation came in between, a revision that was
    /// current for the server may no longer be.
    mutating func loaded(_ oid: ObjectID, _ revision: Revision?) -> Revision? {
        let invalidations = loading[oid]?.invalidations ?? []
        if let loads = loading[oid]?.loads, loads > 1 {
            loading[oid]?.loads = loads - 1
        } else {
            loading[oid] = nil
        }
        guard var revision else { return nil }
        if revision.next == nil { revision.next = invalidations.first { $0 > revision.serial } }
        cache.insert(revision, oid)
        tier?.insert(revision, oid)
        return revision
    }
}

// MARK: The cache file

extension SharedView {
    /// Looks into a file as well. What it holds is taken for the state of its last transaction until a server says otherwise.
    mutating func use(_ file: CacheFile) {
        tier = FileTier(file)
        if !file.isEmpty { lastTransaction = file.lastTransaction }
    }

    var cacheFile: CacheFile? { tier?.file }

    /// What has to be asked before the file is believed, if nobody is asking it.
    mutating func takeInquiry() -> FileTier.Inquiry? {
        guard !isAsking, let inquiry = tier?.inquiry else { return nil }
        isAsking = true
        return inquiry
    }

    /// An inquiry is over.
    /// - Parameter judgement: nil when nobody answered.
    mutating func settle(_ inquiry: FileTier.Inquiry, _ judgement: FileTier.Judgement?) {
        isAsking = false
        guard let judgement else { return }
        switch tier?.settle(inquiry, judgement) {
        case .leftAlone(let reason)?: withdraw(reason)
        case .used(let remark?)?: remarks.append(remark)
        case .used(nil)?, nil: break
        }
    }

    /// What the server's answers say of the file; nil when there is none any more.
    func judge(_ inquiry: FileTier.Inquiry, _ answers: [TransactionID?]) -> FileTier.Judgement? {
        tier?.judge(inquiry, answers)
    }

    /// Files that are not used any more: to be closed where nobody waits for the disk.
    mutating func takeGivenUp() -> [CacheFile] {
        defer { givenUp = [] }
        return givenUp
    }

    /// Goes on without the file.
    mutating func drop(_ reason: String) {
        if let tier { givenUp.append(tier.file) }
        tier = nil
        remarks.append(reason)
    }

    /// Goes on without the file, which is not of the server's state: nor is what was read from it.
    private mutating func withdraw(_ reason: String) {
        drop(reason)
        cache.removeAll()
        guard hasServed else { return }
        hasServed = false
        rereadings += 1
        report(Invalidation(tid: lastTransaction, oids: [], isComplete: false))
    }

    /// Says so when the file has failed.
    mutating func lookAfterFile() {
        guard let file = tier?.file, let failure = file.failure else { return }
        drop("the cache file \(file.path) is no longer used: \(failure)")
    }

    /// Lets go of the file.
    mutating func leaveFile() {
        if let tier { givenUp.append(tier.file) }
        tier = nil
    }
}
