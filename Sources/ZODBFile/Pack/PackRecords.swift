internal import ByteCoding
internal import ZODB

/// Reads records of the file that is packed by their positions, in any order.
struct PackRecords: ~Copyable {
    /// Without a map, so much is read for a record.
    private static let readSize = 8 << 10

    private var window: FileWindow
    private let limit: Int

    init(_ source: PackSource, limit: Int) throws(StorageError) {
        window = try FileWindow(
            source.file, from: 0, limit: limit, expected: Self.readSize, watch: nil, map: source.map)
        self.limit = limit
    }

    /// - Throws: `corrupt` when no record is there.
    mutating func header(at position: Int) throws(StorageError) -> RecordHeader {
        guard position >= FileFormat.firstTransaction, position < limit - RecordHeader.fixedSize else {
            throw damage("position of a record", "\(position)", at: position)
        }
        let header = unsafe RecordHeader(
            try window.bytes(at: position, count: RecordHeader.fixedSize), at: position)
        guard header.versionSize == 0, header.bodySize <= UInt64(limit - header.dataPosition),
            header.dataSize <= UInt64(FileFormat.largestRecord)
        else { throw damage("data size", "\(header.dataSize) bytes", at: position + 34) }
        return header
    }

    /// The record of `oid` at `position`.
    mutating func header(at position: Int, of oid: ObjectID) throws(StorageError) -> RecordHeader {
        let header = try header(at: position)
        guard header.oid == oid else { throw damage("oid of a record", "\(header.oid), not \(oid)", at: position) }
        return header
    }

    /// 0 when the object does not exist there.
    mutating func backPointer(of header: RecordHeader) throws(StorageError) -> Int {
        let pointer: UInt64 = try unsafe window.bytes(at: header.dataPosition, count: 8).bigEndian(0)
        guard pointer < UInt64(header.position) else {
            throw damage("position of an older record", "\(pointer), not before this one", at: header.dataPosition)
        }
        return Int(pointer)
    }

    /// Whether the record says that the object does not exist: without data, and without a pointer to some.
    mutating func isDeletion(_ header: RecordHeader) throws(StorageError) -> Bool {
        guard header.dataSize == 0 else { return false }
        return try backPointer(of: header) == 0
    }

    /// Where the data is that a record stands for; nil when the object does not exist there.
    mutating func data(of header: RecordHeader) throws(StorageError) -> Range<Int>? {
        var holder = header
        while holder.dataSize == 0 {
            let pointer = try backPointer(of: holder)
            guard pointer > 0 else { return nil }
            holder = try self.header(at: pointer, of: header.oid)
        }
        return holder.dataPosition..<holder.dataPosition + Int(holder.dataSize)
    }

    /// Valid until the next call.
    mutating func bytes(_ range: Range<Int>) throws(StorageError) -> UnsafeRawBufferPointer {
        try unsafe window.bytes(at: range.lowerBound, count: range.count)
    }

    private func damage(_ field: String, _ found: String, at offset: Int) -> StorageError {
        .corrupt(window.file.path, FormatError(.invalid(field: field, found: found), at: offset))
    }
}

/// The file that is packed.
struct PackSource: Sendable {
    let file: DataFile
    /// nil where it is read by calls.
    let map: FileMap?
    let watch: PackWatch

    func scanner(from start: Int, to end: Int) throws(StorageError) -> FileScanner {
        try FileScanner(
            file, from: start, to: end, .boundary,
            watch: ScanWatch(task: "packing", total: end, pack: watch), map: map)
    }
}
