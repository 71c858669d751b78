internal import Synchronization
public import ZODB

extension FileStorage: TransactionLogStorage {
    /// Every transaction, newest first, read backwards from the file's end: the first costs no more in a large file.
    public func transactionLog() throws(StorageError) -> any Cursor<TransactionSummary> {
        TransactionCursor(self, try view()) { (reader, current) throws(StorageError) in
            guard let current else { return try reader.last() }
            return try reader.entry(before: current)
        }
    }

    public func transactions(
        from first: TransactionID, through last: TransactionID
    ) throws(StorageError) -> any Cursor<TransactionSummary> {
        let interruption = options.interruption
        return TransactionCursor(self, try view()) { (reader, current) throws(StorageError) in
            let next: TransactionReader.Entry?
            if let current {
                next = try reader.entry(after: current)
            } else {
                next = try reader.firstEntry(from: first, interruption)
            }
            guard let next, next.header.tid <= last else { return nil }
            return next
        }
    }

    public func records(
        of tid: TransactionID
    ) throws(StorageError) -> (transaction: TransactionSummary, records: any Cursor<TransactionRecord>) {
        let view = try view()
        let entry = try entry(of: tid, in: view)
        let records = try RecordCursor(recordReader(for: view), entry)
        return (entry.summary, records)
    }

    private func entry(of tid: TransactionID, in view: View) throws(StorageError) -> TransactionReader.Entry {
        if let position = state.withLock({ $0.file === view.file ? $0.positions[tid] : nil }) {
            return try view.transactions.entry(at: position)
        }
        guard let entry = try view.transactions.firstEntry(from: tid, options.interruption), entry.header.tid == tid
        else { throw .noSuchTransaction(tid) }
        return entry
    }

    /// Notes where a transaction is that was shown: it is the likeliest to be asked for.
    func remember(_ entry: TransactionReader.Entry) {
        state.withLock { state in
            if state.positions.count >= 4096 { state.positions = [:] }
            state.positions[entry.header.tid] = entry.header.position
        }
    }
}

extension TransactionReader {
    /// The first transaction whose tid is not below `tid`; nil when there is none.
    ///
    /// It is looked for from both ends of the file in turn, so that it costs twice the way from the nearer one: tids are
    /// times, and a site that slept for years has most of its transactions at one end of them. Damage on the way from one
    /// end leaves that from the other.
    /// - Throws: `corrupt` when both ways are damaged; `io`; `interrupted`.
    func firstEntry(
        from tid: TransactionID, _ interruption: Interruption?
    ) throws(StorageError) -> Entry? {
        guard let last = try last(), last.header.tid >= tid, let first = try first() else { return nil }
        guard first.header.tid < tid else { return first }
        var (front, back) = (first, last)
        var frontDamage: StorageError?, backDamage: StorageError?
        while true {
            try interruption?.check()
            guard back.header.tid > tid else { return back }
            if frontDamage == nil {
                do throws(StorageError) {
                    guard let next = try entry(after: front) else { return nil }
                    guard next.header.tid < tid else { return next }
                    front = next
                } catch {
                    guard case .corrupt = error else { throw error }
                    frontDamage = error
                }
            }
            if backDamage == nil {
                do throws(StorageError) {
                    guard let before = try entry(before: back), before.header.tid >= tid else { return back }
                    back = before
                } catch {
                    guard case .corrupt = error else { throw error }
                    backDamage = error
                }
            }
            if let frontDamage, backDamage != nil { throw frontDamage }
        }
    }

    /// The transaction that a record says it is part of.
    func entry(holding record: RecordHeader) throws(StorageError) -> Entry {
        guard record.transaction < UInt64(record.position) else {
            throw damage("transaction of a record", "\(record.transaction)", at: record.position + 24)
        }
        let entry = try entry(at: Int(record.transaction))
        guard entry.end > record.position else {
            throw damage("transaction of a record", "\(record.transaction)", at: record.position + 24)
        }
        return entry
    }
}

/// Transactions one after the other, each found from the one before.
private final class TransactionCursor: Cursor {
    typealias Step = (TransactionReader, TransactionReader.Entry?) throws(StorageError) -> TransactionReader.Entry?

    private let storage: FileStorage
    private let reader: TransactionReader
    private let step: Step
    private var current: TransactionReader.Entry?
    private var isAtEnd = false

    init(_ storage: FileStorage, _ view: FileStorage.View, _ step: @escaping Step) {
        self.storage = storage
        reader = view.transactions
        self.step = step
    }

    func next() throws(StorageError) -> TransactionSummary? {
        guard !isAtEnd else { return nil }
        isAtEnd = true
        guard let entry = try step(reader, current) else { return nil }
        isAtEnd = false
        current = entry
        storage.remember(entry)
        return entry.summary
    }
}

/// The records of one transaction, in stored order.
private final class RecordCursor: Cursor {
    private let reader: RecordReader
    private var scanner: FileScanner
    private var isAtEnd = false

    init(_ reader: RecordReader, _ entry: TransactionReader.Entry) throws(StorageError) {
        self.reader = reader
        scanner = try FileScanner(reader.file, from: entry.header.position, to: entry.end, .boundary)
    }

    func next() throws(StorageError) -> TransactionRecord? {
        guard !isAtEnd else { return nil }
        isAtEnd = true
        guard try scanner.next() else { return nil }
        isAtEnd = false
        let record = try reader.read(at: scanner.recordPosition, oid: scanner.oid, withData: true)
        return TransactionRecord(
            oid: scanner.oid, data: try reader.data(of: record),
            dataTransaction: try reader.target(of: record)?.header.serial)
    }
}
