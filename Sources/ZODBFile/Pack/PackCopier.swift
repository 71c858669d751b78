internal import ByteCoding
internal import ZODB

/// Writes what stays to a new file.
///
/// Source: ZODB 6, `FileStorage/fspack.py`, `FileStoragePacker.copyToPacktime` and `copyOne`: the file is, byte for byte, the
/// one that they write.
struct PackCopier: ~Copyable {
    private(set) var output: PackOutput
    /// Where each object's newest record is in the new file.
    private(set) var index = FileIndex()
    /// The head of the last transaction in the new file.
    private(set) var last: TransactionHeader?
    /// Blob revisions that were dropped.
    let droppedBlobs: DroppedBlobs?

    private let source: PackSource
    private let marks: PackMarks
    /// In the old file.
    private let packPosition: Int
    /// In the new one: where its first transaction after the pack time begins; all that follow are moved by as much.
    private(set) var newPackPosition = FileFormat.firstTransaction
    /// The revisions that are kept for later back pointers, in the order of the file.
    private var moved: [MovedRecord] = []
    private var records: PackRecords
    /// Of the transaction being copied.
    private var transactionPositions: [(oid: ObjectID, position: Int)] = []

    private struct MovedRecord {
        var old: Int, new: Int
    }

    init(
        _ source: PackSource, _ marks: consuming PackMarks, packPosition: Int, end: Int, to file: DataFile,
        droppedBlobs: DroppedBlobs?
    ) throws(StorageError) {
        records = try PackRecords(source, limit: end)
        output = PackOutput(file, watch: source.watch)
        self.source = source
        self.marks = marks
        self.packPosition = packPosition
        self.droppedBlobs = droppedBlobs
    }

    // MARK: Up to the pack time

    /// Copies the magic, and of the transactions up to the pack time the records that stay.
    mutating func copyToPackTime() throws(StorageError) {
        try unsafe output.append(try records.bytes(0..<FileFormat.firstTransaction))
        var scanner = try source.scanner(from: FileFormat.firstTransaction, to: packPosition)
        while try scanner.nextTransaction() { try copyKept(&scanner) }
        newPackPosition = output.position
    }

    private mutating func copyKept(_ scanner: inout FileScanner) throws(StorageError) {
        let transaction = scanner.transaction
        let start = output.position
        var isBegun = false
        while try scanner.nextRecord() {
            let record = scanner.record
            let pointer = try scanner.backPointer()
            guard marks.keeps(record.oid, at: record.position, isDeletion: pointer == 0) else {
                if let droppedBlobs { try note(record, in: droppedBlobs) }
                continue
            }
            if !isBegun {
                isBegun = true
                let size = transaction.headerSize
                try unsafe output.append(try records.bytes(transaction.position..<transaction.position + size))
                try output.patch(TransactionHeader.packed, at: start + 16)
            }
            let position = output.position
            let data = try records.data(of: record)
            try output.append(record, previous: 0, transaction: start, dataSize: data?.count ?? 0)
            if let data { try unsafe output.append(try records.bytes(data)) } else { try output.append(0) }
            index.set(record.oid, to: position)
            if marks.hasExtra(record.position) || marks.substitutes.position(of: record.oid) == record.position {
                moved.append(MovedRecord(old: record.position, new: position))
            }
        }
        guard isBegun else { return }
        try end(transaction, at: start, status: TransactionHeader.packed)
    }

    private mutating func end(
        _ transaction: TransactionHeader, at start: Int, status: UInt8
    ) throws(StorageError) {
        let length = UInt64(output.position - start)
        try output.patch(length, at: start + 8)
        try output.append(length)
        var header = transaction
        header.position = start
        header.length = length
        header.status = status
        last = header
    }

