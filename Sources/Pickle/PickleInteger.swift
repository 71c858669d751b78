/// An integer of any size.
public struct PickleInteger: Hashable, Sendable {
    /// Little-endian two's complement, as few bytes as hold it; none for 0.
    public let twosComplement: [UInt8]
    /// Written by an opcode for `long`: in Python 2's pickles another type than `int`.
    public let isLong: Bool

    public init(twosComplement: [UInt8], isLong: Bool) {
        var bytes = twosComplement[...]
        while let last = bytes.last {
            let below = bytes.dropLast().last
            let redundant = last == 0 ? (below ?? 0) < 0x80 : last == 0xff && (below ?? 0) >= 0x80
            guard redundant else { break }
            bytes = bytes.dropLast()
        }
        self.twosComplement = Array(bytes)
        self.isLong = isLong
    }

    public init(_ value: Int64, isLong: Bool = false) {
        let bytes = withUnsafeBytes(of: value.littleEndian) { Array($0) }
        self.init(twosComplement: bytes, isLong: isLong)
    }

    /// The value, when 64 bits hold it.
    public var int64: Int64? {
        guard twosComplement.count <= 8 else { return nil }
        let filler: UInt64 = isNegative ? .max : 0
        let bits = twosComplement.reversed().reduce(filler) { $0 << 8 | UInt64($1) }
        return Int64(bitPattern: bits)
    }

    public var isNegative: Bool { (twosComplement.last ?? 0) >= 0x80 }

    /// The most bytes that `description` turns into decimal digits: the work grows with the square.
    static let decimalLimit = 2048
}

extension PickleInteger: CustomStringConvertible {
    /// Decimal; hexadecimal when it has more than 2,048 bytes.
    public var description: String {
        if let int64 { return String(int64) }
        var limbs = magnitude
        let sign = isNegative ? "-" : ""
        guard twosComplement.count <= Self.decimalLimit else {
            let digits = limbs.reversed().map { hexadecimal($0) }.joined()
            return "\(sign)0x\(digits.drop { $0 == "0" })"
        }
        // Nine decimal digits at a time, least significant first.
        var groups: [UInt32] = []
        while !limbs.isEmpty {
            var remainder: UInt64 = 0
            for index in limbs.indices.reversed() {
                let value = remainder << 32 | UInt64(limbs[index])
                limbs[index] = UInt32(value / 1_000_000_000)
                remainder = value % 1_000_000_000
            }
            while limbs.last == 0 { limbs.removeLast() }
            groups.append(UInt32(remainder))
        }
        let first = String(groups.last ?? 0)
        let rest = groups.dropLast().reversed().map { group in
            let digits = String(group)
            return String(repeating: "0", count: 9 - digits.count) + digits
        }
        return sign + first + rest.joined()
    }

    private func hexadecimal(_ limb: UInt32) -> String {
        let digits = String(limb, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// The absolute value, 32 bits at a time, least significant first.
    private var magnitude: [UInt32] {
        let filler: UInt8 = isNegative ? 0xff : 0
        var limbs: [UInt32] = []
        for start in stride(from: 0, to: twosComplement.count, by: 4) {
            let limb = (0..<4).reversed().reduce(UInt32(0)) { value, index in
                value << 8 | UInt32(start + index < twosComplement.count ? twosComplement[start + index] : filler)
            }
            limbs.append(limb)
        }
        guard isNegative else { return limbs }
        var carry = true
        for index in limbs.indices {
            limbs[index] = ~limbs[index]
            if carry { (limbs[index], carry) = limbs[index].addingReportingOverflow(1) }
        }
        if carry { limbs.append(1) }
        return limbs
    }
}

extension PickleInteger {
    /// The most decimal digits that a text opcode may have: Python 3 has the same limit.
    static let digitLimit = 4300

    /// A decimal number with an optional sign; nil when it is none, or longer than any pickler writes.
    public init?(decimal text: some Collection<UInt8>, isLong: Bool) {
        var digits = text[...]
        let negative = digits.first == UInt8(ascii: "-")
        if negative || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
        guard !digits.isEmpty, digits.count <= Self.digitLimit else { return nil }
        var limbs: [UInt32] = [0]
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            var carry = UInt64(digit - UInt8(ascii: "0"))
            for index in limbs.indices {
                let value = UInt64(limbs[index]) * 10 + carry
                limbs[index] = UInt32(truncatingIfNeeded: value)
                carry = value >> 32
            }
            if carry > 0 { limbs.append(UInt32(carry)) }
        }
        var bytes: [UInt8] = []
        var carry = true
        for limb in limbs {
            var value = negative ? ~limb : limb
            if negative, carry { (value, carry) = value.addingReportingOverflow(1) }
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        let isZero = limbs.allSatisfy { $0 == 0 }
        bytes.append(negative && !isZero ? 0xff : 0)
        self.init(twosComplement: bytes, isLong: isLong)
    }
}
