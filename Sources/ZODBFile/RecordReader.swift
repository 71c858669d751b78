internal import ByteCoding
internal import ZODB

/// Reads single records of a file by their positions, and follows the chains they form: to older revisions, and to the
/// record whose data a revision shares.
///
/// Every position in a chain lies before the one that named it; anything else is damage, so no chain can be a circle.
struct RecordReader {
    let file: DataFile
    /// Where the last complete transaction ends. Nothing behind it is read.
    let end: Int
    var interruption: Interruption?
    /// Where there is one, heads are read from it, and data is lent from it.
    var map: FileMap?

    /// Bytes to read when the data is wanted too: most records fit, and one call then does for head and data.
    private static let firstRead = 4096

    /// A record's head with what follows from its version fields and back pointer.
    struct Record {
        var header: RecordHeader
        /// Of a version's record: where the object's last record outside versions is; 0 when it has none.
        var publicPosition: UInt64
        /// Of a record without data: where the data is; 0 when the object does not exist.
        var backPointer: UInt64
        /// The data, where it was read along.
        var data: [UInt8]?

        var isInVersion: Bool { header.versionSize > 0 }
    }

    /// The newest revision that is public and not younger than `tid`.
    ///
    /// Records of a version (ZODB before 3.9) are not public until the version is committed, which writes new records.
    /// - Parameter position: of the object's newest record.
    func revision(of oid: ObjectID, from position: Int, at tid: TransactionID) throws(StorageError) -> Revision {
        var steps = Int.max
        return try revision(of: oid, from: position, at: tid, steps: &steps)
    }

    /// - Parameter steps: how many records may be looked at behind the newest; less by those that were.
    /// - Throws: `interrupted`, with less than no `steps` left, when there are more.
    private func revision(
        of oid: ObjectID, from position: Int, at tid: TransactionID, steps: inout Int
    ) throws(StorageError) -> Revision {
        let newest = try read(at: position, oid: oid, withData: true)
        let (record, next) = try self.record(at: tid, from: newest, steps: &steps)
        guard let holder = try holder(of: record, withData: true, steps: &steps) else { throw .noSuchObject(oid) }
        let data = try data(ofHolder: holder)
        return Revision(data: data, serial: record.header.serial, next: next)
    }

    /// Calls `body` with the same revision, its data where it lies in the map, as far as that reaches.
    /// - Parameter steps: how many records may be looked at behind the newest; less by those that were.
    /// - Throws: `interrupted`, with less than no `steps` left, when there are more.
    func withRevision<Result>(
        of oid: ObjectID, from position: Int, at tid: TransactionID, steps: inout Int,
        _ body: (RawSpan, TransactionID, TransactionID?) -> Result
    ) throws(StorageError) -> Result {
        guard let map else {
            let revision = try revision(of: oid, from: position, at: tid, steps: &steps)
            return body(revision.data.span.bytes, revision.serial, revision.next)
        }
        let newest = try read(at: position, oid: oid, withData: false)
        let (record, next) = try self.record(at: tid, from: newest, steps: &steps)
        guard let holder = try holder(of: record, withData: false, steps: &steps) else { throw .noSuchObject(oid) }
        let (offset, count) = (holder.header.dataPosition, Int(holder.header.dataSize))
        // In the file: `read` has looked.
        if let data = unsafe map.bytes(at: offset, count: count) {
            return unsafe body(data.bytes, record.header.serial, next)
        }
        let data = try data(at: offset, count: count)
        return body(data.span.bytes, record.header.serial, next)
    }

    /// The newest public record not younger than `tid`, and the serial of the public one after it.
    /// - Parameter newest: the object's newest record.
    private func record(
        at tid: TransactionID, from newest: Record, steps: inout Int
    ) throws(StorageError) -> (record: Record, next: TransactionID?) {
        var record = newest
        var next: TransactionID?
        while record.isInVersion || record.header.serial > tid {
            if !record.isInVersion { next = record.header.serial }
            try Self.count(&steps)
            guard let older = try self.older(than: record) else {
                let oid = newest.header.oid
                throw next == nil ? .noSuchObject(oid) : .noRevision(oid, at: tid)
            }
            record = older
        }
        return (record, next)
    }

    private static func count(_ steps: inout Int) throws(StorageError) {
        steps -= 1
        if steps < 0 { throw .interrupted }
    }

    /// The record before `record` in the object's history, skipping those of versions that a public one hides; nil when
    /// there is none.
    func older(than record: Record) throws(StorageError) -> Record? {
        try interruption?.check()
        let position =
            record.isInVersion && record.publicPosition > 0 ? record.publicPosition : record.header.previous
        guard position > 0 else { return nil }
        return try read(before: record, at: position, withData: false)
    }

    /// The data that a record stands for, through its back pointers; nil when the object does not exist there.
    func data(of record: Record) throws(StorageError) -> [UInt8]? {
        guard let holder = try holder(of: record) else { return nil }
        return try data(ofHolder: holder)
    }

