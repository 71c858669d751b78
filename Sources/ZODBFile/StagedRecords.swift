internal import ZODB

/// The records of a transaction in progress, byte for byte as they will stand in the file.
///
/// They begin with room for the transaction's head, so offsets here are offsets from the transaction's position. What
/// does not fit into memory goes to a file without a name.
struct StagedRecords {
    /// More than this goes to the file: a commit of this much takes longer on the disk than here.
    static let memoryLimit = 8 << 20

    /// A record of this transaction.
    struct Place {
        /// Of the record, from the transaction's position.
        var offset: Int
        var dataSize: Int
        /// Of a record without data: where the data is, in the file; 0 when the object does not exist.
        var backPointer: UInt64
    }

    private let spillPath: String
    private let calls: FileCalls
    private let memoryLimit: Int
    private var memory: [UInt8]
    /// What came before `memory`, and how much of it.
    private var spill: DataFile?
    private var spilled = 0
    /// The last record of each object.
    private(set) var places: [ObjectID: Place] = [:]
    private(set) var recordCount = 0

    init(headSize: Int, spillPath: String, calls: FileCalls, memoryLimit: Int = Self.memoryLimit) {
        memory = [UInt8](repeating: 0, count: headSize)
        self.spillPath = spillPath
        self.calls = calls
        self.memoryLimit = memoryLimit
    }

    /// Bytes so far, the head's room included.
    var size: Int { spilled + memory.count }

    /// Appends a record of data.
    mutating func append(_ head: RecordHead, data: [UInt8]) throws(StorageError) -> Place {
        let place = Place(offset: size, dataSize: data.count, backPointer: 0)
        head.append(to: &memory, dataSize: data.count)
        memory.append(contentsOf: data)
        return try note(head.oid, place)
    }

    /// Appends a record that has the data of an older one; 0: the object does not exist any more.
    mutating func append(_ head: RecordHead, backPointer: UInt64) throws(StorageError) -> Place {
        let place = Place(offset: size, dataSize: 0, backPointer: backPointer)
        head.append(to: &memory, dataSize: 0)
        memory.appendBigEndian(backPointer)
        return try note(head.oid, place)
    }

    private mutating func note(_ oid: ObjectID, _ place: Place) throws(StorageError) -> Place {
        recordCount += 1
        if memory.count > memoryLimit { try moveOut() }
        return place
    }

    /// Makes `place` what later calls take for the object's newest record.
    mutating func setCurrent(_ oid: ObjectID, _ place: Place) { places[oid] = place }

    private mutating func moveOut() throws(StorageError) {
        let file: DataFile
        if let spill {
            file = spill
        } else {
            file = try DataFile(spillPath, .replacing(permissions: 0o600), calls: calls)
            // Gone with its descriptor, however this ends.
            Directories.remove(spillPath)
            spill = file
        }
        try file.write(memory, at: spilled)
        spilled += memory.count
        memory.removeAll(keepingCapacity: true)
    }

    /// The data of a record of this transaction.
    func data(at place: Place) throws(StorageError) -> [UInt8] {
        let start = place.offset + RecordHeader.fixedSize
        guard start < spilled, let spill else {
            return Array(memory[(start - spilled)..<(start - spilled + place.dataSize)])
        }
        // A record is moved out whole.
        let data = try spill.bytes(at: start, count: place.dataSize)
        guard data.count == place.dataSize else { throw .wrongState("\(spillPath): staged records are missing") }
        return data
    }

    /// Writes the transaction at its place, from its first byte to its last.
    mutating func write(head: [UInt8], to file: DataFile, at position: Int) throws(StorageError) {
        let length = UInt64(size)
        if let spill {
            try file.write(head, at: position)
            try spill.copy(head.count..<spilled, to: file, at: position + head.count)
            guard try file.size() == position + spilled else {
                throw .wrongState("\(spillPath): staged records are missing")
            }
        } else {
            memory.replaceSubrange(..<head.count, with: head)
        }
        memory.appendBigEndian(length)
        defer { memory.removeLast(TransactionHeader.trailerSize) }
        try file.write(memory, at: position + spilled)
    }
}

/// What a record says before its data.
struct RecordHead {
    var oid: ObjectID
    var tid: TransactionID
    /// Where the object's previous record is; 0 for none.
    var previous: Int
    /// Where the transaction is.
    var transaction: Int

    func append(to bytes: inout [UInt8], dataSize: Int) {
        bytes.appendBigEndian(oid.rawValue)
        bytes.appendBigEndian(tid.rawValue)
        bytes.appendBigEndian(UInt64(previous))
        bytes.appendBigEndian(UInt64(transaction))
        bytes.appendBigEndian(UInt16(0))
        bytes.appendBigEndian(UInt64(dataSize))
    }
}

extension TransactionHeader {
    /// A transaction about to be written.
    init(position: Int, tid: TransactionID, length: Int, status: UInt8, _ metadata: TransactionMetadata) {
        self.position = position
        self.tid = tid
        self.length = UInt64(length)
        self.status = status
        userSize = metadata.user.count
        descriptionSize = metadata.description.count
        extensionSize = metadata.extensionData.count
    }

    /// The head as it stands in the file, its strings included.
    func bytes(_ metadata: TransactionMetadata) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headerSize)
        bytes.appendBigEndian(tid.rawValue)
        bytes.appendBigEndian(length)
        bytes.append(status)
        for size in [userSize, descriptionSize, extensionSize] { bytes.appendBigEndian(UInt16(size)) }
        bytes += metadata.user
        bytes += metadata.description
        bytes += metadata.extensionData
        return bytes
    }
}

extension [UInt8] {
    package mutating func appendBigEndian(_ value: some FixedWidthInteger & BitwiseCopyable) {
        Swift.withUnsafeBytes(of: value.bigEndian) { unsafe append(contentsOf: $0) }
    }
}
