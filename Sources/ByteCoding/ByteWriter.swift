/// Appends big-endian integers and runs of bytes to an array.
public struct ByteWriter: Sendable {
    public private(set) var bytes: [UInt8]

    public init(capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    @inlinable
    public mutating func write(_ value: some FixedWidthInteger & BitwiseCopyable) {
        withUnsafeBytes(of: value.bigEndian) { append($0) }
    }

    public mutating func write(_ more: some Sequence<UInt8>) {
        bytes.append(contentsOf: more)
    }

    @usableFromInline
    mutating func append(_ raw: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: raw)
    }
}
