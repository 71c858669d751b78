/// Reads a value as Python code spells it: what `PythonLiteral` reads, and lists, dicts, sets, dates and references.
///
///     42   'text'   u'text'   b'bytes'   [1, (2, 3)]   {'a': None}   {1, 2}   set()   frozenset({1})   #0x1a
///     bytearray(b'x')   datetime('2026-02-03T04:05:06')   date('2026-02-03')   time('04:05:06')   inf   -inf   nan
///
/// A reference also reads as it is shown, `<#0x1a module.Class>`. Nothing is evaluated.
public struct PickleValueParser {
    /// Makes a reference of the number behind `#`, or nil for one that there is not.
    public typealias Resolver = (_ oid: UInt64) -> PickleValue?

    private let source: [UInt8]
    private let style: PickleStyle
    private let resolve: Resolver
    private var offset = 0
    private var remaining = PickleValue.valueLimit

    /// The value that a whole text spells.
    ///
    /// - Parameter old: what the slot holds that is to have the value: a string without a prefix takes its kind.
    public static func value(
        parsing text: some StringProtocol, _ style: PickleStyle, replacing old: PickleNode? = nil,
        reference: @escaping Resolver = { _ in nil }
    ) throws(PickleValueError) -> PickleValue {
        var parser = PickleValueParser(Array(text.utf8), style, reference)
        let value = try parser.value(depth: 0, replacing: old)
        parser.skipSpace()
        guard parser.offset == parser.source.count else { throw parser.error("more text after the value") }
        return value
    }

    private init(_ source: [UInt8], _ style: PickleStyle, _ resolve: @escaping Resolver) {
        self.source = source
        self.style = style
        self.resolve = resolve
    }

    private var next: UInt8? { offset < source.count ? source[offset] : nil }

    private func error(_ reason: String) -> PickleValueError { .malformed(reason, offset: offset) }

    private mutating func skipSpace() {
        while let byte = next {
            if byte == UInt8(ascii: "#"), !isReference {
                // A comment, as in Python; a reference has its number right behind the sign.
                while let byte = next, byte != 10 { offset += 1 }
            } else if byte == 0x20 || (9...13).contains(byte) {
                offset += 1
            } else {
                return
            }
        }
    }

