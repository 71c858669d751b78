public import ZODB

/// The last transactions and what each changed, for clients that come back after a while: they keep their caches when
/// all that they missed is still known.
///
/// Bounded by a number of transactions and, beyond that, by age: with an age, transactions younger than that are kept
/// however many there are, up to a number of oids.
public struct InvalidationHistory: Sendable {
    /// Transactions kept whatever their age.
    public let count: Int
    /// Transactions younger than this are kept too; in units of a tid, nil for none.
    public let age: Double?
    /// Oids kept because of their age at most; a day of bulk imports must not fill the memory.
    public static let mostOIDs = 2_000_000

    private struct Entry: Sendable {
        var tid: TransactionID
        var oids: [ObjectID]
    }

    private var entries: [Entry] = []
    private var start = 0
    private var oidCount = 0

    /// - Parameters:
    ///   - count: how many transactions (ZEO's `invalidation-queue-size`).
    ///   - age: how many seconds (ZEO's `invalidation-age`).
    public init(count: Int, age: Double? = nil) {
        self.count = max(count, 1)
        self.age = age
    }

    /// The transactions known.
    public var transactionCount: Int { entries.count - start }

    /// Takes in a transaction that is later than all before.
    public mutating func append(_ tid: TransactionID, _ oids: [ObjectID]) {
        entries.append(Entry(tid: tid, oids: oids))
        oidCount += oids.count
        let oldestByAge = age.map { TransactionID(unixTime: tid.unixTime - $0) ?? .none }
        while transactionCount > count {
            if let oldestByAge, entries[start].tid > oldestByAge, oidCount <= Self.mostOIDs { break }
            oidCount -= entries[start].oids.count
            entries[start].oids = []
            start += 1
        }
        if start > 1000, start > entries.count / 2 {
            entries.removeFirst(start)
            start = 0
        }
    }

    /// What changed after `tid`: the last transaction, and the oids. nil when it is not known any more.
    ///
    /// Known is what changed after the oldest transaction kept: of that one itself a client that has seen it knows all.
    public func changes(since tid: TransactionID) -> Invalidation? {
        guard let last = entries.last, entries[start].tid <= tid else { return nil }
        var seen: Set<ObjectID> = []
        var oids: [ObjectID] = []
        var index = entries.count - 1
        while index >= start, entries[index].tid > tid {
            for oid in entries[index].oids where seen.insert(oid).inserted { oids.append(oid) }
            index -= 1
        }
        return Invalidation(tid: last.tid, oids: oids)
    }
}
