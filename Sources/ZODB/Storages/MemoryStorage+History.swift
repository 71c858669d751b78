internal import Synchronization

extension MemoryStorage: HistoryStorage {
    public func history(of oid: ObjectID, limit: Int) throws(StorageError) -> [HistoryEntry] {
        let entries = database.history.withLock { history -> [HistoryEntry]? in
            history.records[oid]?.reversed().prefix(max(limit, 0)).compactMap { record in
                history.transaction(record.serial).map {
                    HistoryEntry(transaction: $0.summary, size: record.size)
                }
            }
        }
        guard let entries else { throw .noSuchObject(oid) }
        return entries
    }
}

extension MemoryStorage: TransactionLogStorage, UndoableStorage {
    public var supportsUndo: Bool { isWritable }

    public func transactionLog() throws(StorageError) -> any Cursor<TransactionSummary> {
        ArrayCursor(database.history.withLock { $0.transactions.reversed().map(\.summary) })
    }

    public func transactions(
        from first: TransactionID, through last: TransactionID
    ) throws(StorageError) -> any Cursor<TransactionSummary> {
        ArrayCursor(
            database.history.withLock { history in
                let start = history.transactions.boundary { $0.summary.tid >= first }
                return history.transactions[start...].prefix { $0.summary.tid <= last }.map(\.summary)
            })
    }

    public func records(
        of tid: TransactionID
    ) throws(StorageError) -> (transaction: TransactionSummary, records: any Cursor<TransactionRecord>) {
        let found = database.history.withLock { history in
            history.transaction(tid).map { transaction in
                let records = transaction.oids.compactMap { oid -> TransactionRecord? in
                    guard let record = history.record(oid, at: tid).record else { return nil }
                    return TransactionRecord(oid: oid, data: record.data, dataTransaction: record.dataTransaction)
                }
                return (transaction.summary, records)
            }
        }
        guard let (summary, records) = found else { throw .noSuchTransaction(tid) }
        return (summary, ArrayCursor(records))
    }
}

extension MemoryStorage: CurrentRecordStorage, ScannableStorage {
    /// The records that are in this database itself, as they are now.
    public func currentRecords(from first: ObjectID) throws(StorageError) -> any Cursor<CurrentRecord> {
        ArrayCursor(ownCurrentRecords().filter { $0.oid >= first })
    }

    func ownCurrentRecords() -> [CurrentRecord] {
        let records = database.history.withLock { history in
            history.records.compactMap { oid, records -> CurrentRecord? in
                guard let last = records.last, let data = last.data else { return nil }
                return CurrentRecord(oid: oid, revision: Revision(data: data, serial: last.serial, next: nil))
            }
        }
        return records.sorted { $0.oid < $1.oid }
    }

    public func scanCurrentRecords(
        _ body: (ObjectID, TransactionID, RawSpan) throws(StorageError) -> Void
    ) throws(StorageError) {
        for record in ownCurrentRecords() {
            try interruption?.check()
            try body(record.oid, record.revision.serial, record.revision.data.span.bytes)
        }
    }

    public func scanRecords(
        _ body: (ObjectID, TransactionID, RawSpan) throws(StorageError) -> Void
    ) throws(StorageError) {
        let transactions = try transactions(from: .none, through: .latest)
        while let transaction = try transactions.next() {
            let records = try records(of: transaction.tid).records
            while let record = try records.next() {
                try interruption?.check()
                guard let data = record.data, record.dataTransaction == nil else { continue }
                try body(record.oid, transaction.tid, data.span.bytes)
            }
        }
    }
}

extension MemoryStorage: BlobStorage {
    public func blob(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> any Cursor<[UInt8]> {
        ArrayCursor([try blobBytes(oid, serial)].filter { !$0.isEmpty })
    }

    public func blobSize(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> Int? {
        try blobBytes(oid, serial).count
    }

    private func blobBytes(_ oid: ObjectID, _ serial: TransactionID) throws(StorageError) -> [UInt8] {
        guard let bytes = database.history.withLock({ $0.blob(oid, serial) }) else {
            throw .noBlob(oid, serial: serial, "\(name) has none")
        }
        return bytes
    }
}