    /// Notes a dropped revision when it is a blob's.
    private mutating func note(_ record: RecordHeader, in blobs: DroppedBlobs) throws(StorageError) {
        guard let data = try records.data(of: record), data.count < 1024 else { return }
        guard BlobRecord.isBlob(try unsafe Array(records.bytes(data))) else { return }
        // The same transaction may have the same revision twice.
        let current = marks.isReachable(record.oid) ? marks.index.position(of: record.oid) : nil
        guard let kept = current ?? marks.substitutes.position(of: record.oid) else {
            return blobs.add(record.oid, serial: nil)
        }
        guard try records.header(at: kept, of: record.oid).serial != record.serial else { return }
        blobs.add(record.oid, serial: record.serial)
    }

    // MARK: After it

    /// Copies the transactions in `range` of the old file as they are, but for the positions in them.
    ///
    /// - Throws: `wrongState` when one of them needs a revision that was dropped.
    mutating func copyRest(_ range: Range<Int>) throws(StorageError) {
        guard !range.isEmpty else { return }
        records = try PackRecords(source, limit: range.upperBound)
        var scanner = try source.scanner(from: range.lowerBound, to: range.upperBound)
        while try scanner.nextTransaction() { try copyWhole(&scanner) }
    }

    private mutating func copyWhole(_ scanner: inout FileScanner) throws(StorageError) {
        let transaction = scanner.transaction
        let start = output.position
        guard transaction.status != TransactionHeader.undone else {
            // Its records are void, and stay as they are.
            let size = Int(transaction.length) + TransactionHeader.trailerSize
            try unsafe output.append(try records.bytes(transaction.position..<transaction.position + size))
            last = transaction
            last?.position = start
            return
        }
        try unsafe output.append(
            try records.bytes(transaction.position..<transaction.position + transaction.headerSize))
        transactionPositions.removeAll(keepingCapacity: true)
        while try scanner.nextRecord() {
            let record = scanner.record
            try PackIndex.check(record, scanner)
            let position = output.position
            let previous = index.position(of: record.oid) ?? 0
            if let pointer = try scanner.backPointer() {
                let target = try target(of: pointer, for: record)
                try output.append(record, previous: previous, transaction: start, dataSize: 0)
                try output.append(UInt64(target))
            } else {
                let size = Int(record.dataSize)
                try output.append(record, previous: previous, transaction: start, dataSize: size)
                try unsafe output.append(try records.bytes(record.dataPosition..<record.dataPosition + size))
            }
            transactionPositions.append((record.oid, position))
        }
        // Records of one object in one transaction all follow on the one before it.
        for (oid, position) in transactionPositions { index.set(oid, to: position) }
        try end(transaction, at: start, status: transaction.status)
        guard last?.length == transaction.length else {
            throw .wrongState("\(source.file.path): transaction \(transaction.tid) changed its length in a pack")
        }
    }

    /// Where a back pointer of the old file leads to in the new one.
    private mutating func target(of pointer: Int, for record: RecordHeader) throws(StorageError) -> Int {
        guard pointer > 0 else { return 0 }
        guard pointer < packPosition else { return pointer - packPosition + newPackPosition }
        if let place = movedPlace(pointer) { return place }
        // The revision that was current at the pack time: the object's oldest here.
        let header = try records.header(at: pointer, of: record.oid)
        var position = index.position(of: record.oid) ?? 0
        while position >= newPackPosition { position = Int(clamping: try output.header(at: position).previous) }
        guard position > 0, try output.header(at: position).serial == header.serial else {
            // That the object does not exist can be said without a target.
            if try records.data(of: header) == nil { return 0 }
            throw .wrongState(
                "\(source.file.path): transaction \(record.serial) has restored a revision of \(record.oid) that was dropped"
            )
        }
        return position
    }

    private func movedPlace(_ old: Int) -> Int? {
        var (low, high) = (0, moved.count)
        while low < high {
            let middle = (low + high) / 2
            if moved[middle].old < old { low = middle + 1 } else { high = middle }
        }
        return low < moved.count && moved[low].old == old ? moved[low].new : nil
    }

    /// Brings what was copied to the disk.
    mutating func sync() throws(StorageError) {
        try output.flush()
        try output.sync()
    }
}
