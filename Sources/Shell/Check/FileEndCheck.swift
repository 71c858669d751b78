internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Whether the end of a Data.fs holds together: its last transactions, read backwards, lead to one another, and their
/// records can be listed.
struct FileEndCheck {
    private let storage: any Storage
    private static let transactions = 100

    init(_ storage: any Storage) { self.storage = storage }

    /// - Throws: what is damaged.
    func run(_ result: inout CheckResult) throws(StorageError) {
        guard let log = storage as? any TransactionLogStorage else { return }
        let cursor = try log.transactionLog()
        var (count, later) = (0, TransactionID.latest)
        while count < Self.transactions, let transaction = try cursor.next() {
            count += 1
            if transaction.tid >= later {
                result.add(.warning, "transaction \(later) is not later than \(transaction.tid) before it")
            }
            later = transaction.tid
            guard count <= 5 else { continue }
            let records = try log.records(of: transaction.tid).records
            while try records.next() != nil {}
        }
        result.measure("transactions_checked", Double(count), .count, "transactions checked", nil, nil, isQuiet: true)
    }

    /// The file's size in bytes; nil when there is none.
    static func size(_ path: String?) -> Int? {
        guard let path else { return nil }
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : nil
    }
}
