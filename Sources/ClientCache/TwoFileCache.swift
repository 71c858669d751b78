internal import ByteCoding
internal import ZODB
internal import ZODBFile

/// One file of a client cache of ZEO 1 and 2 (Zope 2.7 and before), which has two, for reading.
///
///     head     'ZEC0', or 'ZEC1' or 'ZEC2' · last tid u64
///     record   oid u64 · status u8 · record size u32 · version size u16 · data size u32 · serial u64 · data
///              [version · its data size u32 · its data · its serial u64] · record size u32
///
/// In `ZEC2` the oid's size, u16, and six zero bytes stand in the oid's place, and the oid follows the serial. Status: `v` valid,
/// `n` only the data outside the version is, `i` invalid. Later records replace earlier ones of the same oid.
///
/// Source: `ZEO/ClientCache.py` of ZEO 1 and ZODB 3.1 and 3.2.
struct TwoFileCache {
    enum Generation: UInt8, Sendable {
        case zec0 = 0x30
        case zec1 = 0x31
        case zec2 = 0x32

        init?(magic: some Collection<UInt8>) {
            guard magic.count == 4, magic.starts(with: Array("ZEC".utf8)), let digit = Array(magic).last else {
                return nil
            }
            self.init(rawValue: digit)
        }

        var headSize: Int { self == .zec0 ? 4 : 12 }
        var name: String { "ZEC" + String(UnicodeScalar(rawValue)) }
    }

    struct Record: Hashable, Sendable {
        var offset: Int
        var size: Int
        var oid: ObjectID
        /// `v`, `n` or `i`.
        var status: UInt8
        var serial: TransactionID
        var data: Range<Int>
        var version: Version?

        struct Version: Hashable, Sendable {
            var name: String
            var serial: TransactionID
            var data: Range<Int>
        }

        var isValid: Bool { status != UInt8(ascii: "i") }
    }

    let path: String
    let generation: Generation
    let size: Int
    /// nil: the format has none.
    let lastTransaction: TransactionID?
    private(set) var records: [Record] = []
    /// Where reading ended before the file did, and why.
    private(set) var problem: FormatError?

    private static let shortest = 31

    /// - Throws: `corrupt` when it is no such file; `io`.
    init(_ path: String) throws(StorageError) {
        let file = try DataFile(path)
        self.path = path
        size = try file.size()
        let head = try file.bytes(at: 0, count: 12)
        guard let generation = Generation(magic: head.prefix(4)), head.count >= generation.headSize else {
            throw .corrupt(path, FormatError(.invalid(field: "head of a cache file", found: "\(head)"), at: 0))
        }
        self.generation = generation
        lastTransaction = generation == .zec0 ? nil : TransactionID(bytes: head.dropFirst(4))
        var offset = generation.headSize
        while offset < size {
            let window = try file.bytes(at: offset, count: Self.shortest + 64)
            do throws(FormatError) {
                var record = try Self.record(window, at: offset, generation)
                let tail = offset + record.size - 4
                guard tail + 4 <= size else {
                    throw FormatError(.truncated(needed: record.size, available: size - offset), at: offset)
                }
                let rest = try Self.rest(of: file, from: record.data.upperBound, to: tail)
                try Self.finish(&record, rest)
                records.append(record)
                offset += record.size
            } catch {
                problem = error
                return
            }
        }
    }

    private static func rest(of file: DataFile, from start: Int, to end: Int) throws(FormatError) -> [UInt8] {
        // A version's data may be large; its record would be, and the file is not larger than a cache.
        guard let bytes = try? file.bytes(at: start, count: end + 4 - start) else {
            throw FormatError(.truncated(needed: end + 4 - start, available: 0), at: start)
        }
        return bytes
    }

    /// What is said before the data. The version, if there is one, is only counted.
    private static func record(
        _ bytes: [UInt8], at offset: Int, _ generation: Generation
    ) throws(FormatError) -> Record {
        do throws(FormatError) {
            var reader = ByteReader(bytes.span.bytes)
            let first: UInt64 = try reader.read()
            let status: UInt8 = try reader.read()
            guard [UInt8(ascii: "v"), UInt8(ascii: "n"), UInt8(ascii: "i")].contains(status) else {
                let found = "0x" + Hexadecimal.text(UInt64(status), width: 2)
                throw FormatError(.invalid(field: "status of a record", found: found), at: 8)
            }
            let size = Int(try reader.read(as: UInt32.self))
            let versionSize = Int(try reader.read(as: UInt16.self))
            let dataSize = Int(try reader.read(as: UInt32.self))
            let serial = TransactionID(rawValue: try reader.read())
            var oid = ObjectID(rawValue: first)
            var oidSize = 0
            if generation == .zec2 {
                oidSize = Int(first >> 48)
                guard first << 16 == 0, (1...8).contains(oidSize) else {
                    throw FormatError(.invalid(field: "size of an oid", found: "\(first)"), at: 0)
                }
                oid = ObjectID(rawValue: try reader.read(count: oidSize).reduce(0) { $0 << 8 | UInt64($1) })
            }
            let plain = shortest + oidSize + dataSize
            guard versionSize == 0 ? size == plain : size >= plain + 12 + versionSize else {
                throw FormatError(.invalid(field: "size of a record", found: "\(size)"), at: 9)
            }
            let start = offset + shortest - 4 + oidSize
            var record = Record(
                offset: offset, size: size, oid: oid, status: status, serial: serial, data: start..<start + dataSize)
            if versionSize > 0 {
                // Where its name and its data are is said behind the data.
                record.version = Record.Version(name: "", serial: .none, data: versionSize..<versionSize)
            }
            return record
        } catch {
            throw error.moved(by: offset)
        }
    }

    /// What is said behind the data.
    private static func finish(_ record: inout Record, _ bytes: [UInt8]) throws(FormatError) {
        let base = record.data.upperBound
        do throws(FormatError) {
            var reader = ByteReader(bytes.span.bytes)
            if let version = record.version {
                let name = try reader.read(count: version.data.lowerBound)
                let dataSize = Int(try reader.read(as: UInt32.self))
                let start = base + reader.offset
                try reader.skip(dataSize)
                let serial = TransactionID(rawValue: try reader.read())
                record.version = Record.Version(
                    name: String(decoding: name, as: UTF8.self), serial: serial, data: start..<start + dataSize)
            }
            let end = reader.offset
            let size = Int(try reader.read(as: UInt32.self))
            guard size == record.size, reader.isAtEnd else {
                throw FormatError(
                    .invalid(field: "size behind a record", found: "\(size), not \(record.size)"), at: end)
            }
        } catch {
            throw error.moved(by: base)
        }
    }

    /// What is compared to find out which of the two files was written last.
    var rank: TransactionID {
        // Only the last generation has the head's tid looked at.
        generation == .zec2 ? lastTransaction ?? .none : records.first?.serial ?? .none
    }

    /// The other of the two files; nil when the name does not tell.
    static func sibling(of path: String) -> String? {
        for (end, other) in [("-0.zec", "-1.zec"), ("-1.zec", "-0.zec")] where path.hasSuffix(end) {
            return path.dropLast(end.count) + other
        }
        return nil
    }
}
