/// Every revision of every object of a storage in memory, and the transactions that made them.
struct MemoryHistory: Sendable {
    /// What one transaction made of one object.
    struct Record: Sendable {
        var serial: TransactionID
        /// nil when it was deleted.
        var data: [UInt8]?
        /// The transaction whose data this is, for an undo.
        var dataTransaction: TransactionID?

        /// As a Data.fs would have it: a back pointer and a deletion have no data of their own.
        var size: Int { dataTransaction == nil ? data?.count ?? 0 : 0 }
    }

    struct Transaction: Sendable {
        var summary: TransactionSummary
        /// In the order in which they were stored first.
        var oids: [ObjectID]
    }

    /// Of each object, oldest first; never empty.
    private(set) var records: [ObjectID: [Record]] = [:]
    /// Oldest first.
    private(set) var transactions: [Transaction] = []
    private var blobs: [BlobKey: [UInt8]] = [:]
    /// Bytes of all records.
    private(set) var size = 0

    private struct BlobKey: Hashable {
        var oid: ObjectID
        var serial: TransactionID
    }

    var lastTransaction: TransactionID { transactions.last?.summary.tid ?? .none }

    func newest(_ oid: ObjectID) -> Record? { records[oid]?.last }

    /// The newest record that is not younger than `tid`, and the one after it.
    func record(_ oid: ObjectID, at tid: TransactionID) -> (record: Record?, next: TransactionID?) {
        guard let all = records[oid] else { return (nil, nil) }
        let following = all.boundary { $0.serial > tid }
        return (following > 0 ? all[following - 1] : nil, following < all.count ? all[following].serial : nil)
    }

    func transaction(_ tid: TransactionID) -> Transaction? {
        let index = transactions.boundary { $0.summary.tid >= tid }
        guard index < transactions.count, transactions[index].summary.tid == tid else { return nil }
        return transactions[index]
    }

    func blob(_ oid: ObjectID, _ serial: TransactionID) -> [UInt8]? { blobs[BlobKey(oid: oid, serial: serial)] }

    /// Adds a transaction that is younger than all.
    mutating func append(_ transaction: Transaction, _ changes: [ObjectID: MemoryChange]) {
        let tid = transaction.summary.tid
        precondition(tid > lastTransaction, "tids only grow")
        for oid in transaction.oids {
            guard let change = changes[oid] else { continue }
            records[oid, default: []].append(
                Record(serial: tid, data: change.data, dataTransaction: change.dataTransaction))
            size += change.data?.count ?? 0
            if let blob = change.blob { blobs[BlobKey(oid: oid, serial: tid)] = blob }
        }
        transactions.append(transaction)
    }
}

/// What a transaction that is being committed makes of one object.
struct MemoryChange: Sendable {
    /// nil when it is deleted.
    var data: [UInt8]?
    var dataTransaction: TransactionID?
    var blob: [UInt8]?
}

extension Array {
    /// The index of the first element that satisfies `predicate`, in an array whose satisfying elements are all at the
    /// end; `count` when none does.
    func boundary(where predicate: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
