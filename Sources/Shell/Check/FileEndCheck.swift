internal import ZODB
internal import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Whether the end of a Data.fs holds together: its last transactions, read backwards, lead to one another, their records
/// can be read, and nothing that was committed is missing behind them.
struct FileEndCheck {
    private let storage: any Storage
    private static let transactions = 100
    /// Of records, in bytes of data: what is read in a moment.
    private static let amount = 32 << 20

    init(_ storage: any Storage) { self.storage = storage }

    /// - Throws: what is damaged.
    func run(_ result: inout CheckResult) throws(StorageError) {
        // First: of a file that is cut off it says most, and what follows may throw.
        try checkTail(&result)
        guard let log = storage as? any TransactionLogStorage else { return }
        let cursor = try log.transactionLog()
        var (count, later, amount, records) = (0, TransactionID.latest, 0, 0)
        while count < Self.transactions, let transaction = try cursor.next() {
            count += 1
            if transaction.tid >= later {
                result.add(.warning, "transaction \(later) is not later than \(transaction.tid) before it")
            }
            later = transaction.tid
            guard amount < Self.amount else { continue }
            let cursor = try log.records(of: transaction.tid).records
            while amount < Self.amount, let record = try cursor.next() {
                records += 1
                amount += record.data?.count ?? 0
            }
        }
        if count < Self.transactions, records == 0 { result.addEmpty() }
        result.measure("transactions_checked", Double(count), .count, "transactions checked", nil, nil, isQuiet: true)
    }

    private func checkTail(_ result: inout CheckResult) throws(StorageError) {
        guard let (end, tail, file) = try (storage as? FileStorage)?.committedEnd() else { return }
        if let covered = try IndexFile.committedEnd(behind: end, in: file) {
            let size = try file.size()
            result.add(
                .critical,
                "committed transactions are gone: the .index knows \(covered) bytes, the file has \(size)"
                    + (tail.map { "; after the last transaction: \($0)" } ?? ""))
        } else if let tail, !file.isLocked {
            result.add(
                .warning,
                "after the last transaction: \(tail): an unfinished commit, or the end of a copy that was cut short")
        }
    }

    /// The file's size in bytes; nil when there is none.
    static func size(_ path: String?) -> Int? {
        guard let path else { return nil }
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : nil
    }
}
