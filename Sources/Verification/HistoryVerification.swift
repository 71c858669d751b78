internal import ZODB

/// Goes through the transactions of a storage: that their tids ascend, and, where past revisions are wanted, that their
/// records are pickles.
struct HistoryVerification {
    private let storage: any Storage
    private let options: VerificationOptions

    init(_ storage: any Storage, _ options: VerificationOptions) { (self.storage, self.options) = (storage, options) }

    func run(_ result: inout VerificationResult) throws(StorageError) {
        guard let storage = storage as? any TransactionLogStorage else {
            throw .unsupported("\(storage.name) cannot list its transactions")
        }
        var check = RecordCheck()
        let readsRecords = options.includesHistory && options.level >= .records
        let cursor = try storage.transactions(from: .none, through: result.lastTransaction)
        var (previous, transactions, records) = (TransactionID.none, 0, 0)
        while let transaction = try cursor.next() {
            transactions += 1
            if transactions.isMultiple(of: 64) {
                try options.interruption.check()
                options.progress?("transactions", transactions, nil, "transactions")
            }
            if transaction.tid <= previous {
                result.list.add(
                    Defect(
                        .transactionOrder, .warning, tid: transaction.tid,
                        "transaction \(transaction.tid) is not later than \(previous) before it"))
            }
            previous = transaction.tid
            guard readsRecords else { continue }
            let found = try storage.records(of: transaction.tid).records
            while let record = try found.next() {
                records += 1
                guard let data = record.data, let complaint = check.read(data.span.bytes, of: record.oid) else {
                    continue
                }
                result.list.add(
                    Defect(
                        complaint.kind, complaint.severity, oid: record.oid, tid: transaction.tid, complaint.what))
            }
        }
        result.note("transactions", transactions)
        if readsRecords { result.note("records_read", records) }
    }
}
