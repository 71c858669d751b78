import ByteCoding
import Foundation
import ZEOProtocol

/// A captured conversation: every frame as bytes, and the value Python decoded from it, as text.
struct Transcript: Sendable {
    struct Line: Sendable {
        var connection: String
        var fromServer: Bool
        /// The frame, its length word included.
        var frame: [UInt8]
        /// As printed by Python, without white space: it is broken at column 150.
        var value: String

        var body: [UInt8] { Array(frame.dropFirst(4)) }
        var isHandshake: Bool { value.hasPrefix("handshake") }
    }

    let name: String
    let lines: [Line]

    static let names = [
        "z5-zeo-6.2-py311", "m5-zeo-6.2-py311", "z5-zeo-5.4.1-py27", "z4-zeo-4.3.1-py27", "z201-zeo-2.2-py27",
    ]

    init(_ name: String) throws {
        self.name = name
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "transcripts")
        let text = try String(contentsOf: folder.appending(path: name + ".txt"), encoding: .utf8)
        var lines: [Line] = []
        for line in text.split(separator: "\n") where line.hasPrefix("   ") {
            let words = line.split(separator: " ")
            if line.hasPrefix("   S -> C") {
                lines.append(Line(connection: String(words[2]), fromServer: true, frame: [], value: ""))
            } else if line.hasPrefix("   C"), words[1] == "->" {
                lines.append(Line(connection: String(words[0]), fromServer: false, frame: [], value: ""))
            } else if lines[lines.count - 1].value.isEmpty, words[0] != "=" {
                lines[lines.count - 1].frame += words.dropFirst().compactMap { UInt8($0, radix: 16) }
            } else {
                lines[lines.count - 1].value += words.drop { $0 == "=" }.joined()
            }
        }
        self.lines = lines
    }

    var encoding: Dialect.Encoding { name.hasPrefix("m") ? .messagePack : .pickle }

    /// What the server sent on one connection.
    func serverFrames(_ connection: String) -> [[UInt8]] {
        lines.filter { $0.fromServer && $0.connection == connection }.map(\.frame)
    }
}

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
