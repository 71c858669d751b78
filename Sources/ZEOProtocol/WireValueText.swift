internal import ByteCoding

extension WireValue: CustomStringConvertible {
    /// About as Python would print it, on one line and short: for messages to people. Control characters, and
    /// whatever is not ASCII in bytes, are escaped.
    public var description: String { text(depth: 0) }

    private static let longest = 200, mostElements = 8, deepest = 6

    private func text(depth: Int) -> String {
        guard depth < Self.deepest else { return "…" }
        switch self {
        case .none: return "None"
        case .bool(let value): return value ? "True" : "False"
        case .integer(let value): return String(value)
        case .bigInteger(let bytes): return "0x" + Hexadecimal.text(bytes.reversed().prefix(Self.longest))
        case .float(let value): return String(value)
        case .bytes(let bytes): return "b'" + Self.escaped(bytes, keepingText: false) + "'"
        case .text(let bytes), .nativeString(let bytes): return "'" + Self.escaped(bytes, keepingText: true) + "'"
        case .tuple(let elements):
            return "(" + Self.joined(elements, depth) + (elements.count == 1 ? ",)" : ")")
        case .list(let elements): return "[" + Self.joined(elements, depth) + "]"
        case .dict(let entries):
            let parts = entries.prefix(Self.mostElements).map {
                $0.key.text(depth: depth + 1) + ": " + $0.value.text(depth: depth + 1)
            }
            return "{" + parts.joined(separator: ", ") + (entries.count > Self.mostElements ? ", …}" : "}")
        case .global(let module, let name): return Self.escaped(Array("\(module).\(name)".utf8), keepingText: true)
        case .instance(let instance):
            return instance.callable.text(depth: depth + 1) + instance.arguments.text(depth: depth + 1)
        }
    }

    private static func joined(_ elements: [WireValue], _ depth: Int) -> String {
        elements.prefix(mostElements).map { $0.text(depth: depth + 1) }.joined(separator: ", ")
            + (elements.count > mostElements ? ", …" : "")
    }

    /// Bytes for a message to people: printable characters as they are, anything else as `\n` or `\x00`.
    public static func escaped(_ bytes: [UInt8], keepingText: Bool) -> String {
        var result = ""
        for scalar in String(decoding: bytes.prefix(longest), as: UTF8.self).unicodeScalars where keepingText {
            switch scalar.value {
            case 0x0a: result += "\\n"
            case 0x0d: result += "\\r"
            case 0x09: result += "\\t"
            // The controls of both ranges, and those that turn the direction of writing.
            case 0..<0x20, 0x7f..<0xa0, 0x200e...0x200f, 0x202a...0x202e, 0x2066...0x2069:
                result += "\\u{" + String(scalar.value, radix: 16) + "}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        for byte in bytes.prefix(longest) where !keepingText {
            if (0x20..<0x7f).contains(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "\\x" + Hexadecimal.text(byte, width: 2)
            }
        }
        return bytes.count > longest ? result + "…" : result
    }
}
