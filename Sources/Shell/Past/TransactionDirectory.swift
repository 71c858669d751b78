internal import ObjectGraph
internal import ZODB

/// What transactions say of themselves, found by an object that each wrote: a storage finds an object's revisions fast,
/// and a transaction by its tid often only by going through all of them.
final class TransactionDirectory {
    private let storage: any Storage
    private var known: [TransactionID: TransactionSummary] = [:]
    /// How many revisions of an object have been asked for.
    private var limits: [ObjectID: Int] = [:]

    init(_ storage: any Storage) { self.storage = storage }

    /// nil where the storage keeps no history, or has forgotten.
    func summary(_ tid: TransactionID, of oid: ObjectID) throws(StorageError) -> TransactionSummary? {
        if let summary = known[tid] { return summary }
        guard let storage = storage as? any HistoryStorage, !tid.isStaged else { return nil }
        var limit = limits[oid] ?? 0
        do throws(StorageError) {
            while true {
                limit = limit == 0 ? 50 : limit * 4
                let entries = try storage.history(of: oid, limit: limit)
                limits[oid] = limit
                for entry in entries { known[entry.transaction.tid] = entry.transaction }
                if let summary = known[tid] { return summary }
                guard entries.count == limit, limit < 1 << 24 else { return nil }
            }
        } catch .noSuchObject {
            return nil
        }
    }
}
