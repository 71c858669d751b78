internal import Pickle

/// Writes transactions and their records for people, in the words of Python's `fsdump`.
///
///     Trans #00000 tid=040d271ce85dac99 size=190 time=2026-11-20 23:24:54.449561
///         status=' ' user=b'' description=b'initial database creation'
///       data #00000 oid=0000000000000000 size=66 class=persistent.mapping.PersistentMapping
///
/// Source: ZODB 6, `FileStorage/fsdump.py`, without offsets.
public struct PlainDumpWriter: DumpingVisitor {
    private let sink: DumpWriter.Sink
    private var text: [UInt8] = []
    private var names = ClassNames()
    /// The text of each class by its number.
    private var classTexts: [[UInt8]] = []
    private var recordNumber = 0
    private var last: TransactionID?
    public private(set) var transactionCount = 0
    public private(set) var recordCount = 0

    private static let chunkSize = 128 << 10

    /// - Parameter sink: is given the text, piece by piece.
    public init(to sink: @escaping DumpWriter.Sink) { self.sink = sink }

    public var interest: RevisionInterest { .transactions }

    public mutating func visit(_ transaction: TransactionSummary) throws(StorageError) {
        if text.count >= Self.chunkSize { try passOn() }
        DumpText.append("Trans #", to: &text)
        DumpText.append(decimal: transactionCount, width: 5, to: &text)
        DumpText.append(" tid=", to: &text)
        DumpText.append(transaction.tid.rawValue, to: &text)
        if let length = transaction.length {
            DumpText.append(" size=", to: &text)
            DumpText.append(decimal: length, to: &text)
        }
        DumpText.append(" time=", to: &text)
        appendTime(transaction.tid)
        DumpText.append("\n    status='", to: &text)
        text.append(transaction.status.rawValue)
        DumpText.append("' user=", to: &text)
        text += Array(PythonString.bytesLiteral(transaction.user).text.utf8)
        DumpText.append(" description=", to: &text)
        text += Array(PythonString.bytesLiteral(transaction.description).text.utf8)
        DumpText.append("\n", to: &text)
        transactionCount += 1
        recordNumber = 0
        last = transaction.tid
    }

    /// Its first lines may have been written: they stay.
    public mutating func dropTransaction() -> (complete: Int, excluded: TransactionID?) {
        (max(0, transactionCount - 1), last)
    }

    public mutating func visit(_ record: VisitedRecord, _ data: RawSpan) throws(StorageError) {
        if text.count >= Self.chunkSize { try passOn() }
        DumpText.append("  data #", to: &text)
        DumpText.append(decimal: recordNumber, width: 5, to: &text)
        DumpText.append(" oid=", to: &text)
        DumpText.append(record.oid.rawValue, to: &text)
        if data.byteCount == 0 {
            DumpText.append(" class=undo or abort of object creation", to: &text)
        } else {
            DumpText.append(" size=", to: &text)
            DumpText.append(decimal: data.byteCount, to: &text)
            DumpText.append(" class=", to: &text)
            appendClass(of: data)
        }
        if let source = record.dataTransaction {
            DumpText.append(" bp=", to: &text)
            DumpText.append(source.rawValue, to: &text)
        }
        DumpText.append("\n", to: &text)
        recordNumber += 1
        recordCount += 1
    }

    public mutating func keep(_ data: RawSpan, of owner: TransactionSummary) throws(StorageError) {}

    /// Writes what is left. To be called once, behind the last record.
    public mutating func finish() throws(StorageError) { try passOn() }

    private mutating func passOn() throws(StorageError) {
        if !text.isEmpty { try sink(text) }
        text.removeAll(keepingCapacity: true)
    }

    private mutating func appendClass(of data: RawSpan) {
        guard let number = names.number(ofClassIn: data) else { return DumpText.append(".", to: &text) }
        while classTexts.count <= number { classTexts.append(Array(names.name(classTexts.count).utf8)) }
        text += classTexts[number]
    }

    /// `2026-11-20 23:24:54.449561`, UTC.
    private mutating func appendTime(_ tid: TransactionID) {
        let time = tid.civilTime
        for (number, width, separator) in [
            (time.year, 4, "-" as StaticString), (time.month, 2, "-"), (time.day, 2, " "), (time.hour, 2, ":"),
            (time.minute, 2, ":"),
        ] {
            DumpText.append(decimal: number, width: width, to: &text)
            DumpText.append(separator, to: &text)
        }
        let micros = Int((time.second * 1e6).rounded())
        DumpText.append(decimal: micros / 1_000_000, width: 2, to: &text)
        DumpText.append(".", to: &text)
        DumpText.append(decimal: micros % 1_000_000, width: 6, to: &text)
    }
}
