internal import ByteCoding

/// The arguments of the text opcodes of protocol 0: lines that must be understood, not only stepped over.
enum TextArgument {
    typealias Bytes = UnsafeBufferPointer<UInt8>

    /// Whether the line can be what its opcode says, so that decoding it later cannot fail.
    static func check(_ opcode: Opcode, _ bytes: Bytes, _ range: Range<Int>, at start: Int) throws(PickleError) {
        let line = Array(bytes[range])[...]
        let valid =
            switch opcode {
            case .int, .long: numberOrNil(opcode, line) != nil
            case .float: floatOrNil(line) != nil
            case .string: quoted(line) != nil
            default: true
            }
        guard valid else { throw PickleError(.invalidArgument(opcode, excerpt(line)), at: start) }
    }

    static func memoID(
        _ opcode: Opcode, _ bytes: Bytes, _ range: Range<Int>, at start: Int
    ) throws(PickleError) -> Int {
        let line = Array(bytes[range])[...]
        guard let id = PickleInteger(decimal: trimmed(line), isLong: false)?.int64, id >= 0 else {
            throw PickleError(.invalidArgument(opcode, excerpt(line)), at: start)
        }
        return Int(id)
    }

    /// `I…`: the lines `00` and `01` are False and True. `L…`: a trailing `L` is optional.
    static func number(_ opcode: Opcode, _ line: ArraySlice<UInt8>) -> PickleNode {
        numberOrNil(opcode, line) ?? .none
    }

    private static func numberOrNil(_ opcode: Opcode, _ line: ArraySlice<UInt8>) -> PickleNode? {
        var text = trimmed(line)
        if opcode == .int {
            if text.elementsEqual("00".utf8) { return .bool(false) }
            if text.elementsEqual("01".utf8) { return .bool(true) }
            return PickleInteger(decimal: text, isLong: false).map { .integer($0) }
        }
        if text.last == UInt8(ascii: "L") { text = text.dropLast() }
        return PickleInteger(decimal: text, isLong: true).map { .integer($0) }
    }

    static func float(_ line: ArraySlice<UInt8>) -> Double { floatOrNil(line) ?? .nan }

    private static func floatOrNil(_ line: ArraySlice<UInt8>) -> Double? {
        // Python 2 wrote what the platform's printf gave: `inf`, `nan`, `1e+300`.
        Double(String(decoding: trimmed(line), as: UTF8.self))
    }

    /// Two lines: module and name. Python 2 has ASCII there, Python 3 UTF-8.
    static func globalName(_ lines: ArraySlice<UInt8>) -> GlobalName {
        let parts = lines.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        let module = String(decoding: parts.first ?? [], as: UTF8.self)
        let name = String(decoding: (parts.last ?? []).dropLast(), as: UTF8.self)
        return GlobalName(module: module, name: name)
    }

