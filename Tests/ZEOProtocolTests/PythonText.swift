import ByteCoding
import ZEOProtocol

extension WireValue {
    /// As Python prints it in the transcripts, white space left out.
    var python: String {
        switch self {
        case .none: "None"
        case .bool(let value): value ? "True" : "False"
        case .integer(let value): String(value)
        case .bigInteger(let bytes): "big" + Hexadecimal.text(bytes)
        case .float(let value): String(value)
        case .bytes(let bytes), .nativeString(let bytes): "b" + Self.quoted(bytes)
        case .text(let bytes): Self.quoted(bytes)
        case .tuple(let items):
            "(" + items.map(\.python).joined(separator: ",") + (items.count == 1 ? ",)" : ")")
        case .list(let items): "[" + items.map(\.python).joined(separator: ",") + "]"
        case .dict(let entries):
            "{" + entries.map { $0.key.python + ":" + $0.value.python }.joined(separator: ",") + "}"
        case .global(let module, let name): "<class\(module).\(name)>"
        case .instance(let instance): Self.instance(instance)
        }
    }

    private static func instance(_ instance: Instance) -> String {
        guard case .global(let module, let name) = instance.callable else { return "?" }
        let arguments = instance.arguments.python
        let state = instance.state.map { "state=" + $0.python } ?? ""
        return "<\(module).\(name)\(arguments.replacing(",)", with: ")"))\(state)>"
    }

    private static func quoted(_ bytes: [UInt8]) -> String {
        let quote = bytes.contains(0x27) && !bytes.contains(0x22) ? "\"" : "'"
        var text = ""
        for byte in bytes {
            switch byte {
            case 0x5c: text += "\\\\"
            case 0x0a: text += "\\n"
            case 0x0d: text += "\\r"
            case 0x09: text += "\\t"
            case UInt8(ascii: quote == "'" ? "'" : "\""): text += "\\" + quote
            case 0x20: break
            case 0x21..<0x7f: text.unicodeScalars.append(Unicode.Scalar(byte))
            default: text += "\\x" + Hexadecimal.text(byte, width: 2)
            }
        }
        return quote + text + quote
    }
}

extension Message {
    /// The four parts as Python prints them.
    func python(fromPython2: Bool) -> String {
        let name = WireValue.bytes(Array(name.utf8))
        return "," + (fromPython2 ? name.python : String(name.python.dropFirst())) + "," + arguments.python + ")"
    }
}