    private func data(ofHolder holder: Record) throws(StorageError) -> [UInt8] {
        if let data = holder.data { return data }
        return try data(at: holder.header.dataPosition, count: Int(holder.header.dataSize))
    }

    /// The record that holds the data that `record` stands for; nil when the object does not exist there.
    func holder(of record: Record, withData: Bool = true) throws(StorageError) -> Record? {
        var steps = Int.max
        return try holder(of: record, withData: withData, steps: &steps)
    }

    private func holder(of record: Record, withData: Bool, steps: inout Int) throws(StorageError) -> Record? {
        var holder = record
        while holder.header.dataSize == 0 {
            try interruption?.check()
            guard holder.backPointer > 0 else { return nil }
            try Self.count(&steps)
            holder = try read(before: holder, at: holder.backPointer, withData: withData)
        }
        return holder
    }

    /// The record that the back pointer of `record` names; nil when it has none.
    func target(of record: Record) throws(StorageError) -> Record? {
        guard record.header.dataSize == 0, record.backPointer > 0 else { return nil }
        return try read(before: record, at: record.backPointer, withData: false)
    }

    private func read(
        before record: Record, at position: UInt64, withData: Bool
    ) throws(StorageError) -> Record {
        guard position < UInt64(record.header.position) else {
            throw damage("position of an older record", "\(position), not before this one", at: record.header.position)
        }
        return try read(at: Int(position), oid: record.header.oid, withData: withData)
    }

    /// The record of `oid` at `position`.
    /// - Throws: `corrupt` when none is there.
    func read(at position: Int, oid: ObjectID, withData: Bool) throws(StorageError) -> Record {
        // Enough for the two numbers of a version, or for the back pointer.
        let wanted = withData ? Self.firstRead : RecordHeader.fixedSize + 16
        guard position >= FileFormat.firstTransaction, position < end else {
            throw damage("position of a record", "\(position)", at: position)
        }
        let count = min(wanted, end - position)
        if let map, let bytes = unsafe map.bytes(at: position, count: count) {
            return try unsafe record(bytes, at: position, oid, withData)
        }
        return try readFromFile(count, at: position, oid, withData)
    }

    private func readFromFile(
        _ count: Int, at position: Int, _ oid: ObjectID, _ withData: Bool
    ) throws(StorageError) -> Record {
        try unsafe withUnsafeTemporaryAllocation(
            byteCount: count, alignment: MemoryLayout<UInt64>.alignment
        ) { (buffer) throws(StorageError) -> Record in
            let count = try unsafe file.read(into: buffer, at: position)
            return try unsafe record(UnsafeRawBufferPointer(rebasing: buffer[..<count]), at: position, oid, withData)
        }
    }

    /// - Parameter bytes: the beginning of the record, and whatever follows it.
    private func record(
        _ bytes: UnsafeRawBufferPointer, at position: Int, _ oid: ObjectID, _ withData: Bool
    ) throws(StorageError) -> Record {
        // The least that any record has, with the transaction's trailer that follows it.
        let least = RecordHeader.fixedSize + 8
        guard bytes.count >= least else {
            throw .corrupt(file.path, FormatError(.truncated(needed: least, available: bytes.count), at: position))
        }
        let header = unsafe RecordHeader(bytes, at: position)
        guard header.oid == oid else { throw damage("oid of a record", "\(header.oid), not \(oid)", at: position) }
        let room = end - position - header.headerSize
        guard room >= 0, header.bodySize <= UInt64(room), header.dataSize <= UInt64(FileFormat.largestRecord) else {
            throw damage("data size", "\(header.dataSize) bytes", at: position + 34)
        }
        var record = Record(header: header, publicPosition: 0, backPointer: 0, data: nil)
        if record.isInVersion { record.publicPosition = unsafe bytes.bigEndian(RecordHeader.fixedSize) }
        let available = bytes.count - header.headerSize
        let dataSize = Int(header.dataSize)
        if dataSize == 0 {
            record.backPointer =
                available >= 8
                ? unsafe bytes.bigEndian(header.headerSize)
                : try data(at: header.dataPosition, count: 8).withUnsafeBytes { unsafe $0.bigEndian(0) }
        } else if withData, dataSize <= available {
            let data = unsafe UnsafeRawBufferPointer(rebasing: bytes[header.headerSize..<header.headerSize + dataSize])
            record.data = unsafe Array(data)
        }
        return record
    }

    private func data(at position: Int, count: Int) throws(StorageError) -> [UInt8] {
        let data = try file.bytes(at: position, count: count)
        guard data.count == count else {
            throw .corrupt(file.path, FormatError(.truncated(needed: count, available: data.count), at: position))
        }
        return data
    }

    private func damage(_ field: String, _ found: String, at offset: Int) -> StorageError {
        .corrupt(file.path, FormatError(.invalid(field: field, found: found), at: offset))
    }
}
