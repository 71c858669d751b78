internal import ByteCoding

/// An object identifier (oid): 8 bytes, big-endian on disk and on the wire; order is numeric. 0 is the root object.
public struct ObjectID: RawRepresentable, Hashable, Comparable, Sendable {
    public static let root = ObjectID(rawValue: 0)

    public let rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Eight bytes, as a record or a message holds them; nil for any other number of bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 8 else { return nil }
        self.init(rawValue: bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }

    public var bytes: [UInt8] { withUnsafeBytes(of: rawValue.bigEndian) { Array($0) } }

    /// Sixteen digits: `0000000000001a2b`.
    public var hex: String { Hexadecimal.text(rawValue, width: 16) }

    public static func < (left: ObjectID, right: ObjectID) -> Bool { left.rawValue < right.rawValue }
}

extension ObjectID: CustomStringConvertible {
    /// As ZODB prints it: `0x` and hexadecimal without leading zero bytes, always an even number of digits.
    public var description: String {
        let digits = String(rawValue, radix: 16)
        return "0x" + (digits.count.isMultiple(of: 2) ? "" : "0") + digits
    }
}
