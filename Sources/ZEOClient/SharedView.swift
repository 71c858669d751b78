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
    /// Objects being loaded, and the invalidations that arrived since they were asked for.
    private var loading: [ObjectID: (loads: Int, invalidations: [TransactionID])] = [:]

    init(cacheCapacity: Int) {
        cache = RevisionCache(capacity: cacheCapacity)
    }

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
        // Known already when it was under way while the server answered what was missed.
        guard invalidation.tid > lastTransaction else { return }
        lastTransaction = invalidation.tid
        report(invalidation)
    }

    /// A transaction of our own has become `tid`: as with others', but nobody needs to be told.
    mutating func committed(_ oids: some Sequence<ObjectID>, as tid: TransactionID) {
        end(oids, in: tid)
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

    mutating func cached(_ oid: ObjectID, at tid: TransactionID) -> Revision? {
        cache.revision(of: oid, at: tid)
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
        return revision
    }
}
