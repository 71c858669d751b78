/// JSON, written by hand: small, and ready before anything else is.
public enum JSONText {
    /// A string in quotes. Control characters, also those of C1 and the bidirectional ones, are `\u` escapes.
    public static func string(_ text: String) -> String {
        var result: String.UnicodeScalarView = "\"".unicodeScalars
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result.append(contentsOf: "\\\"".unicodeScalars)
            case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\r": result.append(contentsOf: "\\r".unicodeScalars)
            case "\t": result.append(contentsOf: "\\t".unicodeScalars)
            default:
                if scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) || TerminalText.isInvisible(scalar) {
                    for unit in UTF16.encode(scalar) ?? .init() {
                        result.append(contentsOf: escape(unit).unicodeScalars)
                    }
                } else {
                    result.append(scalar)
                }
            }
        }
        result.append("\"")
        return String(result)
    }

    private static func escape(_ unit: UInt16) -> String {
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }

    /// `{"a":1,"b":"x"}` from names and values already in JSON.
    public static func object(_ members: [(name: String, value: String)]) -> String {
        "{" + members.map { string($0.name) + ":" + $0.value }.joined(separator: ",") + "}"
    }

    /// A number; JSON has none that is not finite: those become strings.
    public static func number(_ value: Double) -> String {
        value.isFinite
            ? (value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value))
            : string(String(value))
    }
}
