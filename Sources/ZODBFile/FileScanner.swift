internal import ByteCoding
public import ZODB

/// Walks forward over the transactions and records of a Data.fs, in the order they were written, checking all that
/// holds the file together: lengths, trailers, that each record names its transaction and ends within it.
///
/// It reads a window at a time and allocates nothing for a record. Not for concurrent use; it reads the file up to
/// where it ended when the scanner was made, and a file replaced by a pack stays readable.
///
///     var scanner = try storage.scanner()
///     while try scanner.next() {
///         try scanner.withData { … scanner.oid, scanner.serial, its bytes … }
///     }
public struct FileScanner: ~Copyable {
    /// What the end of the range is.
    package enum Limit {
        /// A transaction ends there: anything else found is damage.
        case boundary
        /// The file ends there: an incomplete transaction may precede it.
        case endOfFile
    }

    private var window: FileWindow
    private let limit: Int
    private let kind: Limit
    /// The transaction of the current record, and where it ends; void before the first.
    package private(set) var transaction: TransactionHeader
    private var transactionEnd: Int
    /// The current record.
    package private(set) var record: RecordHeader
    /// Where the next record, or the next transaction, begins.
    package private(set) var position: Int
    /// Where the last transaction that was walked to its end ended.
    package private(set) var completeEnd: Int
    /// What was found behind the last complete transaction, once the walk has ended there.
    public private(set) var tail: FileTail?
    /// Transactions whose tid is not greater than the one before: a clock that was set back.
    public private(set) var timeReductions = 0

    /// - Parameter start: where a transaction begins.
    package init(
        _ file: DataFile, from start: Int, to limit: Int, _ kind: Limit, watch: ScanWatch? = nil, map: FileMap? = nil
    ) throws(StorageError) {
        window = try FileWindow(file, from: start, limit: limit, expected: limit - start, watch: watch, map: map)
        self.limit = limit
        self.kind = kind
        position = start
        completeEnd = start
        transactionEnd = start
        transaction = TransactionHeader(position: start)
        record = RecordHeader(position: start)
    }

    /// The object that the current record belongs to.
    public var oid: ObjectID { record.oid }
    /// The transaction that wrote the current record.
    public var serial: TransactionID { record.serial }
    /// Where the current record begins in the file.
    public var recordPosition: Int { record.position }
    /// The stored size of the current record's data in bytes; 0 for a back pointer or a deletion.
    public var dataSize: Int { Int(record.dataSize) }

    /// Steps to the next record, across transactions; false at the end.
    /// - Throws: `corrupt` where the file breaks its format, with the offset; `interrupted`; `io`.
    public mutating func next() throws(StorageError) -> Bool {
        repeat {
            if try nextRecord() { return true }
        } while try nextTransaction()
        return false
    }

    /// Calls `body` with the current record's data, as stored; not at all, returning nil, when it has none of its own.
    ///
    /// Behind the bytes lie 16 more that may be read without a crash; what they hold is undefined.
    public mutating func withData<Result>(
        _ body: (RawSpan) throws(StorageError) -> Result
    ) throws(StorageError) -> Result? {
        guard record.dataSize > 0 else { return nil }
        guard record.dataSize <= UInt64(FileFormat.largestRecord) else {
            throw damage("data size", "\(record.dataSize) bytes", at: record.position + 34)
        }
        let bytes = try unsafe window.bytes(at: record.dataPosition, count: Int(record.dataSize))
        return try unsafe body(bytes.bytes)
    }

    /// The current record's back pointer; 0 for one that says that the object does not exist, nil for one with data.
    mutating func backPointer() throws(StorageError) -> Int? {
        guard record.dataSize == 0 else { return nil }
        let pointer = try storedBackPointer()
        guard pointer < UInt64(record.position) else {
            throw damage("position of an older record", "\(pointer), not before this one", at: record.dataPosition)
        }
        return Int(pointer)
    }

    /// Of a record without data of its own: where the record with its data begins, as it stands there, right or wrong; 0
    /// when the object does not exist.
    package mutating func storedBackPointer() throws(StorageError) -> UInt64 {
        try unsafe window.bytes(at: record.dataPosition, count: 8).bigEndian(0)
    }

    /// Of a version's record: where the object's last record outside versions begins (0: nowhere), and where the version's
    /// previous record does.
    package mutating func versionPointers() throws(StorageError) -> (publicRecord: UInt64, previous: UInt64) {
        let bytes = try unsafe window.bytes(at: record.position + RecordHeader.fixedSize, count: 16)
        return unsafe (bytes.bigEndian(0), bytes.bigEndian(8))
    }

    /// Bytes of the current transaction, or before it; valid until the next call.
    mutating func bytes(at offset: Int, count: Int) throws(StorageError) -> UnsafeRawBufferPointer {
        try unsafe window.bytes(at: offset, count: count)
    }

    /// The current transaction, with its strings: cheap before its first record is stepped to.
    package mutating func summary() throws(StorageError) -> TransactionSummary {
        let bytes = try unsafe window.bytes(at: transaction.position, count: transaction.headerSize)
        let strings = unsafe Array(UnsafeRawBufferPointer(rebasing: bytes[TransactionHeader.fixedSize...]))
        return TransactionReader.summary(transaction, strings[...])
    }

