public import ZODB
internal import ZODBFile

/// What can be read of a damaged Data.fs: its whole transactions, in the order of the file, those behind damage included.
public struct ReadableTransactions {
    private let survey: FileSurvey
    private let interruption: Interruption
    /// Records of whole transactions whose data is lost: a back pointer that leads into damage.
    public private(set) var lostRecords = 0

    /// - Throws: `io`, `interrupted`.
    public init(ofFileAt path: String, interruption: Interruption) throws(StorageError) {
        survey = try FileSurveyor.survey(DataFile(path), interruption: interruption).0
        self.interruption = interruption
    }

    /// Bytes that are no whole transaction, and in how many places.
    public var lost: (bytes: Int, places: Int) {
        var (bytes, places, end) = (0, 0, FileFormat.firstTransaction)
        for segment in survey.segments + [survey.size..<survey.size] {
            if segment.lowerBound > end { (bytes, places) = (bytes + segment.lowerBound - end, places + 1) }
            end = max(end, segment.upperBound)
        }
        return (bytes, places)
    }

    /// Visits the transactions with `first` ≤ tid ≤ `last`, but for the first `count` of them, and for `excluded`. What is
    /// current is not told.
    public mutating func visit(
        from first: TransactionID, through last: TransactionID, droppingFirst count: Int,
        excluding excluded: TransactionID? = nil, _ visitor: inout some RevisionVisitor
    ) throws(StorageError) {
        let chains = RecordChains(survey.file, end: survey.size)
        let watch = ScanWatch(task: "reading", total: survey.size, interruption: interruption)
        var number = 0
        for segment in survey.segments {
            var scanner = try FileScanner(
                survey.file, from: segment.lowerBound, to: segment.upperBound, .boundary, watch: watch)
            while try scanner.nextTransaction() {
                let tid = scanner.transaction.tid
                guard (first...max(first, last)).contains(tid) else { continue }
                number += 1
                guard number > count, tid != excluded else { continue }
                try visitor.visit(try scanner.summary())
                while try scanner.nextRecord() { try visit(&scanner, chains, &visitor) }
            }
        }
    }

    private mutating func visit(
        _ scanner: inout FileScanner, _ chains: RecordChains, _ visitor: inout some RevisionVisitor
    ) throws(StorageError) {
        var record = VisitedRecord(
            oid: scanner.oid, serial: scanner.serial, isCurrent: false, isNeeded: false, storedSize: scanner.dataSize)
        guard scanner.dataSize == 0 else {
            _ = try scanner.withData { (data) throws(StorageError) in try visitor.visit(record, data) }
            return
        }
        let data: [UInt8]
        do throws(StorageError) {
            data = try chains.data(of: scanner.oid, at: scanner.recordPosition) ?? []
            let target = Int(clamping: try scanner.storedBackPointer())
            if !survey.segments.contains(where: { $0.contains(target) }) {
                // What it points to is lost, but for the data: nobody who reads this could look it up.
                record.storedSize = data.count
            } else if !data.isEmpty {
                record.dataTransaction = try chains.dataTransaction(of: scanner.oid, at: scanner.recordPosition)
            }
        } catch .corrupt {
            lostRecords += 1
            return
        }
        try visitor.visit(record, data.span.bytes)
    }
}
