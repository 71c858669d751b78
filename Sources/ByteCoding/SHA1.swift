/// SHA-1, FIPS 180-4. Zope's password scheme and ZEO's logins are made of it; nothing new should be.
public struct SHA1: Sendable {
    private var state: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
    private var buffer = BlockBuffer()

    public init() {}

    /// The digest of a message, 20 bytes.
    public static func digest(_ message: [UInt8]) -> [UInt8] {
        var hash = SHA1()
        hash.update(message)
        return hash.digest
    }

    public mutating func update(_ bytes: [UInt8]) {
        buffer.update(bytes.span) { Self.add($0, $1, to: &state) }
    }

    /// The digest of all so far, 20 bytes; more may follow.
    public var digest: [UInt8] {
        var last = state
        let padded = buffer.padded()
        for start in stride(from: 0, to: padded.count, by: BlockBuffer.size) { Self.add(padded.span, start, to: &last) }
        return bytes(of: last)
    }

    private static func add(_ block: Span<UInt8>, _ start: Int, to state: inout [UInt32]) {
        var words = InlineArray<80, UInt32>(repeating: 0)
        for index in 0..<16 { words[index] = block.word(at: start + 4 * index) }
        for index in 16..<80 {
            words[index] = (words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16]).rotatedLeft(1)
        }
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for index in 0..<80 {
            let (mix, constant): (UInt32, UInt32) =
                switch index {
                case ..<20: (b & c | ~b & d, 0x5a82_7999)
                case ..<40: (b ^ c ^ d, 0x6ed9_eba1)
                case ..<60: (b & c | b & d | c & d, 0x8f1b_bcdc)
                default: (b ^ c ^ d, 0xca62_c1d6)
                }
            let next = a.rotatedLeft(5) &+ mix &+ e &+ constant &+ words[index]
            (a, b, c, d, e) = (next, a, b.rotatedLeft(30), c, d)
        }
        state[0] &+= a
        state[1] &+= b
        state[2] &+= c
        state[3] &+= d
        state[4] &+= e
    }
}