    /// Steps to the next record of this transaction; false at its end.
    package mutating func nextRecord() throws(StorageError) -> Bool {
        let recordsEnd = transactionEnd &- TransactionHeader.trailerSize
        guard position < recordsEnd else {
            if position == recordsEnd { try finishTransaction() }
            return false
        }
        guard recordsEnd &- position >= RecordHeader.fixedSize else {
            throw damage("records", "\(recordsEnd - position) bytes too many in the transaction", at: position)
        }
        record = unsafe RecordHeader(try window.bytes(at: position, count: RecordHeader.fixedSize), at: position)
        guard record.transaction == UInt64(transaction.position) else {
            throw damage("transaction of a record", "\(record.transaction)", at: position + 24)
        }
        let room = recordsEnd &- position &- record.headerSize
        guard room >= 0, record.bodySize <= UInt64(room) else {
            throw damage("data size", "\(record.dataSize) bytes, beyond the transaction's end", at: position + 34)
        }
        position = position &+ record.headerSize &+ Int(record.bodySize)
        return true
    }

    /// Compares the transaction's trailer with its head, once, behind its last record.
    private mutating func finishTransaction() throws(StorageError) {
        let trailer: UInt64 = try unsafe window.bytes(at: position, count: 8).bigEndian(0)
        guard trailer == transaction.length else {
            throw damage("trailing transaction length", "\(trailer), not \(transaction.length)", at: position)
        }
        position = transactionEnd
        completeEnd = transactionEnd
    }

    /// Steps over what is left of this transaction, and to the next; false at the end, with `tail` set.
    ///
    /// The records of a transaction of status `u` are void: it is passed as one without records.
    package mutating func nextTransaction() throws(StorageError) -> Bool {
        while try nextRecord() {}
        guard tail == nil, position < limit else { return false }
        guard limit - position >= TransactionHeader.fixedSize else {
            return try end(.shortHeader(at: position, bytes: limit - position))
        }
        let header = unsafe TransactionHeader(
            try window.bytes(at: position, count: TransactionHeader.fixedSize), at: position)
        guard let end = header.end(inFileOf: limit) else {
            return try self.end(.incomplete(at: position, header.tid, bytes: limit - position))
        }
        guard header.status != TransactionHeader.checkpoint else {
            return try self.end(.checkpoint(at: position, header.tid, bytes: limit - position))
        }
        if kind == .endOfFile, header.status == 0, try !endsInTransaction(after: position) {
            return try self.end(.garbage(at: position, bytes: limit - position))
        }
        guard header.length >= UInt64(header.headerSize) else {
            return try endAtBadLength(header)
        }
        if header.tid <= transaction.tid { timeReductions += 1 }
        transaction = header
        transactionEnd = end
        if header.status == TransactionHeader.undone {
            position = end - TransactionHeader.trailerSize
            try finishTransaction()
        } else {
            position = header.position + header.headerSize
        }
        return true
    }

    /// The walk has come to something that is no complete transaction.
    private mutating func end(_ tail: FileTail) throws(StorageError) -> Bool {
        guard kind == .endOfFile else { throw damage("transaction", "\(tail)", at: position) }
        self.tail = tail
        return false
    }

    /// Whether the file's last bytes are the trailer of a transaction that begins behind `place`, and of one that was
    /// finished, or follows on such a one.
    ///
    /// If not, a head of zeros at `place` is one that a power cut kept from the disk while what follows it was written:
    /// no transaction that was finished. (Python takes it for damage, unless zeros end the file.)
    private mutating func endsInTransaction(after place: Int) throws(StorageError) -> Bool {
        var end = limit
        while end - place > 2 * TransactionHeader.trailerSize {
            let trailerPosition = end - TransactionHeader.trailerSize
            let trailer: UInt64 = try unsafe window.bytes(at: trailerPosition, count: 8).bigEndian(0)
            guard trailer >= UInt64(TransactionHeader.fixedSize), trailer < UInt64(trailerPosition - place) else {
                return false
            }
            let start = trailerPosition - Int(trailer)
            let header = unsafe TransactionHeader(
                try window.bytes(at: start, count: TransactionHeader.fixedSize), at: start)
            guard header.length == trailer else { return false }
            guard header.status == TransactionHeader.checkpoint else { return true }
            end = start
        }
        return false
    }

    /// A transaction shorter than its own head: damage, unless the end of the file says that nothing follows either.
    ///
    /// Python's rule (`FileStorage.read_index`): the last 8 bytes, taken for a trailer, lead to before this place.
    private mutating func endAtBadLength(_ header: TransactionHeader) throws(StorageError) -> Bool {
        let trailer: UInt64 = try unsafe window.bytes(at: limit - 8, count: 8).bigEndian(0)
        let leadsHere = trailer <= UInt64(limit - position)
        guard kind == .endOfFile, !leadsHere || trailer < UInt64(TransactionHeader.fixedSize) else {
            throw damage("transaction length", "\(header.length), less than its head", at: position + 8)
        }
        return try end(.garbage(at: position, bytes: limit - position))
    }

    func damage(_ field: String, _ found: String, at offset: Int) -> StorageError {
        .corrupt(window.file.path, FormatError(.invalid(field: field, found: found), at: offset))
    }
}

extension TransactionHeader {
    /// No transaction: what a scanner holds before the first.
    init(position: Int) {
        self.position = position
        tid = .none
        length = 0
        status = TransactionHeader.complete
        (userSize, descriptionSize, extensionSize) = (0, 0, 0)
    }
}

extension RecordHeader {
    /// No record: what a scanner holds before the first.
    init(position: Int) {
        self.position = position
        (oid, serial) = (.root, .none)
        (previous, transaction, versionSize, dataSize) = (0, 0, 0, 0)
    }
}
