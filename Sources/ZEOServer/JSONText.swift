internal import ZEOProtocol

/// JSON of the few values that figures consist of.
package enum JSONText {
    static func text(_ value: WireValue) -> String {
        switch value {
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .float(let value): value.isFinite ? String(value) : "null"
        case .text(let bytes), .bytes(let bytes), .nativeString(let bytes):
            quoted(String(decoding: bytes, as: UTF8.self))
        case .tuple(let elements), .list(let elements):
            "[" + elements.map(text).joined(separator: ", ") + "]"
        case .dict(let entries):
            "{" + entries.map { "\(quoted($0.key.name ?? "?")): \(text($0.value))" }.joined(separator: ", ") + "}"
        case .none, .bigInteger, .global, .instance: "null"
        }
    }

    package static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
