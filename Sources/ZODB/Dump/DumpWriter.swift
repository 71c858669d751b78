internal import ByteCoding

/// Writes transactions in the text format of `zodb dump`, which tools of other makers read and write.
///
///     txn 040d271ce85dac99 " "
///     user "/ admin"
///     description "edited"
///     extension ""
///     obj 0000000000000001 62 sha1:…        and in the next line the 62 bytes of the record as they are
///     obj 0000000000000002 from 040d2710…   the data of an earlier revision: an undo
///     obj 0000000000000003 delete
///
/// and an empty line behind each transaction. Objects stand in the order of their oids. A transaction is kept in memory
/// until all its records are known.
///
/// Source: zodbtools 0.0.0.dev9, `zodbdump.py`.
public struct DumpWriter: DumpingVisitor {
    public typealias Sink = ([UInt8]) throws(StorageError) -> Void

    private let isHashOnly: Bool
    private let sink: Sink
    private var text: [UInt8] = []
    /// The records of the transaction under way: their texts one behind the other, and where each lies.
    private var records: [UInt8] = []
    private var entries: [(oid: ObjectID, range: Range<Int>)] = []
    private var isOpen = false
    /// Where the text of the transaction under way begins.
    private var start = 0
    /// What was written.
    public private(set) var transactionCount = 0
    public private(set) var recordCount = 0

    private static let chunkSize = 256 << 10

    /// - Parameters:
    ///   - isHashOnly: the hash of each record's data, without the data.
    ///   - sink: is given the text, piece by piece.
    public init(isHashOnly: Bool, to sink: @escaping Sink) {
        self.isHashOnly = isHashOnly
        self.sink = sink
    }

    public var interest: RevisionInterest { .transactions }

    public mutating func visit(_ transaction: TransactionSummary) throws(StorageError) {
        try endTransaction()
        isOpen = true
        start = text.count
        transactionCount += 1
        DumpText.append("txn ", to: &text)
        DumpText.append(transaction.tid.rawValue, to: &text)
        DumpText.append(" ", to: &text)
        DumpQuoting.append([transaction.status.rawValue], to: &text)
        DumpText.append("\nuser ", to: &text)
        DumpQuoting.append(transaction.user, to: &text)
        DumpText.append("\ndescription ", to: &text)
        DumpQuoting.append(transaction.description, to: &text)
        DumpText.append("\nextension ", to: &text)
        DumpQuoting.append(transaction.extensionData, to: &text)
        DumpText.append("\n", to: &text)
    }

    public mutating func visit(_ record: VisitedRecord, _ data: RawSpan) throws(StorageError) {
        recordCount += 1
        let start = records.count
        DumpText.append("obj ", to: &records)
        DumpText.append(record.oid.rawValue, to: &records)
        if data.byteCount == 0 {
            DumpText.append(" delete", to: &records)
        } else if let source = record.dataTransaction {
            DumpText.append(" from ", to: &records)
            DumpText.append(source.rawValue, to: &records)
        } else {
            let bytes = data.withUnsafeBytes { unsafe [UInt8]($0) }
            DumpText.append(" ", to: &records)
            DumpText.append(decimal: bytes.count, to: &records)
            DumpText.append(" sha1:", to: &records)
            for byte in SHA1.digest(bytes) {
                records.append(DumpText.digit(byte >> 4))
                records.append(DumpText.digit(byte & 15))
            }
            if isHashOnly {
                DumpText.append(" -", to: &records)
            } else {
                DumpText.append("\n", to: &records)
                records += bytes
            }
        }
        DumpText.append("\n", to: &records)
        entries.append((record.oid, start..<records.count))
    }

    public mutating func keep(_ data: RawSpan, of owner: TransactionSummary) throws(StorageError) {}

    /// Writes what is left. To be called once, behind the last record.
    public mutating func finish() throws(StorageError) {
        try endTransaction()
        if !text.isEmpty { try sink(text) }
        text = []
    }

    public mutating func dropTransaction() -> (complete: Int, excluded: TransactionID?) {
        guard isOpen else { return (transactionCount, nil) }
        isOpen = false
        text.removeSubrange(start...)
        transactionCount -= 1
        recordCount -= entries.count
        records.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
        return (transactionCount, nil)
    }

    private mutating func endTransaction() throws(StorageError) {
        guard isOpen else { return }
        isOpen = false
        // Stable: of two records of one object the order counts.
        let isSorted = zip(entries, entries.dropFirst()).allSatisfy { $0.oid <= $1.oid }
        if isSorted {
            text += records
        } else {
            let order = entries.indices.sorted {
                (entries[$0].oid, $0) < (entries[$1].oid, $1)
            }
            for index in order { text += records[entries[index].range] }
        }
        records.removeAll(keepingCapacity: records.capacity <= Self.chunkSize)
        entries.removeAll(keepingCapacity: true)
        DumpText.append("\n", to: &text)
        guard text.count >= Self.chunkSize else { return }
        try sink(text)
        text.removeAll(keepingCapacity: text.capacity <= 2 * Self.chunkSize)
    }
}
