internal import Pickle
internal import ZODB

/// Text that is no path: what is wrong, and where.
public struct PathSyntaxError: Error, Hashable, Sendable {
    public let reason: String
    /// In bytes from the start of the path.
    public let offset: Int
}

extension PathSyntaxError: CustomStringConvertible {
    public var description: String { "\(reason) (at character \(offset + 1))" }
}

extension ObjectPath {
    /// Reads a path in any of the forms of `help paths`.
    public init(parsing text: String) throws(PathSyntaxError) {
        var parser = ObjectPathParser(Array(text.utf8))
        self = try parser.path()
    }
}

private struct ObjectPathParser {
    private let source: [UInt8]
    private var offset = 0
    /// Where the path ends and `@WHEN` begins.
    private let end: Int
    /// Where the colon of a leading `@WHEN:` is; nil without one.
    private let prefix: Int?

    init(_ source: [UInt8]) {
        self.source = source
        prefix = Self.endOfPrefix(source)
        end = Self.whenOffset(source, from: prefix.map { $0 + 1 } ?? 0) ?? source.count
    }

    mutating func path() throws(PathSyntaxError) -> ObjectPath {
        var path = ObjectPath(origin: .current)
        path.when = try when()
        if let prefix {
            guard path.when == nil else {
                throw PathSyntaxError(reason: "one time is enough: @WHEN:/PATH is the same as /PATH@WHEN", offset: 0)
            }
            path.when = try when(source[1..<prefix], at: 0)
            offset = prefix + 1
        }
        if source[..<end].elementsEqual("-".utf8) {
            path.origin = .previous
            return path
        }
        path.origin = try origin()
        while offset < end {
            if take("/") { continue }
            if offset > 0, source[offset - 1] == UInt8(ascii: "]"), peek != UInt8(ascii: "[") {
                throw PathSyntaxError(reason: "after ] comes / or [", offset: offset)
            }
            if let step = try step() { path.steps.append(step) }
        }
        return path
    }

    // MARK: The beginning and the end

    private mutating func origin() throws(PathSyntaxError) -> ObjectPath.Origin {
        if take("/") { return take("/") ? .root : .application }
        guard peek == UInt8(ascii: "#") else { return .current }
        let start = offset
        offset += 1
        let digits = String(decoding: word(), as: UTF8.self)
        let number: UInt64?
        if digits.hasPrefix("d:") {
            number = UInt64(digits.dropFirst(2))
        } else if digits.hasPrefix("0x") || digits.hasPrefix("0X") {
            number = UInt64(digits.dropFirst(2), radix: 16)
        } else {
            number = UInt64(digits, radix: 16)
        }
        guard let number else {
            throw PathSyntaxError(
                reason: "#\(digits) is no object id: write #0x1a2b, or #d:6699 for decimal", offset: start)
        }
        return .object(ObjectID(rawValue: number))
    }

    private func when() throws(PathSyntaxError) -> ObjectPath.When? {
        guard end < source.count else { return nil }
        return try when(source[(end + 1)...], at: end)
    }

    private func when(_ text: ArraySlice<UInt8>, at offset: Int) throws(PathSyntaxError) -> ObjectPath.When {
        let text = String(decoding: text, as: UTF8.self)
        guard !text.isEmpty else { throw PathSyntaxError(reason: "a time is missing after @", offset: offset) }
        guard text.hasPrefix("~") else { return .text(text) }
        guard let count = Int(text.dropFirst()), count >= 0 else {
            throw PathSyntaxError(reason: "@~ needs a number: @~3 is three revisions back", offset: offset)
        }
        return .revisionsBack(count)
    }

    /// Where the colon of `@WHEN:/PATH` is; nil for a path that does not begin with a time. Times have colons too, but none
    /// with a path behind it.
    private static func endOfPrefix(_ source: [UInt8]) -> Int? {
        guard source.first == UInt8(ascii: "@") else { return nil }
        return source.indices.dropLast().first { index in
            source[index] == UInt8(ascii: ":")
                && (source[index + 1] == UInt8(ascii: "/") || source[index + 1] == UInt8(ascii: "#"))
        }
    }

    /// The last `@` that stands neither in brackets nor before a slash.
    private static func whenOffset(_ source: [UInt8], from start: Int) -> Int? {
        var found: Int?
        var index = start
        while index < source.count {
            switch source[index] {
            case UInt8(ascii: "["):
                index = endOfBrackets(source, from: index)
                found = nil
                continue
            case UInt8(ascii: "/"): found = nil
            case UInt8(ascii: "@"): found = found ?? index
            default: break
            }
            index += 1
        }
        return found
    }

    /// One past the bracket that closes the one at `start`, quotes respected; the end when none does.
    private static func endOfBrackets(_ source: [UInt8], from start: Int) -> Int {
        var index = start + 1
        var quote: UInt8?
        while index < source.count {
            let byte = source[index]
            index += 1
            if let open = quote {
                if byte == UInt8(ascii: "\\") { index += 1 }
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                quote = byte
            } else if byte == UInt8(ascii: "]") {
                return index
            }
        }
        return source.count
    }

    // MARK: Steps

    /// One step; nil for `.`, which goes nowhere.
    private mutating func step() throws(PathSyntaxError) -> ObjectPath.Step? {
        if peek == UInt8(ascii: "[") { return .child(try bracketed()) }
        let start = offset
        let bytes = word()
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw PathSyntaxError(reason: "the name is not UTF-8", offset: start)
        }
        switch text {
        case "..": return .parent
        case "**": return .anyDepth
        case ".":
            guard peek == UInt8(ascii: "[") else { return nil }
            guard case .key(let key) = try bracketed(), let name = key.stringBytes else {
                throw PathSyntaxError(reason: "an attribute's name is a text: .[\"name\"]", offset: start)
            }
            return .child(.attribute(String(decoding: name, as: UTF8.self)))
        default: break
        }
        let isAttribute = text.hasPrefix(".")
        let name = isAttribute ? String(text.dropFirst()) : text
        if let pattern = GlobPattern(name) { return .pattern(pattern, attributes: isAttribute) }
        return .child(isAttribute ? .attribute(name) : .name(name))
    }

    /// Up to a slash or a bracket.
    private mutating func word() -> ArraySlice<UInt8> {
        let start = offset
        while let byte = peek, byte != UInt8(ascii: "/"), byte != UInt8(ascii: "[") { offset += 1 }
        return source[start..<offset]
    }

    private mutating func bracketed() throws(PathSyntaxError) -> Component {
        let start = offset
        offset += 1
        if peek == UInt8(ascii: "#") {
            offset += 1
            let first = offset
            while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { offset += 1 }
            guard let index = Int(String(decoding: source[first..<offset], as: UTF8.self)), take("]") else {
                throw PathSyntaxError(reason: "[# needs a position: [#3]", offset: start)
            }
            return .ordinal(index)
        }
        var parser = PythonLiteralParser(Array(source[..<end]), from: offset)
        let key: PythonLiteral
        do throws(PythonLiteralError) {
            key = try parser.literal()
        } catch {
            throw PathSyntaxError(reason: error.reason, offset: error.offset)
        }
        parser.skipSpace()
        offset = parser.offset
        guard take("]") else { throw PathSyntaxError(reason: "the [ is never closed", offset: start) }
        return .key(key)
    }

    private var peek: UInt8? { offset < end ? source[offset] : nil }

    private mutating func take(_ character: Character) -> Bool {
        guard let byte = peek, character.asciiValue == byte else { return false }
        offset += 1
        return true
    }
}
