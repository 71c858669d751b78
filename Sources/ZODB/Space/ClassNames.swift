internal import Pickle

/// Numbers the classes of records, at the speed of a file scan.
///
/// The class's name stands at the front of a record: behind an optional PROTO and any MARKs, `GLOBAL module name`. It is
/// hashed as bytes, eight at a time, without making a string of it; a record that does not begin so is parsed once for
/// its class.
public struct ClassNames: Sendable {
    /// How many classes have been met.
    public private(set) var count = 0
    /// `module\nname` of each class, all in one array, and where each begins; one more for the end.
    private var names: [UInt8] = []
    private var starts = [0]
    /// Hash → number. Open addressing, a power of two, at most half full; -1 is a free place.
    private var table = [Int32](repeating: -1, count: 1024)

    public init() {}

    /// The number of the class of a record, the same for all records of that class: 0, 1, 2 … in the order in which
    /// classes are met. nil when the class cannot be told.
    public mutating func number(ofClassIn record: RawSpan) -> Int? {
        record.withUnsafeBytes { bytes in
            if let name = Self.name(in: bytes) { return index(of: bytes, name) }
            return oddIndex(bytes)
        }
    }

    /// `module.Name` of a class by its number.
    public func name(_ number: Int) -> String {
        let parts = names[starts[number]..<starts[number + 1]].split(
            separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        return parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".")
    }

    /// Where `module\nname` stands, without the last line feed.
    private static func name(in record: UnsafeRawBufferPointer) -> Range<Int>? {
        let count = record.count
        var at = 0
        if count > 2, record[at] == Opcode.proto.rawValue { at = 2 }
        while at < count, record[at] == Opcode.mark.rawValue { at &+= 1 }
        guard at < count, record[at] == Opcode.global.rawValue, let first = lineFeed(in: record, from: at &+ 1),
            let second = lineFeed(in: record, from: first &+ 1)
        else { return nil }
        return at &+ 1..<second
    }

    private static func lineFeed(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var at = start
        while at &+ 8 <= bytes.count {
            // A byte of `differing` is 0 where the word has a line feed; the lowest such byte sets its high bit first.
            let word = bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self).littleEndian
            let differing = word ^ 0x0a0a_0a0a_0a0a_0a0a
            let found = (differing &- 0x0101_0101_0101_0101) & ~differing & 0x8080_8080_8080_8080
            if found != 0 { return at &+ found.trailingZeroBitCount >> 3 }
            at &+= 8
        }
        while at < bytes.count {
            if bytes[at] == 0x0a { return at }
            at &+= 1
        }
        return nil
    }

    private mutating func index(of bytes: UnsafeRawBufferPointer, _ name: Range<Int>) -> Int {
        var place = Self.hash(bytes, name) & (table.count - 1)
        while table[place] >= 0 {
            let index = Int(table[place])
            if isName(index, bytes, name) { return index }
            place = (place + 1) & (table.count - 1)
        }
        table[place] = Int32(truncatingIfNeeded: count)
        names.append(contentsOf: bytes[name])
        starts.append(names.count)
        count += 1
        if count * 2 > table.count { grow() }
        return count - 1
    }

    private func isName(_ index: Int, _ bytes: UnsafeRawBufferPointer, _ name: Range<Int>) -> Bool {
        let start = starts[index]
        guard starts[index + 1] &- start == name.count else { return false }
        return names.withUnsafeBytes { known in
            var offset = 0
            while offset &+ 8 <= name.count {
                let left = known.loadUnaligned(fromByteOffset: start &+ offset, as: UInt64.self)
                let right = bytes.loadUnaligned(fromByteOffset: name.lowerBound &+ offset, as: UInt64.self)
                guard left == right else { return false }
                offset &+= 8
            }
            while offset < name.count {
                guard known[start &+ offset] == bytes[name.lowerBound &+ offset] else { return false }
                offset &+= 1
            }
            return true
        }
    }

    private mutating func grow() {
        table = [Int32](repeating: -1, count: table.count * 2)
        names.withUnsafeBytes { known in
            for index in 0..<count {
                var place = Self.hash(known, starts[index]..<starts[index + 1]) & (table.count - 1)
                while table[place] >= 0 { place = (place + 1) & (table.count - 1) }
                table[place] = Int32(truncatingIfNeeded: index)
            }
        }
    }

    /// Not against enemies: a collision costs a comparison.
    private static func hash(_ bytes: UnsafeRawBufferPointer, _ name: Range<Int>) -> Int {
        var hash = UInt64(truncatingIfNeeded: name.count)
        var at = name.lowerBound
        while at &+ 8 <= name.upperBound {
            hash = (hash ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* 0x9e37_79b9_7f4a_7c15
            hash ^= hash >> 29
            at &+= 8
        }
        var tail: UInt64 = 0
        while at < name.upperBound {
            tail = tail << 8 | UInt64(bytes[at])
            at &+= 1
        }
        hash = (hash ^ tail) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: (hash ^ hash >> 32) & 0x7fff_ffff)
    }

    /// A record of another form: `((module, name), args)`, a transformation, damage.
    private mutating func oddIndex(_ record: UnsafeRawBufferPointer) -> Int? {
        let revision = Revision(data: Array(record), serial: .none, next: nil)
        guard let name = (try? ObjectRecord(revision, oid: .root))?.className else { return nil }
        let bytes = Array("\(name.module)\n\(name.name)".utf8)
        return bytes.withUnsafeBytes { index(of: $0, 0..<bytes.count) }
    }
}
