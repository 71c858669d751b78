/// Writes the transactions of a dump into a storage, as they were: with their tids.
public struct DumpRestoration {
    public private(set) var transactionCount = 0
    public private(set) var recordCount = 0
    /// The last transaction written; `.none` before the first.
    public private(set) var last = TransactionID.none

    public init() {}

    /// Writes all transactions that are left in `reader`, each as a whole: after an error those before it are there.
    /// - Parameter progress: called after each transaction with the bytes of the dump read so far.
    /// - Throws: `wrongState` when a transaction is not later than the storage's last one; what the reader, and the
    ///   storage's own calls, throw.
    public mutating func restore(
        from reader: inout DumpReader, into storage: any RestorableStorage, interruption: Interruption?,
        progress: (Int) -> Void
    ) throws(StorageError) {
        while let transaction = try reader.next() {
            try interruption?.check()
            try write(transaction, storage)
            transactionCount += 1
            recordCount += transaction.records.count
            last = transaction.tid
            progress(reader.offset)
        }
    }

    private func write(_ dumped: DumpedTransaction, _ storage: any RestorableStorage) throws(StorageError) {
        let status = TransactionSummary.Status(rawValue: dumped.status)
        guard let status, status == .complete || status == .packed else {
            throw .unsupported("transaction \(dumped.tid): it has the status \(dumped.status), and cannot be restored")
        }
        let began = try storage.begin(dumped.metadata, tid: dumped.tid, status: status)
        do throws(StorageError) {
            guard let transaction = began as? any RestoringTransaction else {
                throw .unsupported("\(storage.name): it does not take records of other storages")
            }
            for record in dumped.records {
                switch record.content {
                case .data(let data): try transaction.restore(data, for: record.oid, from: nil)
                case .deletion: try transaction.restore(nil, for: record.oid, from: nil)
                case .copy(let source):
                    let data = try Self.data(of: record.oid, at: source, in: dumped.tid, storage)
                    try transaction.restore(data, for: record.oid, from: source)
                }
            }
            _ = try transaction.vote()
            _ = try transaction.finish()
        } catch {
            began.abort()
            throw error
        }
    }

    private static func data(
        of oid: ObjectID, at source: TransactionID, in tid: TransactionID, _ storage: any RestorableStorage
    ) throws(StorageError) -> [UInt8] {
        do throws(StorageError) {
            return try storage.load(oid, at: source).data
        } catch {
            switch error {
            case .noSuchObject, .noRevision:
                throw .wrongState(
                    "transaction \(tid) takes the data of object \(oid) from \(source), which the storage does not have: "
                        + "the dump does not begin early enough")
            default: throw error
            }
        }
    }
}
