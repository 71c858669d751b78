/// SHA-256, FIPS 180-4: fingerprints of certificates, checksums of blobs. It takes a message whole, or in pieces.
public struct SHA256: Sendable {
    private var state: State = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
        0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    private var buffer = BlockBuffer()

    public init() {}

    public mutating func update(_ bytes: Span<UInt8>) {
        var current = state
        buffer.update(bytes) { block, start in Self.add(block, start, to: &current) }
        state = current
    }

    /// The digest of what was added so far, 32 bytes; more may be added afterwards.
    public var digest: [UInt8] {
        var final = state
        let padded = buffer.padded()
        for start in stride(from: 0, to: padded.count, by: BlockBuffer.size) {
            Self.add(padded.span, start, to: &final)
        }
        return bytes(of: final.indices.map { final[$0] })
    }

    /// The digest of a message, 32 bytes.
    public static func digest(_ message: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        hash.update(message.span)
        return hash.digest
    }

    @inline(__always)
    private static func add(_ block: Span<UInt8>, _ start: Int, to state: inout State) {
        precondition(start >= 0 && start <= block.count - BlockBuffer.size)
        let source = block.bytes
        var words = InlineArray<64, UInt32>(repeating: 0)
        for index in 0..<16 {
            // In bounds: a whole block is there.
            words[unchecked: index] = unsafe UInt32(
                bigEndian: source.unsafeLoadUnaligned(
                    fromUncheckedByteOffset: start &+ 4 &* index, as: UInt32.self))
        }
        // Every index below is a number from 0 to 63.
        for index in 16..<64 {
            let (older, newer) = (words[unchecked: index &- 15], words[unchecked: index &- 2])
            let first = older.rotatedRight(7) ^ older.rotatedRight(18) ^ older &>> 3
            let second = newer.rotatedRight(17) ^ newer.rotatedRight(19) ^ newer &>> 10
            words[unchecked: index] = words[unchecked: index &- 16] &+ first &+ words[unchecked: index &- 7] &+ second
        }
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        for index in 0..<64 {
            let low = e.rotatedRight(6) ^ e.rotatedRight(11) ^ e.rotatedRight(25)
            let high = a.rotatedRight(2) ^ a.rotatedRight(13) ^ a.rotatedRight(22)
            let chosen = h &+ low &+ (e & f ^ ~e & g) &+ constants[unchecked: index] &+ words[unchecked: index]
            let majority = high &+ (a & b ^ a & c ^ b & c)
            (h, g, f, e, d, c, b, a) = (g, f, e, d &+ chosen, c, b, a, chosen &+ majority)
        }
        state[0] &+= a
        state[1] &+= b
        state[2] &+= c
        state[3] &+= d
        state[4] &+= e
        state[5] &+= f
        state[6] &+= g
        state[7] &+= h
    }

    private typealias State = InlineArray<8, UInt32>

    /// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
    private static let constants: InlineArray<64, UInt32> = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ]
}
