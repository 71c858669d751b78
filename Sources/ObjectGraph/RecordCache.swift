internal import Pickle
internal import ZODB

/// Parsed records by object and time, the most recently used ones, within a limit of memory.
///
/// Two generations: what is used moves to the young one; when that is half full it becomes the old one and the former
/// old one goes. As good as a list of last use here, and much simpler.
struct RecordCache {
    private struct Entry {
        var record: ObjectRecord
        /// The last transaction as of which the record is known to be the right one.
        var through: TransactionID
    }

    let limit: Int
    private var young: [ObjectID: [Entry]] = [:]
    private var old: [ObjectID: [Entry]] = [:]
    private var youngCost = 0

    init(limit: Int) {
        self.limit = limit
    }

    mutating func record(_ oid: ObjectID, at tid: TransactionID) -> ObjectRecord? {
        if let entry = Self.entry(young[oid], at: tid) { return entry.record }
        guard let entry = Self.entry(old[oid], at: tid) else { return nil }
        insert(entry.record, through: entry.through)
        return entry.record
    }

    mutating func insert(_ record: ObjectRecord, through: TransactionID) {
        var entries = young[record.oid] ?? []
        entries.removeAll { $0.record.serial == record.serial }
        entries.append(Entry(record: record, through: through))
        young[record.oid] = entries
        youngCost += Self.cost(of: record)
        if youngCost > limit / 2 {
            old = young
            young = [:]
            youngCost = 0
        }
    }

    private static func entry(_ entries: [Entry]?, at tid: TransactionID) -> Entry? {
        entries?.first { $0.record.serial <= tid && tid <= $0.through }
    }

    /// Bytes of memory, roughly: the source, and about 40 for each value.
    private static func cost(of record: ObjectRecord) -> Int {
        record.document.source.count + record.document.nodeCount * 40 + 400
    }
}
