internal import ByteCoding
internal import ZODB

/// Reads the chunked form of an `.index` (ZODB 3.10 and later), a chunk at a time.
///
/// Pickles one after the other: the position, an integer; tuples (prefix, bucket), where the prefix is an oid's first
/// six bytes and the bucket n 2-byte suffixes, ascending, and behind them n 6-byte positions; `None`. Python 2 wrote
/// the strings as `str`, Python 3 as bytes. These few opcodes are read here directly: a million oids take milliseconds.
struct ChunkedIndexReader: ~Copyable {
    enum Outcome {
        case index(FileIndex, position: Int)
        case damaged(String)
        /// It does not begin with an integer: a form of before.
        case otherForm
    }

    private static let largestBucket = 65_536 * 8

    private var window: FileWindow
    private let size: Int
    private var at = 0
    private var index = FileIndex()

    /// - Parameter expected: how much is read at a time; all of it is wanted when nothing is said.
    init(_ file: DataFile, size: Int, expected: Int? = nil) throws(StorageError) {
        window = try FileWindow(file, from: 0, limit: size, expected: expected ?? size)
        self.size = size
    }

    mutating func read() throws(StorageError) -> Outcome {
        guard size > 0 else { return .damaged("it is empty") }
        guard try beginsWithNumber() else { return .otherForm }
        guard let position = try position() else { return .damaged("a bad position") }
        var lastPrefix: UInt64?
        while true {
            let start = at
            try skipProtocol()
            if try take(0x4e) {  // NONE
                guard try stop(), at == size else { return .damaged("bytes behind its end, at offset \(at)") }
                return .index(index, position: position)
            }
            guard let prefix = try bucket(before: position), lastPrefix.map({ $0 < prefix }) ?? true else {
                return .damaged("a bad chunk at offset \(start)")
            }
            lastPrefix = prefix
        }
    }

    /// Whether a number comes first: BININT1, BININT2, BININT, LONG1, INT, LONG.
    private mutating func beginsWithNumber() throws(StorageError) -> Bool {
        try skipProtocol()
        return try unsafe [0x4b, 0x4d, 0x4a, 0x8a, 0x49, 0x4c].contains(window.bytes(at: at, count: 1)[0])
    }

    /// The position at the beginning; nil when it is not one.
    private mutating func position() throws(StorageError) -> Int? {
        guard let number = try integer(), let position = Int(exactly: number),
            position < FileFormat.largestPosition, try stop()
        else { return nil }
        return position
    }

    /// The position, and where the chunks are, without what is in them; nil when it is damaged, has another form, or more
    /// than `most` chunks.
    mutating func chunks(atMost most: Int) throws(StorageError) -> (position: Int, chunks: [IndexPeek.Chunk])? {
        guard size > 0, try beginsWithNumber(), let position = try position() else { return nil }
        var chunks: [IndexPeek.Chunk] = []
        while true {
            try skipProtocol()
            if try take(0x4e) {  // NONE
                guard try stop(), at == size else { return nil }
                return (position, chunks)
            }
            guard chunks.count < most, let head = try bucketHead(), chunks.last.map({ $0.prefix < head.prefix }) ?? true
            else { return nil }
            chunks.append(IndexPeek.Chunk(prefix: head.prefix, offset: at, count: head.count / 8))
            at += head.count
            guard try bucketEnd(head) else { return nil }
        }
    }

    /// The position alone, whatever is behind it; nil when it is damaged or has another form.
    mutating func coveredEnd() throws(StorageError) -> Int? {
        guard size > 0, try beginsWithNumber() else { return nil }
        return try position()
    }

    // MARK: Chunks

    /// What comes before a bucket's bytes.
    private struct BucketHead {
        var isMarked: Bool
        var prefix: UInt64
        /// The size of the bucket in bytes.
        var count: Int
    }

    private mutating func bucketHead() throws(StorageError) -> BucketHead? {
        let isMarked = try take(0x28)  // MARK
        guard let prefixCount = try string(), prefixCount == 6 else { return nil }
        let prefix: UInt64 = try unsafe Self.position(window.bytes(at: at, count: 6), 0)
        at += 6
        try skipPut()
        guard let count = try string(), count > 0, count % 8 == 0, count <= Self.largestBucket else { return nil }
        return BucketHead(isMarked: isMarked, prefix: prefix, count: count)
    }

    private mutating func bucketEnd(_ head: BucketHead) throws(StorageError) -> Bool {
        try skipPut()
        // TUPLE closes the mark of protocol 1, TUPLE2 needs none.
        guard try take(head.isMarked ? 0x74 : 0x86) else { return false }
        try skipPut()
        return try stop()
    }

