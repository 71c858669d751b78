internal import ByteCoding
internal import ZODB

/// Where the committed part of a file ends, found from the end: what `log` and `lastTransaction` need, without index.
struct FileEnd: Sendable {
    /// The end of the last complete transaction; 4 in an empty file.
    var position: Int
    /// The last complete transaction: where it begins, and its tid. nil in an empty file.
    var last: TransactionHeader?
    /// What lies behind it.
    var tail: FileTail?

    static let empty = FileEnd(position: FileFormat.firstTransaction, last: nil, tail: nil)
}

extension FileEnd {
    /// Finds the end of a file of `size` bytes by its last trailer; nil when the file does not end in complete or
    /// checkpointed transactions, and only a scan forward can tell.
    ///
    /// What the trailer leads to is believed when its records name it as their transaction: chance does not do that.
    static func located(in file: DataFile, size: Int) throws(StorageError) -> FileEnd? {
        guard size > FileFormat.firstTransaction else { return .empty }
        guard var last = try header(endingAt: size, in: file) else { return nil }
        var unfinished: TransactionHeader?
        while last.status == TransactionHeader.checkpoint {
            unfinished = last
            guard last.position > FileFormat.firstTransaction else { return FileEnd(before: last, last: nil, size) }
            guard let before = try header(endingAt: last.position, in: file) else { return nil }
            last = before
        }
        guard try isBelievable(last, in: file) else { return nil }
        if let earlier = try unfinishedTransaction(before: last, in: file) {
            guard earlier.position > FileFormat.firstTransaction else {
                return FileEnd(before: earlier, last: nil, size)
            }
            guard let before = try header(endingAt: earlier.position, in: file),
                before.status != TransactionHeader.checkpoint
            else { return nil }
            return FileEnd(before: earlier, last: before, size)
        }
        guard let unfinished else { return FileEnd(position: size, last: last, tail: nil) }
        return FileEnd(before: unfinished, last: last, size)
    }

    private init(before unfinished: TransactionHeader, last: TransactionHeader?, _ size: Int) {
        let position = unfinished.position
        self.init(
            position: position, last: last,
            tail: .checkpoint(at: position, unfinished.tid, bytes: size - position))
    }

    /// The first of the transactions before `last` that was not finished, when a power cut has left such a thing; it is
    /// where the file ends, since whoever finished those after it was not told so.
    private static func unfinishedTransaction(
        before last: TransactionHeader, in file: DataFile
    ) throws(StorageError) -> TransactionHeader? {
        var found: TransactionHeader?
        var header = last
        for _ in 1..<PendingTransactions.mostMarks where header.position > FileFormat.firstTransaction {
            guard let before = try self.header(endingAt: header.position, in: file) else { break }
            header = before
            if header.status == TransactionHeader.checkpoint { found = header }
        }
        return found
    }

    /// The head of the transaction whose trailer ends at `end`, when both agree.
    private static func header(endingAt end: Int, in file: DataFile) throws(StorageError) -> TransactionHeader? {
        let trailerPosition = end - TransactionHeader.trailerSize
        guard trailerPosition >= FileFormat.firstTransaction + TransactionHeader.fixedSize,
            let length = try number(at: trailerPosition, in: file),
            length >= UInt64(TransactionHeader.fixedSize),
            length <= UInt64(trailerPosition - FileFormat.firstTransaction)
        else { return nil }
        let position = trailerPosition - Int(length)
        let bytes = try file.bytes(at: position, count: TransactionHeader.fixedSize)
        guard bytes.count == TransactionHeader.fixedSize else { return nil }
        let header = bytes.withUnsafeBytes { unsafe TransactionHeader($0, at: position) }
        guard header.length == length, UInt64(header.headerSize) <= length else { return nil }
        return header
    }

    /// Whether the first records of the transaction, or of the nearest one before that has any, name it.
    private static func isBelievable(_ last: TransactionHeader, in file: DataFile) throws(StorageError) -> Bool {
        var header = last
        while header.length == UInt64(header.headerSize) || header.status == TransactionHeader.undone {
            guard header.position > FileFormat.firstTransaction else { return true }
            guard let before = try self.header(endingAt: header.position, in: file) else { return false }
            header = before
        }
        let recordsEnd = header.position + Int(header.length)
        var position = header.position + header.headerSize
        for _ in 0..<16 where position < recordsEnd {
            let bytes = try file.bytes(at: position, count: RecordHeader.fixedSize)
            guard bytes.count == RecordHeader.fixedSize else { return false }
            let record = bytes.withUnsafeBytes { unsafe RecordHeader($0, at: position) }
            let room = recordsEnd - position - record.headerSize
            guard record.transaction == UInt64(header.position), room >= 0, record.bodySize <= UInt64(room) else {
                return false
            }
            position += record.headerSize + Int(record.bodySize)
        }
        return true
    }

    private static func number(at position: Int, in file: DataFile) throws(StorageError) -> UInt64? {
        let bytes = try file.bytes(at: position, count: 8)
        return bytes.count == 8 ? bytes.withUnsafeBytes { unsafe $0.bigEndian(0) } : nil
    }
}
