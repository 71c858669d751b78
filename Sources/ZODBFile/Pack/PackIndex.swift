internal import ByteCoding
internal import ZODB

/// The file as of the time packed to: where the transactions after it begin, and each object's record then.
///
/// Source: ZODB 6, `FileStorage/fspack.py`, `GC.buildPackIndex`. Other than there, records of transactions of status `u` are
/// void, as everywhere else; and an object whose record says that it does not exist is in the index, so whoever looks it
/// up looks at the record.
struct PackIndex: Sendable {
    /// Where the first transaction after the pack time begins, or the file's end.
    var position: Int
    var index: FileIndex
    /// Bytes that the transactions up to there need besides their records.
    var headBytes: Int
    /// Why there is nothing to do, when it is seen already.
    var redundancy: String?

    /// - Parameters:
    ///   - end: where the last complete transaction ends.
    ///   - current: the index of the whole file, which is the one of the pack time when nothing comes after it.
    init(
        _ source: PackSource, end: Int, to tid: TransactionID, current: FileIndex, last: TransactionID
    ) throws(StorageError) {
        let isWhole = last <= tid
        index = isWhole ? current : FileIndex()
        position = end
        headBytes = 0
        var isUnpacked = false
        var followsPacked = true
        var before = TransactionID.none
        var scanner = try source.scanner(from: FileFormat.firstTransaction, to: end)
        while try scanner.nextTransaction() {
            let transaction = scanner.transaction
            try Self.check(transaction, after: before, scanner)
            guard transaction.tid <= tid else {
                position = transaction.position
                followsPacked = transaction.status == TransactionHeader.packed
                break
            }
            before = transaction.tid
            headBytes += transaction.headerSize + TransactionHeader.trailerSize
            if transaction.status != TransactionHeader.packed { isUnpacked = true }
            while try scanner.nextRecord() {
                let record = scanner.record
                try Self.check(record, scanner)
                if !isWhole { index.set(record.oid, to: record.position) }
            }
        }
        if !isUnpacked, followsPacked {
            redundancy = "it has been packed to that time, or a later one, and nothing was committed since"
        }
    }

    static func check(
        _ transaction: TransactionHeader, after before: TransactionID, _ scanner: borrowing FileScanner
    ) throws(StorageError) {
        guard transaction.tid > before else {
            throw scanner.damage(
                "order of transactions", "\(transaction.tid), not after \(before)", at: transaction.position)
        }
        switch transaction.status {
        case TransactionHeader.complete, TransactionHeader.packed, TransactionHeader.undone: return
        default:
            throw scanner.damage("transaction status", "\(transaction.status)", at: transaction.position + 16)
        }
    }

    @inline(__always)
    static func check(_ record: RecordHeader, _ scanner: borrowing FileScanner) throws(StorageError) {
        guard record.versionSize == 0 else {
            throw .unsupported(
                "\(record.oid) at offset \(record.position) was changed in a version of ZODB 3.8 or before: only that "
                    + "can pack such a file")
        }
        guard record.previous < UInt64(record.position) else {
            throw scanner.damage("position of an older record", "\(record.previous)", at: record.position + 16)
        }
    }
}
