/// Reads big-endian integers and runs of bytes from a span it does not own.
///
/// Every read checks its bounds and throws; none traps. Generic and `@inlinable`: without specialisation in the
/// calling module, one read costs as much as thirty.
public struct ByteReader: ~Escapable {
    @usableFromInline let bytes: RawSpan
    /// The next byte to read, from the start of the span.
    @inlinable public var offset: Int { position }
    @usableFromInline var position: Int

    @inlinable
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) {
        self.bytes = bytes
        self.position = 0
    }

    /// Bytes not yet read.
    @inlinable public var remaining: Int { bytes.byteCount - offset }
    @inlinable public var isAtEnd: Bool { remaining == 0 }

    /// A big-endian integer of `Value`'s width.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func read<Value: FixedWidthInteger & BitwiseCopyable>(
        as type: Value.Type = Value.self
    ) throws(FormatError) -> Value {
        let size = MemoryLayout<Value>.size
        try require(size)
        // In bounds: `require` checked that `size` bytes remain.
        let value = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Value.self)
        position += size
        return Value(bigEndian: value)
    }

    /// The next `count` bytes, copied.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func read(count: Int) throws(FormatError) -> [UInt8] {
        try require(count)
        let part = bytes.extracting(offset..<offset + count)
        position += count
        return unsafe part.withUnsafeBytes { unsafe [UInt8]($0) }
    }

    /// Steps over `count` bytes.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func skip(_ count: Int) throws(FormatError) {
        try require(count)
        position += count
    }

    @usableFromInline
    func require(_ count: Int) throws(FormatError) {
        guard count >= 0, remaining >= count else {
            throw FormatError(.truncated(needed: count, available: remaining), at: offset)
        }
    }
}
