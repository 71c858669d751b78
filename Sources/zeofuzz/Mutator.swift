/// Changes bytes the way damage and malice do: flips, cuts, repeats, lengths that lie, opcodes where none belong.
///
/// Deterministic: the same seed gives the same inputs, so every finding can be made again.
struct Mutator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1 }

    /// Xorshift: good enough to choose places with, and the same everywhere.
    mutating func random() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    mutating func below(_ bound: Int) -> Int { bound <= 0 ? 0 : Int(random() % UInt64(bound)) }

    /// Between one and six changes of `bytes`; pieces of `other` are spliced in.
    mutating func mutate(_ bytes: [UInt8], with other: [UInt8], maximum: Int) -> [UInt8] {
        var result = bytes
        for _ in 0...below(6) { change(&result, with: other) }
        return result.count > maximum ? Array(result.prefix(maximum)) : result
    }

    private mutating func change(_ bytes: inout [UInt8], with other: [UInt8]) {
        guard !bytes.isEmpty else {
            bytes = [UInt8(truncatingIfNeeded: random())]
            return
        }
        let at = below(bytes.count)
        switch below(10) {
        case 0: bytes[at] ^= 1 << UInt8(below(8))
        case 1: bytes[at] = UInt8(truncatingIfNeeded: random())
        case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + below(16)))
        case 3: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 1 + below(64))], at: below(bytes.count))
        case 4: bytes.insert(Self.opcodes[below(Self.opcodes.count)], at: at)
        case 5: bytes[at] = Self.opcodes[below(Self.opcodes.count)]
        case 6:
            // A length or number of the extreme kind.
            let value = Self.extremes[below(Self.extremes.count)]
            let width = [1, 2, 4, 8][below(4)]
            for index in 0..<width where at + index < bytes.count {
                bytes[at + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
            }
        case 7:
            guard !other.isEmpty else { return }
            let from = below(other.count)
            bytes.insert(contentsOf: other[from..<min(other.count, from + 1 + below(128))], at: at)
        case 8: bytes.removeSubrange(at...)
        default:
            // The same few bytes many times: nesting, marks, memo bombs.
            let unit = Array(bytes[at..<min(bytes.count, at + 1 + below(6))])
            bytes.insert(contentsOf: (0..<below(400)).flatMap { _ in unit }, at: at)
        }
    }

    private static let opcodes: [UInt8] = Array("().012BCFGIJKLMNPQRSTUVX]abcdeghijlopqrstu}".utf8) + Array(0x80...0x98)
    private static let extremes: [UInt64] = [
        0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x7fff_ffff_ffff_ffff,
        0x8000_0000_0000_0000, .max,
    ]
}
