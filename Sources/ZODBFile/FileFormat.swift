package import ZODB

/// What is fixed about a Data.fs, apart from its records.
///
///     magic 4 bytes · transaction · transaction · …
///
/// Source: ZODB 6, `src/ZODB/FileStorage/format.py`; version records: ZODB3 3.8, the same file.
package enum FileFormat {
    /// Where the first transaction begins.
    package static let firstTransaction = 4
    /// An index holds 6 bytes for a position.
    package static let largestPosition = 1 << 48
    /// A record larger than this is not loaded: more likely damage than data.
    static let largestRecord = 1 << 30

    static func magic(of generation: PythonGeneration) -> [UInt8] {
        Array((generation == .python2 ? "FS21" : "FS30").utf8)
    }

    /// Which Python wrote the file, by its first four bytes.
    package static func generation(ofMagic magic: some Collection<UInt8>) -> PythonGeneration? {
        if magic.elementsEqual("FS21".utf8) { return .python2 }
        if magic.elementsEqual("FS30".utf8) { return .python3 }
        return nil
    }
}

/// The fixed head of a transaction.
///
///     tid u64 · length u64 · status u8 · user u16 · description u16 · extension u16 · the three strings · records ·
///     length u64
///
/// Integers are big-endian. `length` counts everything but the 8 bytes of its own copy at the end.
package struct TransactionHeader: Hashable, Sendable {
    package static let fixedSize = 23
    package static let trailerSize = 8

    /// Where the transaction begins in the file.
    package var position: Int
    package var tid: TransactionID
    /// As stored; not checked against anything.
    package var length: UInt64
    package var status: UInt8
    package var userSize: Int, descriptionSize: Int, extensionSize: Int

    package static let complete = UInt8(ascii: " ")
    package static let packed = UInt8(ascii: "p")
    /// Undone by the undo of Zope 2.3 and before: its records are void.
    package static let undone = UInt8(ascii: "u")
    /// Voted, not finished: not committed, and the last of the file.
    package static let checkpoint = UInt8(ascii: "c")

    /// - Parameter bytes: at least `fixedSize` of them.
    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer, at position: Int) {
        precondition(bytes.count >= Self.fixedSize)
        self.position = position
        tid = unsafe TransactionID(rawValue: bytes.bigEndian(0))
        length = unsafe bytes.bigEndian(8)
        status = unsafe bytes[16]
        userSize = unsafe Int(bytes.bigEndian(17, as: UInt16.self))
        descriptionSize = unsafe Int(bytes.bigEndian(19, as: UInt16.self))
        extensionSize = unsafe Int(bytes.bigEndian(21, as: UInt16.self))
    }

    /// The head with its strings: where the records begin, from `position`.
    package var headerSize: Int { Self.fixedSize + userSize + descriptionSize + extensionSize }

    /// Where the transaction ends, its trailer included; nil when its length cannot be true in a file of `size` bytes.
    package func end(inFileOf size: Int) -> Int? {
        guard position + Self.trailerSize <= size, length <= UInt64(size - position - Self.trailerSize) else {
            return nil
        }
        return position + Int(length) + Self.trailerSize
    }
}

/// The fixed head of a data record.
///
///     oid u64 · tid u64 · prev u64 · tloc u64 · vlen u16 · plen u64
///     · (vlen > 0: pnv u64 · vprev u64 · version name) · plen bytes of data, or (plen = 0) a back pointer u64
///
/// Everything but oid, tid and the two lengths is a position in the file: of the object's previous record, of the
/// transaction, of the object's last record outside versions, of the version's previous record, and of an older record
/// with this revision's data (0: the object does not exist).
package struct RecordHeader: Hashable, Sendable {
    package static let fixedSize = 42

    /// Where the record begins in the file.
    package var position: Int
    package var oid: ObjectID
    package var serial: TransactionID
    package var previous: UInt64
    package var transaction: UInt64
    package var versionSize: Int
    /// As stored; not checked against anything.
    package var dataSize: UInt64

    /// - Parameter bytes: at least `fixedSize` of them.
    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer, at position: Int) {
        precondition(bytes.count >= Self.fixedSize)
        self.position = position
        oid = unsafe ObjectID(rawValue: bytes.bigEndian(0))
        serial = unsafe TransactionID(rawValue: bytes.bigEndian(8))
        previous = unsafe bytes.bigEndian(16)
        transaction = unsafe bytes.bigEndian(24)
        versionSize = unsafe Int(bytes.bigEndian(32, as: UInt16.self))
        dataSize = unsafe bytes.bigEndian(34)
    }

    /// The head with the version fields: where the data or the back pointer begins, from `position`.
    @inline(__always)
    package var headerSize: Int { versionSize == 0 ? Self.fixedSize : Self.fixedSize + 16 + versionSize }

    /// What follows the head: the data, or the 8 bytes of a back pointer.
    @inline(__always)
    package var bodySize: UInt64 { dataSize == 0 ? 8 : dataSize }

    package var dataPosition: Int { position + headerSize }
}

extension UnsafeRawBufferPointer {
    /// A big-endian integer at `offset`, which the caller has checked.
    @inline(__always)
    func bigEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: Value.Type = Value.self) -> Value
    {
        unsafe Value(bigEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
}
