public import ZODB

extension FileStorage: HistoryStorage {
    /// Revisions of one object, newest first. Records of uncommitted versions (ZODB before 3.9) are left out: they are
    /// no revisions of what everybody sees.
    public func history(of oid: ObjectID, limit: Int) throws(StorageError) -> [HistoryEntry] {
        try newestRecord(of: oid) { (reader, position) throws(StorageError) in
            let transactions = TransactionReader(file: reader.file, end: reader.end)
            var entries: [HistoryEntry] = []
            var record: RecordReader.Record? = try reader.read(at: position, oid: oid, withData: false)
            while let current = record, entries.count < limit {
                if !current.isInVersion {
                    let transaction = try transactions.entry(holding: current.header)
                    remember(transaction)
                    entries.append(
                        HistoryEntry(transaction: transaction.summary, size: Int(current.header.dataSize)))
                }
                record = try reader.older(than: current)
            }
            return entries
        }
    }
}
