/// JSON that was read: objects keep their order, numbers their digits.
///
/// Strings are UTF-8 in which a lone surrogate (`\udXXX`) is three bytes, as Python has it and `JSONText` writes it.
public indirect enum JSONTree: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(String)
    case string([UInt8])
    case array([JSONTree])
    case object([Member])

    public struct Member: Hashable, Sendable {
        public let key: [UInt8]
        public let value: JSONTree

        public init(key: [UInt8], value: JSONTree) {
            self.key = key
            self.value = value
        }

        public var name: String { String(decoding: key, as: UTF8.self) }
    }

    /// Arrays and objects nested deeper are refused: reading them recurses.
    public static let depthLimit = 600

    /// - Throws: `PickleValueError.malformed`, with the place.
    public init(parsing text: [UInt8]) throws(PickleValueError) {
        var parser = JSONParser(text)
        self = try parser.document()
    }

    /// The first member with a name; nil for what is no object.
    public subscript(name: String) -> JSONTree? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key.elementsEqual(name.utf8) }?.value
    }

    public var string: String? {
        guard case .string(let bytes) = self else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    public var elements: [JSONTree]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }
}

private struct JSONParser {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private func error(_ reason: String) -> PickleValueError { .malformed("JSON: \(reason)", offset: offset) }

    mutating func document() throws(PickleValueError) -> JSONTree {
        let tree = try value(depth: 0)
        skipSpace()
        guard next == nil else { throw error("more text after the value") }
        return tree
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 9 || byte == 10 || byte == 13 { offset += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard next == byte else { return false }
        offset += 1
        return true
    }

    private mutating func value(depth: Int) throws(PickleValueError) -> JSONTree {
        guard depth < JSONTree.depthLimit else { throw error("nested too deeply") }
        skipSpace()
        switch next {
        case nil: throw error("a value is missing")
        case UInt8(ascii: "{"): return .object(try members(depth: depth))
        case UInt8(ascii: "["): return .array(try elements(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        default: return try word()
        }
    }

    private mutating func members(depth: Int) throws(PickleValueError) -> [JSONTree.Member] {
        offset += 1
        var members: [JSONTree.Member] = []
        if take(UInt8(ascii: "}")) { return members }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw error("a key in quotes is missing") }
            let key = try string()
            guard take(UInt8(ascii: ":")) else { throw error("a : is missing") }
            members.append(.init(key: key, value: try value(depth: depth + 1)))
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw error("no , or }") }
        return members
    }

    private mutating func elements(depth: Int) throws(PickleValueError) -> [JSONTree] {
        offset += 1
        var elements: [JSONTree] = []
        if take(UInt8(ascii: "]")) { return elements }
        repeat { elements.append(try value(depth: depth + 1)) } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw error("no , or ]") }
        return elements
    }

    private mutating func word() throws(PickleValueError) -> JSONTree {
        let start = offset
        while let byte = next, byte >= 0x21, !",]}:[{\"".utf8.contains(byte) { offset += 1 }
        let word = String(decoding: bytes[start..<offset], as: UTF8.self)
        switch word {
        case "null": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        default:
            guard Self.isNumber(bytes[start..<offset]) else {
                offset = start
                throw error("no JSON value begins here")
            }
            return .number(word)
        }
    }

    /// `-`? digits, a fraction, an exponent: nothing of what Swift's or Python's numbers allow besides.
    private static func isNumber(_ text: ArraySlice<UInt8>) -> Bool {
        var rest = text
        func digits() -> Bool {
            let count = rest.count
            rest = rest.drop { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            return rest.count < count
        }
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let hasLeadingZero = rest.first == UInt8(ascii: "0")
        let before = rest.count
        guard digits() else { return false }
        if hasLeadingZero, before - rest.count > 1 { return false }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            guard digits() else { return false }
        }
        if let letter = rest.first, letter | 0x20 == UInt8(ascii: "e") {
            rest = rest.dropFirst()
            if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { rest = rest.dropFirst() }
            guard digits() else { return false }
        }
        return rest.isEmpty
    }

    private mutating func string() throws(PickleValueError) -> [UInt8] {
        let start = offset
        offset += 1
        var result: [UInt8] = []
        while let byte = next {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard Self.isText(result) else { throw .malformed("JSON: a string that is no UTF-8", offset: start) }
                return result
            case UInt8(ascii: "\\"): try escape(into: &result)
            case ..<0x20: throw error("a control character in a string")
            default: result.append(byte)
            }
        }
        throw .malformed("JSON: the quote is never closed", offset: start)
    }

    /// UTF-8, in which lone surrogates may be.
    private static func isText(_ bytes: [UInt8]) -> Bool {
        var decoder = ScalarDecoder(bytes)
        while let piece = decoder.next() {
            if case .invalid = piece { return false }
        }
        return true
    }

    private mutating func escape(into result: inout [UInt8]) throws(PickleValueError) {
        guard let letter = next else { throw error("the text ends in an escape") }
        offset += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(letter)
        case UInt8(ascii: "b"): result.append(8)
        case UInt8(ascii: "f"): result.append(12)
        case UInt8(ascii: "n"): result.append(10)
        case UInt8(ascii: "r"): result.append(13)
        case UInt8(ascii: "t"): result.append(9)
        case UInt8(ascii: "u"):
            let unit = try hexadecimal()
            var scalar = unit
            if (0xd800..<0xdc00).contains(unit), bytes[offset...].starts(with: "\\u".utf8) {
                let after = offset
                offset += 2
                let low = try hexadecimal()
                if (0xdc00..<0xe000).contains(low) {
                    scalar = 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)
                } else {
                    offset = after
                }
            }
            TextArgument.appendUTF8(scalar, to: &result)
        default: throw error("unknown escape")
        }
    }

    private mutating func hexadecimal() throws(PickleValueError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(UnicodeScalar(byte)).hexDigitValue, byte < 0x80 else {
                throw error("four hexadecimal digits are needed")
            }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        return value
    }
}
