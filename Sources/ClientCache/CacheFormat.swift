internal import ByteCoding
internal import ZODB

/// The layout of a cache file of ZODB 3.3 to ZEO 6, `ZEC3`: a head, then blocks without a gap up to the end of the file.
///
///     head     'ZEC3' · last tid u64
///     object   'a' · size u32 · oid u64 · serial u64 · end u64 · version size u16 · data size u32 · version · data · oid u64
///     free     'f' · size u32 · anything
///     free     '1' to '4': so many bytes in all
///
/// Integers are big-endian; `size` counts the whole block. `end` is the next revision's serial, 0 of a current one. Versions
/// ended with ZODB 3.8.
///
/// Source: `ZEO/cache.py` of ZODB 3.7 to ZEO 6.2.
enum CacheFormat {
    static let magic = Array("ZEC3".utf8)
    static let headSize = 12
    /// Where the last tid begins: its first byte is 0 while something is written that may not be cut off.
    static let tidOffset = 4
    /// Of an object's block, all but version and data.
    static let objectOverhead = 43
    /// Of an object's block, what precedes version and data.
    static let objectHeadSize = 35
    static let endOffset = 21
    /// Larger blocks are not made on purpose, and split when they are found.
    static let largestBlock = Int(Int32.max)

    static func freeHead(_ size: Int) -> [UInt8] {
        switch size {
        case ..<1: []
        case ..<5: [UInt8(ascii: "0") + UInt8(size)]
        default: [Status.free.rawValue] + sizeBytes(size)
        }
    }

    static func sizeBytes(_ size: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - 8 * $0)) }
    }

    enum Status: UInt8 {
        case object = 0x61  // 'a'
        case free = 0x66  // 'f'
    }
}

/// One block, as its first bytes tell.
struct CacheBlock: Hashable {
    enum Content: Hashable {
        case free
        case object(ObjectHead)
    }

    var offset: Int
    var size: Int
    var content: Content

    var end: Int { offset + size }
}

/// What a block says of the revision in it.
struct ObjectHead: Hashable {
    var oid: ObjectID
    var serial: TransactionID
    /// `.none`: current.
    var end: TransactionID
    var versionSize: Int
    var dataSize: Int

    var isCurrent: Bool { end == .none }
}

extension CacheBlock {
    /// Reads the head of the block at `offset` from its first bytes, at least as many as there are up to 35.
    /// - Throws: `FormatError`, with offsets in the file.
    init(_ bytes: [UInt8], at offset: Int) throws(FormatError) {
        do throws(FormatError) {
            var reader = ByteReader(bytes.span.bytes)
            let status: UInt8 = try reader.read()
            switch status {
            case UInt8(ascii: "1")...UInt8(ascii: "4"):
                self.init(offset: offset, size: Int(status - UInt8(ascii: "0")), content: .free)
            case CacheFormat.Status.free.rawValue:
                let size = Int(try reader.read(as: UInt32.self))
                guard size >= 5 else {
                    throw FormatError(.invalid(field: "size of a free block", found: "\(size)"), at: 1)
                }
                self.init(offset: offset, size: size, content: .free)
            case CacheFormat.Status.object.rawValue:
                let size = Int(try reader.read(as: UInt32.self))
                let oid = ObjectID(rawValue: try reader.read())
                let serial = TransactionID(rawValue: try reader.read())
                let end = TransactionID(rawValue: try reader.read())
                let versionSize = Int(try reader.read(as: UInt16.self))
                let dataSize = Int(try reader.read(as: UInt32.self))
                guard size == CacheFormat.objectOverhead + versionSize + dataSize else {
                    let found = "\(size), with a version of \(versionSize) and data of \(dataSize) bytes"
                    throw FormatError(.invalid(field: "size of an object's block", found: found), at: 1)
                }
                guard serial != .none, end == .none || serial < end else {
                    throw FormatError(.invalid(field: "range of tids", found: "\(serial) to \(end)"), at: 13)
                }
                let head = ObjectHead(
                    oid: oid, serial: serial, end: end, versionSize: versionSize, dataSize: dataSize)
                self.init(offset: offset, size: size, content: .object(head))
            default:
                let found = "0x" + Hexadecimal.text(UInt64(status), width: 2)
                throw FormatError(.invalid(field: "status of a block", found: found), at: 0)
            }
        } catch {
            throw error.moved(by: offset)
        }
    }
}