    /// A Python 2 string literal, `'…'` or `"…"`, with the escapes of `repr` and octal ones; nil when it is none.
    static func quoted(_ line: ArraySlice<UInt8>) -> [UInt8]? {
        let text = trimmed(line)
        guard text.count >= 2, let quote = text.first, quote == text.last,
            quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"")
        else { return nil }
        var result: [UInt8] = []
        var rest = text.dropFirst().dropLast()
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                if byte == quote { return nil }
                result.append(byte)
                continue
            }
            guard let escape = rest.popFirst() else { return nil }
            if let byte = PythonEscape.byte(for: escape) {
                result.append(byte)
                continue
            }
            switch escape {
            case UInt8(ascii: "x"):
                guard let value = hexadecimal(&rest, digits: 2) else { return nil }
                result.append(UInt8(truncatingIfNeeded: value))
            case UInt8(ascii: "0")...UInt8(ascii: "7"):
                var value = Int(escape - UInt8(ascii: "0"))
                for _ in 0..<2 {
                    guard let next = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(next) else { break }
                    value = value * 8 + Int(next - UInt8(ascii: "0"))
                    rest = rest.dropFirst()
                }
                result.append(UInt8(truncatingIfNeeded: value))
            default: result.append(contentsOf: [UInt8(ascii: "\\"), escape])
            }
        }
        return result
    }

    /// Latin-1 with `\uXXXX` and `\UXXXXXXXX`, as UTF-8; what is no escape stays as it is.
    static func rawUnicodeEscape(_ line: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var rest = line.last == UInt8(ascii: "\n") ? line.dropLast() : line
        var pendingHigh: UInt32?
        func flush(_ scalar: UInt32) { appendUTF8(scalar, to: &result) }
        while let byte = rest.popFirst() {
            var scalar = UInt32(byte)
            if byte == UInt8(ascii: "\\"), let kind = rest.first,
                kind == UInt8(ascii: "u") || kind == UInt8(ascii: "U")
            {
                var after = rest.dropFirst()
                if let value = hexadecimal(&after, digits: kind == UInt8(ascii: "u") ? 4 : 8), value <= 0x10ffff {
                    scalar = value
                    rest = after
                }
            }
            // A narrow build of Python 2 wrote a pair of surrogates for one character.
            if let high = pendingHigh {
                pendingHigh = nil
                if (0xdc00...0xdfff).contains(scalar) {
                    flush(0x10000 + (high - 0xd800) << 10 + (scalar - 0xdc00))
                    continue
                }
                flush(high)
            }
            if (0xd800...0xdbff).contains(scalar) { pendingHigh = scalar } else { flush(scalar) }
        }
        if let high = pendingHigh { flush(high) }
        return result
    }

    /// The line for STRING: quoted as Python 2's `repr` does it.
    static func quotedString(_ bytes: [UInt8]) -> String { String(PythonString.bytesLiteral(bytes).text.dropFirst()) }

    /// The line for UNICODE: Latin-1, and `\uXXXX` or `\UXXXXXXXX` for what it has not, the backslash and the controls at
    /// which one of the readers would stop.
    static func rawUnicodeEscaped(_ utf8: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        func escape(_ letter: String, _ value: UInt32, width: Int) {
            let digits = String(value, radix: 16)
            result += "\\\(letter)\(String(repeating: "0", count: width - digits.count))\(digits)".utf8
        }
        var decoder = ScalarDecoder(utf8)
        while let piece = decoder.next() {
            switch piece {
            case .surrogate(let value): escape("u", value, width: 4)
            case .invalid(let byte): result.append(byte)
            case .scalar(let scalar):
                switch scalar.value {
                case 0, 0x0a, 0x0d, 0x1a, 0x5c: escape("u", scalar.value, width: 4)
                case ..<0x100: result.append(UInt8(scalar.value))
                case ..<0x10000: escape("u", scalar.value, width: 4)
                default: escape("U", scalar.value, width: 8)
                }
            }
        }
        return result
    }

    /// One code point, surrogates included, as Python's `surrogatepass` writes it.
    static func appendUTF8(_ scalar: UInt32, to bytes: inout [UInt8]) {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: 0x80 | (scalar >> shift) & 0x3f) }
        switch scalar {
        case ..<0x80: bytes.append(UInt8(truncatingIfNeeded: scalar))
        case ..<0x800: bytes.append(contentsOf: [UInt8(truncatingIfNeeded: 0xc0 | scalar >> 6), tail(0)])
        case ..<0x10000:
            bytes.append(contentsOf: [UInt8(truncatingIfNeeded: 0xe0 | scalar >> 12), tail(6), tail(0)])
        default:
            bytes.append(contentsOf: [UInt8(truncatingIfNeeded: 0xf0 | scalar >> 18), tail(12), tail(6), tail(0)])
        }
    }

    private static func hexadecimal(_ rest: inout ArraySlice<UInt8>, digits: Int) -> UInt32? {
        guard rest.count >= digits else { return nil }
        var value: UInt32 = 0
        for byte in rest.prefix(digits) {
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
        }
        rest = rest.dropFirst(digits)
        return value
    }

    private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var text = line
        while let last = text.last, last == 10 || last == 13 || last == 32 { text = text.dropLast() }
        return text
    }

    private static func excerpt(_ line: ArraySlice<UInt8>) -> String {
        let shown = trimmed(line).prefix(40).map { (0x20..<0x7f).contains($0) ? Character(UnicodeScalar($0)) : "?" }
        return "'\(String(shown))'"
    }
}
