/// The textual operands of protocol 0, the only protocol of ZEO 2.
enum PickleLines {
    /// `-12`, `7L`, or longer than 64 bits; nil for anything else.
    static func integer(_ line: [UInt8]) -> WireValue? {
        var digits = line[...]
        if digits.last == UInt8(ascii: "L") { digits.removeLast() }
        if let value = Int64(String(decoding: digits, as: UTF8.self)) { return .integer(value) }
        let isNegative = digits.first == UInt8(ascii: "-")
        if isNegative { digits.removeFirst() }
        guard !digits.isEmpty else { return nil }
        var magnitude: [UInt8] = []
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            var carry = Int(digit - UInt8(ascii: "0"))
            for index in magnitude.indices {
                carry += Int(magnitude[index]) * 10
                magnitude[index] = UInt8(truncatingIfNeeded: carry)
                carry >>= 8
            }
            if carry > 0 { magnitude.append(UInt8(truncatingIfNeeded: carry)) }
        }
        magnitude.append(0)
        return .twosComplement(isNegative ? negated(magnitude) : magnitude)
    }

    private static func negated(_ bytes: [UInt8]) -> [UInt8] {
        var carry = 1
        return bytes.map { byte in
            carry += Int(~byte)
            defer { carry >>= 8 }
            return UInt8(truncatingIfNeeded: carry)
        }
    }

    /// What Python 2's `repr` made of a `str`: quotes of either kind, `\\ \' \" \n \r \t \xNN` inside.
    static func stringLiteral(_ line: [UInt8]) -> [UInt8]? {
        guard line.count >= 2, let quote = line.first, quote == line.last,
            quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"")
        else { return nil }
        var bytes: [UInt8] = []
        var rest = line.dropFirst().dropLast()
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            guard let escape = rest.popFirst() else { return nil }
            switch escape {
            case UInt8(ascii: "n"): bytes.append(0x0a)
            case UInt8(ascii: "r"): bytes.append(0x0d)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): bytes.append(escape)
            case UInt8(ascii: "x"):
                guard let value = number(&rest, digits: 2) else { return nil }
                bytes.append(UInt8(truncatingIfNeeded: value))
            default: bytes += [byte, escape]
            }
        }
        return bytes
    }

    /// Python's raw-unicode-escape: `\uXXXX`, `\UXXXXXXXX`, and every other byte a character of Latin-1. In UTF-8.
    static func rawUnicodeEscape(_ line: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = line[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), let kind = rest.first,
                kind == UInt8(ascii: "u") || kind == UInt8(ascii: "U")
            {
                var digits = rest.dropFirst()
                if let value = number(&digits, digits: kind == UInt8(ascii: "u") ? 4 : 8), value < 0x11_0000 {
                    appendUTF8(value, to: &bytes)
                    rest = digits
                    continue
                }
            }
            appendUTF8(UInt32(byte), to: &bytes)
        }
        return bytes
    }

    private static func number(_ rest: inout ArraySlice<UInt8>, digits: Int) -> UInt32? {
        guard rest.count >= digits else { return nil }
        let value = UInt32(String(decoding: rest.prefix(digits), as: UTF8.self), radix: 16)
        rest.removeFirst(digits)
        return value
    }

    /// By hand, since a lone surrogate is no `Unicode.Scalar`, and Python writes them.
    private static func appendUTF8(_ value: UInt32, to bytes: inout [UInt8]) {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(0x80 | (value >> shift & 0x3f)) }
        switch value {
        case 0..<0x80: bytes.append(UInt8(value))
        case 0x80..<0x800: bytes += [UInt8(0xc0 | value >> 6), tail(0)]
        case 0x800..<0x1_0000: bytes += [UInt8(0xe0 | value >> 12), tail(6), tail(0)]
        default: bytes += [UInt8(0xf0 | value >> 18 & 0x07), tail(12), tail(6), tail(0)]
        }
    }
}

extension WireValue {
    /// The number of LONG1 and LONG4: two's complement, little-endian, any length; none at all is 0.
    static func twosComplement(_ bytes: [UInt8]) -> WireValue {
        var bytes = bytes
        // Bytes that only repeat the sign say nothing.
        while bytes.count > 1, let last = bytes.last,
            last == 0 && bytes[bytes.count - 2] < 0x80 || last == 0xff && bytes[bytes.count - 2] >= 0x80
        {
            bytes.removeLast()
        }
        guard bytes.count <= 8 else { return .bigInteger(bytes) }
        var value: UInt64 = (bytes.last ?? 0) >= 0x80 ? .max : 0
        for byte in bytes.reversed() { value = value << 8 | UInt64(byte) }
        return .integer(Int64(bitPattern: value))
    }
}