    private var isReference: Bool {
        guard next == UInt8(ascii: "#"), offset + 1 < source.count else { return false }
        return (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(source[offset + 1])
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard next == byte else { return false }
        offset += 1
        return true
    }

    private mutating func value(depth: Int, replacing old: PickleNode? = nil) throws(PickleValueError) -> PickleValue {
        guard depth < PickleValue.depthLimit else { throw .tooDeep(limit: PickleValue.depthLimit) }
        remaining -= 1
        guard remaining >= 0 else { throw .tooManyValues(limit: PickleValue.valueLimit) }
        skipSpace()
        switch next {
        case UInt8(ascii: "["): return .list(try items(until: "]", depth: depth).items)
        case UInt8(ascii: "("):
            let (items, hasComma) = try items(until: ")", depth: depth)
            return items.count == 1 && !hasComma ? items[0] : .tuple(items)
        case UInt8(ascii: "{"): return try braces(depth: depth)
        case UInt8(ascii: "#"), UInt8(ascii: "<"): return try reference()
        default:
            if let value = try call(depth: depth) { return value }
            return try literal(replacing: old)
        }
    }

    private mutating func items(
        until close: Unicode.Scalar, depth: Int
    ) throws(PickleValueError) -> (items: [PickleValue], hasComma: Bool) {
        let start = offset
        offset += 1
        var items: [PickleValue] = []
        var hasComma = false
        while !take(UInt8(ascii: close)) {
            guard items.isEmpty || hasComma else { throw unclosed(from: start, "no , or \(close)") }
            guard offset < source.count else { throw unclosed(from: start, "") }
            items.append(try value(depth: depth + 1))
            hasComma = take(UInt8(ascii: ","))
        }
        return (items, hasComma)
    }

    private func unclosed(from start: Int, _ reason: String) -> PickleValueError {
        guard offset >= source.count else { return error(reason) }
        return .malformed("the \(Character(UnicodeScalar(source[start]))) is never closed", offset: start)
    }

    /// A dict or a set.
    private mutating func braces(depth: Int) throws(PickleValueError) -> PickleValue {
        let start = offset
        offset += 1
        if take(UInt8(ascii: "}")) { return .dict([]) }
        var keys: [PickleValue] = []
        var values: [PickleValue] = []
        while true {
            guard offset < source.count else { throw unclosed(from: start, "") }
            let place = offset
            let key = try value(depth: depth + 1)
            if let kind = key.unhashableKind {
                throw .malformed("a \(kind) can be neither a key nor in a set", offset: place)
            }
            keys.append(key)
            if take(UInt8(ascii: ":")) {
                guard values.count == keys.count - 1 else { throw error("a set has no :") }
                values.append(try value(depth: depth + 1))
            } else if !values.isEmpty {
                throw unclosed(from: start, "a : and a value are missing")
            }
            let hasComma = take(UInt8(ascii: ","))
            if take(UInt8(ascii: "}")) { break }
            guard hasComma else { throw unclosed(from: start, "no , or }") }
        }
        guard !values.isEmpty else { return .set(keys) }
        return .dict(zip(keys, values).map { PickleValue.Entry(key: $0, value: $1) })
    }

    // MARK: Words

    /// `name(…)` for the few kinds that read like a call; nil for anything else, which is left unread.
    private mutating func call(depth: Int) throws(PickleValueError) -> PickleValue? {
        let start = offset
        var end = offset
        if end < source.count, source[end] == UInt8(ascii: "-") { end += 1 }
        while end < source.count, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(source[end]) { end += 1 }
        let word = String(decoding: source[start..<end], as: UTF8.self)
        switch word {
        case "inf", "nan", "-inf":
            offset = end
            return .float(word == "nan" ? .nan : word == "inf" ? .infinity : -.infinity)
        case "set", "frozenset", "bytearray", "datetime", "date", "time": break
        default: return nil
        }
        guard end < source.count, source[end] == UInt8(ascii: "(") else { return nil }
        offset = end
        let arguments = try items(until: ")", depth: depth).items
        guard let value = Self.made(word, arguments, style) else {
            throw .malformed("\(word)(…) cannot have these arguments", offset: start)
        }
        return value
    }

    private static func made(_ word: String, _ arguments: [PickleValue], _ style: PickleStyle) -> PickleValue? {
        let first = arguments.first
        switch word {
        case "set", "frozenset":
            guard arguments.count <= 1 else { return nil }
            let items: [PickleValue]
            switch first {
            case nil: items = []
            case .list(let all)?, .tuple(let all)?, .set(let all)?, .frozenSet(let all)?: items = all
            case .dict(let entries)? where entries.isEmpty: items = []
            default: return nil
            }
            guard items.allSatisfy({ $0.unhashableKind == nil }) else { return nil }
            return word == "set" ? .set(items) : .frozenSet(items)
        case "bytearray":
            guard arguments.count <= 1 else { return nil }
            if arguments.isEmpty { return .byteArray([]) }
            switch first {
            case .bytes(let bytes)?, .nativeString(let bytes)?: return .byteArray(bytes)
            default: return nil
            }
        default:
            guard arguments.count == 1 || arguments.count == 2 && word == "datetime", let text = first?.stringBytes
            else { return nil }
            return PickleDate(word, iso: text)?.value(style, zone: arguments.dropFirst().first)
        }
    }

    private mutating func reference() throws(PickleValueError) -> PickleValue {
        let start = offset
        let isShown = next == UInt8(ascii: "<")
        if isShown { offset += 1 }
        guard isReference else {
            throw .malformed(
                "no reference: they read like #0x1a; what else stands between < and > needs JSON", offset: start)
        }
        offset += 1
        let digits = offset
        while let byte = next, byte < 0x80,
            Character(UnicodeScalar(byte)).isHexDigit || byte | 0x20 == UInt8(ascii: "x")
        {
            offset += 1
        }
        let text = String(decoding: source[digits..<offset], as: UTF8.self)
        // Hexadecimal with and without 0x, as in a path.
        let hasPrefix = text.hasPrefix("0x") || text.hasPrefix("0X")
        let oid = UInt64(text.dropFirst(hasPrefix ? 2 : 0), radix: 16)
        guard let oid else { throw .malformed("#\(text) is no object id", offset: start) }
        if isShown {
            while let byte = next, byte != UInt8(ascii: ">") { offset += 1 }
            guard take(UInt8(ascii: ">")) else { throw .malformed("the < is never closed", offset: start) }
        }
        guard let value = resolve(oid) else { throw .malformed("there is no object #\(text)", offset: start) }
        return value
    }

    private mutating func literal(replacing old: PickleNode?) throws(PickleValueError) -> PickleValue {
        var parser = PythonLiteralParser(source, from: offset)
        do throws(PythonLiteralError) {
            var literal = try parser.literal()
            offset = parser.offset
            // Strings that follow one another are one, as in Python: long texts are written so.
            while case .some(let more) = try adjacentString(to: literal) { literal = more }
            return PickleValue(literal, style, replacing: old)
        } catch {
            throw .malformed(error.reason, offset: error.offset)
        }
    }

    private mutating func adjacentString(to literal: PythonLiteral) throws(PythonLiteralError) -> PythonLiteral? {
        guard let bytes = literal.stringBytes else { return nil }
        let start = offset
        skipSpace()
        var quote = offset
        while quote < source.count, quote - offset < 2, source[quote] | 0x20 >= UInt8(ascii: "a"),
            source[quote] | 0x20 <= UInt8(ascii: "z")
        {
            quote += 1
        }
        guard quote < source.count, source[quote] == UInt8(ascii: "'") || source[quote] == UInt8(ascii: "\"") else {
            offset = start
            return nil
        }
        var parser = PythonLiteralParser(source, from: offset)
        let more = try parser.literal()
        switch (literal, more) {
        case (.string, .string(let rest)):
            self.offset = parser.offset
            return .string(bytes + rest)
        case (.text, .text(let rest)):
            self.offset = parser.offset
            return .text(bytes + rest)
        case (.bytes, .bytes(let rest)):
            self.offset = parser.offset
            return .bytes(bytes + rest)
        default: throw PythonLiteralError(reason: "strings of two kinds side by side", offset: offset)
        }
    }
}
