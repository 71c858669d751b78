/// JSON as it is written: objects keep their order, numbers their digits, so that `1` and `1.0` stay apart.
public indirect enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([Member])

    public struct Member: Hashable, Sendable {
        public let key: String, value: JSONValue
        public init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    public struct Malformed: Error {
        public let offset: Int
    }

    public init(parsing text: some Collection<UInt8>) throws {
        var parser = Parser(bytes: Array(text))
        self = try parser.value()
        parser.skipSpace()
        guard parser.at == parser.bytes.count else { throw Malformed(offset: parser.at) }
    }

    public subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    public var members: [Member] {
        guard case .object(let members) = self else { return [] }
        return members
    }

    public var elements: [JSONValue] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }

    public var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    public var int: Int? {
        guard case .number(let text) = self else { return nil }
        return Int(text)
    }
}

private struct Parser {
    let bytes: [UInt8]
    var at = 0

    mutating func skipSpace() {
        while at < bytes.count, [9, 10, 13, 32].contains(bytes[at]) { at += 1 }
    }

    mutating func value() throws -> JSONValue {
        skipSpace()
        guard at < bytes.count else { throw JSONValue.Malformed(offset: at) }
        switch bytes[at] {
        case UInt8(ascii: "{"): return .object(try members())
        case UInt8(ascii: "["): return .array(try elements())
        case UInt8(ascii: "\""): return .string(try string())
        default: return try word()
        }
    }

    private mutating func expect(_ byte: Character) throws {
        skipSpace()
        guard at < bytes.count, bytes[at] == byte.asciiValue else { throw JSONValue.Malformed(offset: at) }
        at += 1
    }

    private mutating func peek(_ byte: Character) -> Bool {
        skipSpace()
        return at < bytes.count && bytes[at] == byte.asciiValue
    }

    private mutating func members() throws -> [JSONValue.Member] {
        var members: [JSONValue.Member] = []
        try expect("{")
        if peek("}") {
            at += 1
        } else {
            while true {
                skipSpace()
                let key = try string()
                try expect(":")
                members.append(.init(key, try value()))
                if peek(",") { at += 1 } else { break }
            }
            try expect("}")
        }
        return members
    }

    private mutating func elements() throws -> [JSONValue] {
        var elements: [JSONValue] = []
        try expect("[")
        if peek("]") {
            at += 1
        } else {
            while true {
                elements.append(try value())
                if peek(",") { at += 1 } else { break }
            }
            try expect("]")
        }
        return elements
    }

    private mutating func string() throws -> String {
        try expect("\"")
        var units: [UInt8] = []
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
            if bytes[at] == UInt8(ascii: "\\") {
                units += Array(try escape().utf8)
            } else {
                units.append(bytes[at])
                at += 1
            }
        }
        try expect("\"")
        return String(decoding: units, as: UTF8.self)
    }

    private mutating func escape() throws -> String {
        guard at + 1 < bytes.count else { throw JSONValue.Malformed(offset: at) }
        let kind = bytes[at + 1]
        at += 2
        switch kind {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "u"):
            let high = try unit()
            if (0xd800..<0xdc00).contains(high), at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\") {
                at += 2
                let low = try unit()
                return String(decoding: [UInt16(high), UInt16(low)], as: UTF16.self)
            }
            return Unicode.Scalar(high).map { String($0) } ?? "\u{fffd}"
        default: return String(Unicode.Scalar(kind))
        }
    }

    private mutating func unit() throws -> UInt32 {
        guard at + 4 <= bytes.count, let value = UInt32(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
        else { throw JSONValue.Malformed(offset: at) }
        at += 4
        return value
    }

    private mutating func word() throws -> JSONValue {
        let start = at
        while at < bytes.count, !",]} \n\r\t".utf8.contains(bytes[at]) { at += 1 }
        switch String(decoding: bytes[start..<at], as: UTF8.self) {
        case "null": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        case let text:
            guard Double(text) != nil else { throw JSONValue.Malformed(offset: start) }
            return .number(text)
        }
    }
}
