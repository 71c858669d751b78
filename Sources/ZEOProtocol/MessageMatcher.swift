/// Steps through bytes as long as they are what is expected; every look is checked against the end.
struct MessageMatcher: ~Escapable {
    let bytes: RawSpan
    var offset = 0

    @_lifetime(copy bytes)
    init(bytes: RawSpan) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { offset == bytes.byteCount }

    @_lifetime(self: copy self)
    mutating func next() -> UInt8? {
        guard offset < bytes.byteCount else { return nil }
        defer { offset += 1 }
        return unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    @inline(__always)
    @_lifetime(self: copy self)
    mutating func skip<let count: Int>(_ expected: [count of UInt8]) -> Bool {
        guard offset >= 0, offset + count <= bytes.byteCount else { return false }
        for index in 0..<count
        where unsafe bytes.unsafeLoad(fromByteOffset: offset + index, as: UInt8.self) != expected[index] {
            return false
        }
        offset += count
        return true
    }

    @inline(__always)
    @_lifetime(self: copy self)
    mutating func word() -> UInt64? {
        guard offset >= 0, offset + 8 <= bytes.byteCount else { return nil }
        defer { offset += 8 }
        return UInt64(
            bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The name `loadBefore`.
    @_lifetime(self: copy self)
    mutating func skipName() -> Bool {
        word() == 0x6c6f_6164_4265_666f && skip([UInt8(ascii: "r"), UInt8(ascii: "e")])
    }

    /// Eight bytes as a pickle holds them.
    @_lifetime(self: copy self)
    mutating func eight() -> UInt64? {
        guard skip([UInt8(ascii: "C"), 8]) || skip([UInt8(ascii: "U"), 8]) else { return nil }
        return word()
    }

    @_lifetime(self: copy self)
    mutating func packedEight() -> UInt64? {
        guard skip([0xc4, 8]) else { return nil }
        return word()
    }

    /// The next `count` bytes' place, passed over.
    @_lifetime(self: copy self)
    mutating func place(_ count: Int) -> Range<Int>? {
        guard count >= 0, offset >= 0, count <= bytes.byteCount - offset else { return nil }
        defer { offset += count }
        return offset..<offset + count
    }

    /// A little-endian number of `count` bytes, at most 8.
    @_lifetime(self: copy self)
    mutating func littleEndian(_ count: Int) -> UInt64? {
        guard let place = place(count) else { return nil }
        var value: UInt64 = 0
        for index in place.reversed() {
            value = value << 8 | UInt64(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self))
        }
        return value
    }

    /// A big-endian number of `count` bytes, at most 8.
    @_lifetime(self: copy self)
    mutating func bigEndian(_ count: Int) -> UInt64? {
        guard let place = place(count) else { return nil }
        var value: UInt64 = 0
        for index in place {
            value = value << 8 | UInt64(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self))
        }
        return value
    }
}
