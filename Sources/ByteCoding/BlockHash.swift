/// What MD5 and the hashes of the SHA family have in common: blocks of 64 bytes, and at the end the number of bits.
///
/// Source: FIPS 180-4, sections 5.1.1 and 6; RFC 1321, section 3.
struct BlockBuffer: Sendable {
    static let size = 64

    /// Less than a block.
    private var rest: [UInt8] = []
    private var count: UInt64 = 0

    /// Calls `compress` with every block that is complete: where it begins in the bytes that it is given.
    @inline(__always)
    mutating func update(_ bytes: Span<UInt8>, _ compress: (Span<UInt8>, Int) -> Void) {
        count &+= UInt64(bytes.count)
        var start = 0
        if !rest.isEmpty {
            while rest.count < Self.size, start < bytes.count {
                rest.append(bytes[start])
                start += 1
            }
            guard rest.count == Self.size else { return }
            compress(rest.span, 0)
            rest.removeAll(keepingCapacity: true)
        }
        while bytes.count - start >= Self.size {
            compress(bytes, start)
            start += Self.size
        }
        while start < bytes.count {
            rest.append(bytes[start])
            start += 1
        }
    }

    /// The last one or two blocks.
    /// - Parameter isBigEndian: how the number of bits is written; MD5 does it the other way.
    func padded(isBigEndian: Bool = true) -> [UInt8] {
        var last = rest + [0x80]
        last += [UInt8](repeating: 0, count: (2 * Self.size - 8 - last.count) % Self.size)
        let bits = count &* 8
        withUnsafeBytes(of: isBigEndian ? bits.bigEndian : bits.littleEndian) { last += $0 }
        return last
    }
}

extension Span<UInt8> {
    /// The big-endian word at `index`.
    func word(at index: Int) -> UInt32 {
        UInt32(self[index]) << 24 | UInt32(self[index + 1]) << 16 | UInt32(self[index + 2]) << 8
            | UInt32(self[index + 3])
    }
}

extension UInt32 {
    /// - Parameter count: 1 to 31.
    @inline(__always)
    func rotatedLeft(_ count: UInt32) -> UInt32 { self &<< count | self &>> (32 &- count) }
    @inline(__always)
    func rotatedRight(_ count: UInt32) -> UInt32 { self &>> count | self &<< (32 &- count) }
}

func bytes(of words: [UInt32]) -> [UInt8] {
    words.flatMap { word in withUnsafeBytes(of: word.bigEndian) { Array($0) } }
}
