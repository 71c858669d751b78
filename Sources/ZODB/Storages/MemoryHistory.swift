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
    fileprivate(set) var records: [ObjectID: [Record]] = [:]
    /// Oldest first.
    fileprivate(set) var transactions: [Transaction] = []
    fileprivate var blobs: [BlobKey: [UInt8]] = [:]
    /// Bytes of all records.
    fileprivate(set) var size = 0
    /// The last transaction when it was packed: perhaps nothing of it is left.
    fileprivate var lastPacked = TransactionID.none
    /// The time it was packed to.
    fileprivate(set) var packTime: TransactionID?

    fileprivate struct BlobKey: Hashable {
        var oid: ObjectID
        var serial: TransactionID
    }

    var lastTransaction: TransactionID { max(transactions.last?.summary.tid ?? .none, lastPacked) }

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

// MARK: Packing

extension MemoryHistory {
    /// Drops, of each object, what was not current at `tid` or later; and, where garbage is collected, objects that no
    /// revision which is left leads to from the root.
    ///
    /// Source: ZODB 6, `MappingStorage.pack`.
    /// - Parameter references: what a record refers to.
    /// - Returns: references to objects that are not there.
    mutating func pack(
        to tid: TransactionID, collectsGarbage: Bool, references: ([UInt8], ObjectID) throws(StorageError) -> [ObjectID]
    ) throws(StorageError) -> [PackSummary.Dangling] {
        var dangling: [PackSummary.Dangling] = []
        var kept: [ObjectID: ArraySlice<Record>] = [:]
        func keep(_ oid: ObjectID, _ all: [Record]) -> ArraySlice<Record> {
            let slice = all[max(0, all.boundary { $0.serial > tid } - 1)...]
            kept[oid] = slice
            return slice
        }
        if collectsGarbage {
            var waiting = [(oid: ObjectID.root, referrer: ObjectID.root)]
            while let (oid, referrer) = waiting.popLast() {
                guard kept[oid] == nil else { continue }
                guard let all = records[oid] else {
                    dangling.append(PackSummary.Dangling(missing: oid, referrer: referrer))
                    continue
                }
                for record in keep(oid, all) {
                    guard let data = record.data else { continue }
                    for reference in try references(data, oid) where kept[reference] == nil {
                        waiting.append((reference, oid))
                    }
                }
            }
        } else {
            for (oid, all) in records { _ = keep(oid, all) }
        }
        lastPacked = lastTransaction
        packTime = tid
        var gone: [TransactionID: Set<ObjectID>] = [:]
        for (oid, all) in records {
            let left = kept[oid] ?? []
            for record in all where left.first.map({ record.serial < $0.serial }) ?? true {
                gone[record.serial, default: []].insert(oid)
                size -= record.data?.count ?? 0
                blobs[BlobKey(oid: oid, serial: record.serial)] = nil
            }
        }
        records = kept.mapValues { Array($0) }
        transactions = transactions.compactMap { transaction in
            guard let oids = gone[transaction.summary.tid] else { return transaction }
            var transaction = transaction
            transaction.oids.removeAll { oids.contains($0) }
            transaction.summary.status = .packed
            return transaction.oids.isEmpty ? nil : transaction
        }
        return dangling
    }
}
