public import Pickle

/// One step of a path: how a child is found in its parent.
public enum Component: Hashable, Sendable {
    /// `name`: an item (a mapping's key, a container's child), else an attribute.
    case name(String)
    /// `.name`: an attribute.
    case attribute(String)
    /// `[key]`: an item by its key, typed.
    case key(PythonLiteral)
    /// `[#3]`: the item at a position, counted from 0, where the key is nothing that a literal could spell.
    case ordinal(Int)
}

extension Component {
    /// How an item with this key is best called: by its name where that is plain text, else by the literal.
    init(itemKey key: PythonLiteral) {
        switch key {
        case .string(let bytes), .text(let bytes), .nativeString(let bytes):
            let name = String(decoding: bytes, as: UTF8.self)
            self = Self.isPlainName(bytes) ? .name(name) : .key(key)
        default:
            self = .key(key)
        }
    }

    /// Whether a name can stand in a path as it is and means nothing else there.
    static func isPlainName(_ utf8: [UInt8]) -> Bool {
        guard isPlainText(utf8), let first = utf8.first, let last = utf8.last else { return false }
        guard first != UInt8(ascii: "."), first != UInt8(ascii: "#"), first != 0x20, last != 0x20 else { return false }
        return utf8 != [UInt8(ascii: "-")]
    }

    /// Whether a text holds no character that means something in a path, and none that does not print.
    private static func isPlainText(_ utf8: [UInt8]) -> Bool {
        var isASCII = true
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "/"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "@"), UInt8(ascii: "*"),
                UInt8(ascii: "?"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "\\"), ..<0x20, 0x7f:
                return false
            case 0x80...: isASCII = false
            default: break
            }
        }
        // Of other text, what Python's `repr` leaves as it is: the quotes apart, nothing is longer.
        return isASCII
            || utf8.isUTF8
                && PythonString.escaped(utf8.filter { $0 != 0x27 }).utf8.count
                    == utf8.count { $0 != 0x27 }
    }

    /// What a pattern is matched against, and what completion compares with: the key's own text.
    public var plainText: String {
        switch self {
        case .name(let name), .attribute(let name): name
        case .key(let key): key.stringBytes.map { String(decoding: $0, as: UTF8.self) } ?? key.description
        case .ordinal(let index): "#\(index)"
        }
    }

    /// Written straight after what precedes it, without a slash.
    var isBracketed: Bool {
        switch self {
        case .key, .ordinal: true
        case .name, .attribute: false
        }
    }
}

extension Component: CustomStringConvertible {
    /// As a path has it: `index.html`, `.title`, `["a/b"]`, `[42]`; `.["odd name"]` for an attribute.
    public var description: String {
        switch self {
        case .name(let name):
            Self.isPlainName(Array(name.utf8)) ? name : "[\(PythonLiteral.string(Array(name.utf8)))]"
        case .attribute(let name):
            Self.isPlainText(Array(name.utf8)) && !name.isEmpty && name != "." && name.last != " "
                ? ".\(name)" : ".[\(PythonLiteral.string(Array(name.utf8)))]"
        case .key(let key): "[\(key)]"
        case .ordinal(let index): "[#\(index)]"
        }
    }
}

extension [UInt8] {
    /// Whether the bytes are UTF-8; quickly, where they are ASCII.
    var isUTF8: Bool { allSatisfy { $0 < 0x80 } || PythonString.isUTF8(self) }
}
