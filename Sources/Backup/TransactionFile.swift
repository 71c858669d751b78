internal import ByteCoding
internal import ZODB
internal import ZODBFile

/// Writes transactions behind each other in the form of a Data.fs: a whole one, or the bytes that continue one.
///
/// Records get full data, also where the original only points back to an older one; positions are those of this file.
struct TransactionFile {
    private let file: DataFile
    private let writer: RepositoryWriter
    /// Where the first byte of `file` lies in the Data.fs.
    private let start: Int
    /// Where the next transaction begins in the Data.fs.
    private(set) var end: Int
    /// Where each object's newest record is.
    private(set) var index: FileIndex
    private var buffer: [UInt8] = []
    /// Where the buffer begins in the Data.fs.
    private var bufferStart: Int

    private static let bufferSize = 4 << 20

    /// - Parameters:
    ///   - start: 0 for a new file, which then gets its magic; else where the bytes to be continued end.
    ///   - index: of what is continued.
    init(
        _ file: DataFile, _ writer: RepositoryWriter, start: Int, index: FileIndex, _ generation: PythonGeneration
    ) {
        (self.file, self.writer, self.start, self.index) = (file, writer, start, index)
        (end, bufferStart) = (start, start)
        if start == 0 {
            buffer = FileFormat.magic(of: generation)
            end = buffer.count
        }
    }

    /// Appends a transaction.
    /// - Parameter note: called with each record and the transaction's tid.
    mutating func append(
        _ transaction: TransactionSummary, _ records: any Cursor<TransactionRecord>,
        _ note: (TransactionRecord) -> Void
    ) throws(StorageError) {
        let position = end
        for (what, bytes) in [
            ("user", transaction.user), ("description", transaction.description),
            ("extension", transaction.extensionData),
        ] where bytes.count > Int(UInt16.max) {
            throw .unsupported("\(transaction.tid): its \(what) has \(bytes.count) bytes; at most 65535 fit")
        }
        buffer.appendBigEndian(transaction.tid.rawValue)
        let lengthPlace = end + 8
        buffer.appendBigEndian(UInt64(0))
        let status: TransactionSummary.Status = transaction.status == .packed ? .packed : .complete
        buffer.append(status.rawValue)
        for bytes in [transaction.user, transaction.description, transaction.extensionData] {
            buffer.appendBigEndian(UInt16(bytes.count))
        }
        buffer += transaction.user + transaction.description + transaction.extensionData
        end = bufferStart + buffer.count
        var positions: [(ObjectID, Int)] = []
        while let record = try records.next() {
            note(record)
            positions.append((record.oid, end))
            appendRecord(record, transaction.tid, in: position)
            if buffer.count >= Self.bufferSize { try flush() }
        }
        let length = UInt64(end - position)
        buffer.appendBigEndian(length)
        end += 8
        guard end < FileFormat.largestPosition else { throw .unsupported("\(file.path): longer than a Data.fs may be") }
        try setLength(length, at: lengthPlace)
        for (oid, position) in positions { index.set(oid, to: position) }
    }

    private mutating func appendRecord(_ record: TransactionRecord, _ tid: TransactionID, in position: Int) {
        buffer.appendBigEndian(record.oid.rawValue)
        buffer.appendBigEndian(tid.rawValue)
        buffer.appendBigEndian(UInt64(index.position(of: record.oid) ?? 0))
        buffer.appendBigEndian(UInt64(position))
        buffer.appendBigEndian(UInt16(0))
        buffer.appendBigEndian(UInt64(record.data?.count ?? 0))
        if let data = record.data, !data.isEmpty {
            buffer += data
        } else {
            // It points nowhere: the object is no more.
            buffer.appendBigEndian(UInt64(0))
        }
        end = bufferStart + buffer.count
    }

    /// The length of a transaction is only known when all of it has come.
    private mutating func setLength(_ length: UInt64, at place: Int) throws(StorageError) {
        let bytes = withUnsafeBytes(of: length.bigEndian) { Array($0) }
        if place >= bufferStart {
            buffer.replaceSubrange(place - bufferStart..<place - bufferStart + 8, with: bytes)
        } else {
            // Half of it may have been written.
            try flush()
            try writer.write(bytes, to: file, at: place - start)
        }
        if buffer.count >= Self.bufferSize { try flush() }
    }

    private mutating func flush() throws(StorageError) {
        try writer.write(buffer, to: file, at: bufferStart - start)
        bufferStart += buffer.count
        buffer.removeAll(keepingCapacity: true)
    }

    /// Everything is in the file.
    mutating func finish() throws(StorageError) { try flush() }
}