    /// A tuple of prefix and bucket, put into the index; its prefix, or nil when it is not well-formed.
    private mutating func bucket(before limit: Int) throws(StorageError) -> UInt64? {
        guard let head = try bucketHead() else { return nil }
        let bytes = try unsafe window.bytes(at: at, count: head.count)
        guard unsafe index.add(prefix: head.prefix, bucket: bytes, before: limit) else { return nil }
        at += head.count
        return try bucketEnd(head) ? head.prefix : nil
    }

    /// Six bytes, big-endian.
    @inline(__always)
    static func position(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        let high = unsafe bytes.bigEndian(offset, as: UInt16.self)
        let low = unsafe bytes.bigEndian(offset + 2, as: UInt32.self)
        return UInt64(high) << 32 | UInt64(low)
    }

    // MARK: Opcodes

    private mutating func byte() throws(StorageError) -> UInt8 {
        let value = try unsafe window.bytes(at: at, count: 1)[0]
        at += 1
        return value
    }

    /// Steps over `opcode` when it comes next.
    private mutating func take(_ opcode: UInt8) throws(StorageError) -> Bool {
        guard try unsafe window.bytes(at: at, count: 1)[0] == opcode else { return false }
        at += 1
        return true
    }

    private mutating func skipProtocol() throws(StorageError) {
        if try take(0x80) { _ = try byte() }
    }

    private mutating func stop() throws(StorageError) -> Bool {
        try skipPut()
        return try take(0x2e)
    }

    /// PUTs: these pickles are written without, but they would do no harm.
    private mutating func skipPut() throws(StorageError) {
        if try take(0x71) {
            at += 1
        } else if try take(0x72) {
            at += 4
        }
    }

    /// The length of a string whose bytes come next: SHORT_BINSTRING, BINSTRING, SHORT_BINBYTES or BINBYTES.
    private mutating func string() throws(StorageError) -> Int? {
        switch try byte() {
        case 0x55, 0x43: return Int(try byte())
        case 0x54, 0x42: return Int(try littleEndian(4))
        default: return nil
        }
    }

    /// A number that is not negative, in any way that Python writes one; nil when none comes next.
    private mutating func integer() throws(StorageError) -> UInt64? {
        switch try unsafe window.bytes(at: at, count: 1)[0] {
        case 0x4b:
            at += 1
            return try littleEndian(1)  // BININT1
        case 0x4d:
            at += 1
            return try littleEndian(2)  // BININT2
        case 0x4a:
            at += 1
            return try littleEndian(4)  // BININT; a negative one fails as a position
        case 0x8a:  // LONG1
            at += 1
            let count = Int(try byte())
            return count <= 8 ? try littleEndian(count) : nil
        case 0x49, 0x4c:
            at += 1
            return try decimal()  // INT, LONG
        default: return nil
        }
    }

    private mutating func littleEndian(_ count: Int) throws(StorageError) -> UInt64 {
        let bytes = try unsafe window.bytes(at: at, count: count)
        at += count
        return unsafe bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private mutating func decimal() throws(StorageError) -> UInt64? {
        var value: UInt64 = 0
        for _ in 0..<20 {
            let digit = try byte()
            if digit == 0x0a { return value }
            if digit == 0x4c { continue }  // the L of Python 2
            guard (0x30...0x39).contains(digit), value < UInt64(FileFormat.largestPosition) else { return nil }
            value = value * 10 + UInt64(digit - 0x30)
        }
        return nil
    }
}

extension FileIndex {
    /// Adds the oids of one bucket; false when it is not what fsBucket writes: suffixes ascending, positions of records
    /// that end before `limit`.
    ///
    /// - Parameter bucket: n suffixes of 2 bytes, then n positions of 6.
    mutating func add(prefix: UInt64, bucket: UnsafeRawBufferPointer, before limit: Int) -> Bool {
        let count = bucket.count / 8
        let first = UInt64(FileFormat.firstTransaction + TransactionHeader.fixedSize)
        // A byte of data, and the transaction's trailer.
        let least = RecordHeader.fixedSize + 1 + TransactionHeader.trailerSize
        guard limit >= least else { return false }
        let last = UInt64(limit - least)
        var start = 0
        var previous = -1
        while start < count {
            // In bounds, here and below: places are below an eighth of the bucket's size.
            let page = unsafe bucket.bigEndian(start * 2, as: UInt16.self) >> 10
            var end = start
            while end < count {
                let suffix = unsafe bucket.bigEndian(end * 2, as: UInt16.self)
                guard suffix >> 10 == page else { break }
                let position = unsafe ChunkedIndexReader.position(bucket, count * 2 + end * 6)
                guard Int(suffix) > previous, position >= first, position <= last else { return false }
                previous = Int(suffix)
                end += 1
            }
            let range = start..<end
            fill(page: prefix << 6 | UInt64(page), range) { place in
                let slot = unsafe bucket.bigEndian(place * 2, as: UInt16.self) & 1023
                return unsafe (UInt64(slot), ChunkedIndexReader.position(bucket, count * 2 + place * 6))
            }
            start = end
        }
        return true
    }
}
