internal import ByteCoding

/// Text that should be a Python literal and is none.
public struct PythonLiteralError: Error, Hashable, Sendable {
    public let reason: String
    /// In bytes from the start of the text.
    public let offset: Int
}

extension PythonLiteralError: CustomStringConvertible {
    public var description: String { "\(reason) at offset \(offset)" }
}

extension PythonLiteral {
    /// Reads a whole text: `42`, `-1.5e3`, `'a/b'`, `u"é"`, `b'\x00'`, `(1, 'x')`, `None`.
    public init(parsing text: some StringProtocol) throws(PythonLiteralError) {
        var parser = PythonLiteralParser(Array(text.utf8))
        self = try parser.literal()
        parser.skipSpace()
        guard parser.isAtEnd else { throw parser.error("more text after the value") }
    }
}

/// Reads one literal from the front of a text; what follows stays.
public struct PythonLiteralParser {
    private let source: [UInt8]
    /// The next byte to read.
    public private(set) var offset: Int

    public init(_ source: [UInt8], from offset: Int = 0) {
        self.source = source
        self.offset = offset
    }

    public var isAtEnd: Bool { offset >= source.count }
    /// The next byte; nil at the end.
    public var next: UInt8? { offset < source.count ? source[offset] : nil }

    public mutating func skipSpace() {
        while let byte = next, byte == 0x20 || (9...13).contains(byte) { offset += 1 }
    }

    func error(_ reason: String) -> PythonLiteralError { PythonLiteralError(reason: reason, offset: offset) }

    public mutating func literal() throws(PythonLiteralError) -> PythonLiteral { try literal(depth: 0) }

    private mutating func literal(depth: Int) throws(PythonLiteralError) -> PythonLiteral {
        guard depth < PythonLiteral.depthLimit else { throw error("nested too deeply") }
        skipSpace()
        guard let byte = next else { throw error("a value is missing") }
        switch byte {
        case UInt8(ascii: "("): return try tuple(depth: depth)
        case UInt8(ascii: "'"), UInt8(ascii: "\""): return .string(try string(raw: false, bytes: false))
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."):
            return try number()
        default: return try word()
        }
    }

