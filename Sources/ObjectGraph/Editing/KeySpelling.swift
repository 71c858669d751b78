internal import Pickle
internal import ZODB

/// How a literal is written as a key, or name, beside others: the kind of string that they are.
struct KeySpelling {
    /// Which Python reads the record.
    let generation: PythonGeneration
    /// Whether the strings beside it are all `unicode`, in a database of Python 2.
    private let prefersText: Bool

    init(
        _ generation: PythonGeneration, beside siblings: some Sequence<PickleDocument.Slot>, in document: PickleDocument
    ) {
        self.generation = generation
        var (native, text) = (0, 0)
        for slot in siblings.prefix(100) {
            switch document[slot] {
            case .text: text += 1
            case .nativeString: native += 1
            default: break
            }
        }
        prefersText = native == 0 && text > 0
    }

    /// The literal with its undecided strings decided.
    func decided(_ literal: PythonLiteral) -> PythonLiteral {
        switch literal {
        case .string(let bytes):
            generation == .python3 || (prefersText && bytes.isUTF8) ? .text(bytes) : .nativeString(bytes)
        case .nativeString(let bytes):
            // What Python 3 reads of such a string is text, and it is the only kind it can be given anew.
            generation == .python3 ? (bytes.isUTF8 ? .text(bytes) : .bytes(bytes)) : literal
        case .bytes(let bytes):
            // In Python 2 `b'…'` is a plain string.
            generation == .python3 ? literal : .nativeString(bytes)
        case .tuple(let items): .tuple(items.map { decided($0) })
        default: literal
        }
    }

    func value(_ literal: PythonLiteral) -> PickleValue { Self.value(decided(literal)) }

    /// An attribute's name.
    func name(_ name: String) -> PickleValue { value(.string(Array(name.utf8))) }

    private static func value(_ literal: PythonLiteral) -> PickleValue {
        switch literal {
        case .none: .none
        case .bool(let value): .bool(value)
        case .integer(let value): .integer(value)
        case .float(let value): .float(value)
        case .string(let bytes), .text(let bytes): .text(bytes)
        case .nativeString(let bytes): .nativeString(bytes)
        case .bytes(let bytes): .bytes(bytes)
        case .tuple(let items): .tuple(items.map { value($0) })
        }
    }
}

extension Component {
    /// The key that the component names when there is none yet: a name is text.
    var newKey: PythonLiteral? {
        switch self {
        case .name(let name): .string(Array(name.utf8))
        case .key(let key): key
        case .attribute, .ordinal: nil
        }
    }
}
