internal import Pickle

/// Counts records and bytes by class, at the speed of a file scan.
///
/// The class's name stands at the front of a record: behind an optional PROTO and any MARKs, `GLOBAL module name`. It is
/// hashed as bytes, without making a string of it; a record that does not begin so is parsed once for its class.
public struct ClassTally: Sendable {
    public struct Line: Hashable, Sendable {
        /// `module.Name`; nil for records whose class could not be told.
        public let className: String?
        public var records: Int
        public var bytes: Int
    }

    private var lines: [Line] = []
    /// The bytes `module\nname` of each line; empty for the line of unknown classes.
    private var names: [[UInt8]] = []
    /// Hash → indices into `lines`. Open addressing, a power of two, at most half full; -1 is a free place.
    private var table = [Int32](repeating: -1, count: 1024)
    private var unknown: Int?

    public init() {}

    /// Adds one record of `size` bytes as stored.
    public mutating func add(_ record: RawSpan, size: Int) {
        let index: Int
        if let name = Self.name(in: record) {
            index = line(name, of: record)
        } else {
            index = oddLine(record)
        }
        lines[index].records += 1
        lines[index].bytes += size
    }

    /// What was counted, the largest number of bytes first.
    public var result: [Line] { lines.sorted { ($0.bytes, $1.records) > ($1.bytes, $0.records) } }

    /// Where `module\nname` stands, without the last line feed.
    private static func name(in record: RawSpan) -> Range<Int>? {
        let count = record.byteCount
        var at = 0
        if count > 2, record[at] == Opcode.proto.rawValue { at = 2 }
        while at < count, record[at] == Opcode.mark.rawValue { at &+= 1 }
        guard at < count, record[at] == Opcode.global.rawValue else { return nil }
        let start = at &+ 1
        at = start
        var lines = 0
        while at < count {
            if record[at] == UInt8(ascii: "\n") {
                lines &+= 1
                if lines == 2 { return start..<at }
            }
            at &+= 1
        }
        return nil
    }

    private mutating func line(_ name: Range<Int>, of record: RawSpan) -> Int {
        var hash = Self.emptyHash
        for offset in name { hash = Self.extend(hash, record[offset]) }
        var place = self.place(hash)
        while table[place] >= 0 {
            let index = Int(table[place])
            if Self.equal(names[index], record, name) { return index }
            place = (place + 1) & (table.count - 1)
        }
        return addLine(name.map { record[$0] }, at: place)
    }

    private static func equal(_ known: [UInt8], _ record: RawSpan, _ name: Range<Int>) -> Bool {
        guard known.count == name.count else { return false }
        for index in known.indices where known[index] != record[name.lowerBound &+ index] { return false }
        return true
    }

    private mutating func addLine(_ name: [UInt8], at place: Int) -> Int {
        let parts = name.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        let text = parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".")
        table[place] = Int32(truncatingIfNeeded: lines.count)
        lines.append(Line(className: text, records: 0, bytes: 0))
        names.append(name)
        if lines.count * 2 > table.count { grow() }
        return lines.count - 1
    }

    private mutating func grow() {
        table = [Int32](repeating: -1, count: table.count * 2)
        for (index, name) in names.enumerated() where !name.isEmpty {
            var place = self.place(name.reduce(Self.emptyHash) { Self.extend($0, $1) })
            while table[place] >= 0 { place = (place + 1) & (table.count - 1) }
            table[place] = Int32(truncatingIfNeeded: index)
        }
    }

    // FNV-1a: short keys, few of them, and no enemy (a collision costs a comparison).
    private static let emptyHash: UInt64 = 0xcbf2_9ce4_8422_2325

    private static func extend(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }

    private func place(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash ^ hash >> 32) & (table.count - 1) }

    /// A record of another form: `((module, name), args)`, a transformation, damage.
    private mutating func oddLine(_ record: RawSpan) -> Int {
        let data = (0..<record.byteCount).map { record[$0] }
        let revision = Revision(data: data, serial: .none, next: nil)
        if let name = (try? ObjectRecord(revision, oid: .root))?.className {
            let bytes = Array("\(name.module)\n\(name.name)".utf8)
            return bytes.withUnsafeBytes { raw in line(0..<bytes.count, of: raw.bytes) }
        }
        if let unknown { return unknown }
        lines.append(Line(className: nil, records: 0, bytes: 0))
        names.append([])
        unknown = lines.count - 1
        return lines.count - 1
    }
}

extension RawSpan {
    /// A byte; the caller has checked that `offset` lies inside, and the span checks again.
    fileprivate subscript(offset: Int) -> UInt8 { unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
}