    private mutating func tuple(depth: Int) throws(PythonLiteralError) -> PythonLiteral {
        let start = offset
        offset += 1
        var items: [PythonLiteral] = []
        while true {
            skipSpace()
            if take(UInt8(ascii: ")")) { return .tuple(items) }
            items.append(try literal(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            guard take(UInt8(ascii: ")")) else {
                offset = min(offset, source.count)
                throw isAtEnd ? PythonLiteralError(reason: "the ( is never closed", offset: start) : error("no , or )")
            }
            // Parentheses around one value without a comma are only parentheses.
            return items.count == 1 ? items[0] : .tuple(items)
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        offset += 1
        return true
    }

    // MARK: Words, numbers

    private mutating func word() throws(PythonLiteralError) -> PythonLiteral {
        let start = offset
        while let byte = next, Self.isWordByte(byte) { offset += 1 }
        let word = String(decoding: source[start..<offset], as: UTF8.self)
        if let quote = next, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") {
            switch word.lowercased() {
            case "u": return .text(try string(raw: false, bytes: false))
            case "b": return .bytes(try string(raw: false, bytes: true))
            case "r": return .string(try string(raw: true, bytes: false))
            case "br", "rb": return .bytes(try string(raw: true, bytes: true))
            default: throw PythonLiteralError(reason: "unknown string prefix \(word)", offset: start)
            }
        }
        switch word {
        case "None": return .none
        case "True": return .bool(true)
        case "False": return .bool(false)
        case "": throw error("no Python value begins with this character")
        default:
            throw PythonLiteralError(
                reason: "\(word) is no Python value; a text needs quotes: '\(word)'", offset: start)
        }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
            true
        default: false
        }
    }

    private mutating func number() throws(PythonLiteralError) -> PythonLiteral {
        let start = offset
        if next == UInt8(ascii: "-") || next == UInt8(ascii: "+") { offset += 1 }
        var isFloat = false
        while let byte = next {
            switch byte {
            case UInt8(ascii: "."): isFloat = true
            case UInt8(ascii: "+"), UInt8(ascii: "-"):
                guard source[offset - 1] | 0x20 == UInt8(ascii: "e"), isFloat else {
                    return try number(from: start, isFloat)
                }
            case UInt8(ascii: "e"), UInt8(ascii: "E"): isFloat = isFloat || !isHexadecimal(from: start)
            default:
                guard Self.isWordByte(byte) else { return try number(from: start, isFloat) }
            }
            offset += 1
        }
        return try number(from: start, isFloat)
    }

    private func isHexadecimal(from start: Int) -> Bool {
        let digits = source[start..<offset].drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
        return digits.dropFirst().first.map { $0 | 0x20 == UInt8(ascii: "x") } ?? false
    }

    private func number(from start: Int, _ isFloat: Bool) throws(PythonLiteralError) -> PythonLiteral {
        let all = source[start..<offset]
        let text = String(decoding: all, as: UTF8.self)
        let bad = PythonLiteralError(reason: "\(text) is no number", offset: start)
        if isFloat {
            guard let value = Double(text), !value.isNaN else {
                throw bad
            }
            return .float(value)
        }
        if isHexadecimal(from: start) {
            let negative = all.first == UInt8(ascii: "-")
            let digits = text.drop { $0 == "-" || $0 == "+" }.dropFirst(2)
            guard let value = Int64((negative ? "-" : "") + digits, radix: 16) else { throw bad }
            return .integer(PickleInteger(value))
        }
        let isLong = all.last.map { $0 | 0x20 == UInt8(ascii: "l") } ?? false
        guard let value = PickleInteger(decimal: isLong ? all.dropLast() : all, isLong: isLong) else { throw bad }
        return .integer(value)
    }

    // MARK: Strings

    /// What is between the quotes, as UTF-8; for `bytes` as it is.
    private mutating func string(raw: Bool, bytes: Bool) throws(PythonLiteralError) -> [UInt8] {
        let start = offset
        guard let quote = next else { throw error("a quote is missing") }
        offset += 1
        var result: [UInt8] = []
        while let byte = next {
            offset += 1
            if byte == quote { return result }
            guard byte == UInt8(ascii: "\\"), let letter = next else {
                guard !bytes || byte < 0x80 else { throw error("bytes can hold only ASCII characters; use \\x") }
                result.append(byte)
                continue
            }
            if raw {
                result.append(byte)
                result.append(letter)
                offset += 1
            } else {
                try escape(letter, bytes: bytes, into: &result)
            }
        }
        throw PythonLiteralError(reason: "the quote is never closed", offset: start)
    }

    private mutating func escape(
        _ letter: UInt8, bytes: Bool, into result: inout [UInt8]
    ) throws(PythonLiteralError) {
        offset += 1
        if let byte = PythonEscape.byte(for: letter) {
            result.append(byte)
            return
        }
        switch letter {
        case UInt8(ascii: "\n"): break
        case UInt8(ascii: "x"): try append(try hexadecimal(digits: 2), bytes: bytes, to: &result)
        case UInt8(ascii: "u") where !bytes: try append(try hexadecimal(digits: 4), bytes: false, to: &result)
        case UInt8(ascii: "U") where !bytes: try append(try hexadecimal(digits: 8), bytes: false, to: &result)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            var value = UInt32(letter - UInt8(ascii: "0"))
            var count = 1
            while count < 3, let digit = next, (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit) {
                value = value * 8 + UInt32(digit - UInt8(ascii: "0"))
                offset += 1
                count += 1
            }
            try append(bytes ? value & 0xff : value, bytes: bytes, to: &result)
        default:
            // Python keeps the backslash of an escape it does not know.
            result.append(UInt8(ascii: "\\"))
            result.append(letter)
        }
    }

    private mutating func hexadecimal(digits: Int) throws(PythonLiteralError) -> UInt32 {
        guard source.count - offset >= digits,
            let value = UInt32(String(decoding: source[offset..<offset + digits], as: UTF8.self), radix: 16),
            source[offset] != UInt8(ascii: "+"), source[offset] != UInt8(ascii: "-")
        else { throw error("\(digits) hexadecimal digits are needed") }
        offset += digits
        return value
    }

    private func append(_ code: UInt32, bytes: Bool, to result: inout [UInt8]) throws(PythonLiteralError) {
        if bytes {
            result.append(UInt8(truncatingIfNeeded: code))
        } else if let scalar = Unicode.Scalar(code) {
            result.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
        } else if (0xd800...0xdfff).contains(code) {
            // A lone surrogate, as Python's `surrogatepass` writes it.
            result += [0xe0 | UInt8(code >> 12), 0x80 | UInt8(code >> 6 & 0x3f), 0x80 | UInt8(code & 0x3f)]
        } else {
            throw error("no such character")
        }
    }
}
