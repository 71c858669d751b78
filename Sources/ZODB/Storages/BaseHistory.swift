/// The past of a storage that shows through another, and of what was changed there.
extension MemoryStorage.Base {
    /// - Throws: `unsupported` where the base cannot do it.
    func asking<Capability>(_ capability: Capability.Type, _ what: String) throws(StorageError) -> Capability {
        guard let storage = storage as? Capability else { throw .unsupported("\(storage.name) cannot \(what)") }
        return storage
    }

    /// All transactions, the newest first.
    func log(below own: any TransactionLogStorage) throws(StorageError) -> any Cursor<TransactionSummary> {
        let below = try asking((any TransactionLogStorage).self, "list its transactions").transactionLog()
        return ChainedCursor(try own.transactionLog(), FilteredCursor(below) { $0.tid <= self.tid })
    }

    func transactions(
        below own: any TransactionLogStorage, from first: TransactionID, through last: TransactionID
    ) throws(StorageError) -> any Cursor<TransactionSummary> {
        let above = try own.transactions(from: first, through: last)
        guard first <= tid else { return above }
        let below = try asking((any TransactionLogStorage).self, "list its transactions")
        return ChainedCursor(try below.transactions(from: first, through: min(last, tid)), above)
    }

    func records(
        below own: any TransactionLogStorage, of asked: TransactionID
    ) throws(StorageError) -> (transaction: TransactionSummary, records: any Cursor<TransactionRecord>) {
        guard asked <= tid else { return try own.records(of: asked) }
        return try asking((any TransactionLogStorage).self, "list its transactions").records(of: asked)
    }

    func history(
        below own: any HistoryStorage, of oid: ObjectID, limit: Int
    ) throws(StorageError) -> [HistoryEntry] {
        var entries: [HistoryEntry] = []
        do throws(StorageError) {
            entries = try own.history(of: oid, limit: limit)
        } catch .noSuchObject {
            // Not changed there.
        }
        guard entries.count < limit else { return entries }
        do throws(StorageError) {
            return entries + (try history(of: oid, limit: limit - entries.count))
        } catch .noSuchObject where !entries.isEmpty {
            return entries
        }
    }

    private func history(of oid: ObjectID, limit: Int) throws(StorageError) -> [HistoryEntry] {
        let below = try asking((any HistoryStorage).self, "tell an object's history")
        // How many are too young is seen when they are there.
        var asked = limit
        while true {
            let all = try below.history(of: oid, limit: asked)
            let seen = all.filter { $0.transaction.tid <= tid }
            if seen.count >= limit || all.count < asked {
                guard !seen.isEmpty else { throw .noSuchObject(oid) }
                return Array(seen.prefix(limit))
            }
            let (twice, overflows) = asked.multipliedReportingOverflow(by: 2)
            asked = overflows ? .max : twice
        }
    }
}
