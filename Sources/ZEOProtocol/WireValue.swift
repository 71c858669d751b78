/// One value of a message, as data: what pickle and msgpack have in common, and what a pickle says beyond that.
///
/// Nothing here was looked up or called. A class is its two names; an instance is the call that would make it.
public enum WireValue: Hashable, Sendable {
    case none
    case bool(Bool)
    case integer(Int64)
    /// An integer beyond 64 bits: two's complement, little-endian, as pickles hold it.
    case bigInteger([UInt8])
    case float(Double)
    /// Python 3 `bytes`; msgpack's bin.
    case bytes([UInt8])
    /// Text in UTF-8, as it came: Python lets surrogates pass.
    case text([UInt8])
    /// A Python 2 `str`: bytes or text, only the place where it stands can tell.
    case nativeString([UInt8])
    case tuple([WireValue])
    case list([WireValue])
    case dict([Entry])
    indirect case global(module: String, name: String)
    indirect case instance(Instance)

    public struct Entry: Hashable, Sendable {
        public var key: WireValue, value: WireValue

        public init(_ key: WireValue, _ value: WireValue) {
            self.key = key
            self.value = value
        }
    }

    /// What a pickle says of an instance: `callable(*arguments)`, then what was set and added.
    public struct Instance: Hashable, Sendable {
        public var callable: WireValue
        public var arguments: WireValue
        /// The operand of BUILD; the last one, if there were several.
        public var state: WireValue?
        /// Items appended (one value each) and entries set (a pair each).
        public var contents: [WireValue]

        public init(callable: WireValue, arguments: WireValue, state: WireValue? = nil, contents: [WireValue] = []) {
            self.callable = callable
            self.arguments = arguments
            self.state = state
            self.contents = contents
        }
    }

    /// The text of a literal of ours.
    public static func string(_ text: String) -> WireValue { .text(Array(text.utf8)) }
}

extension WireValue {
    /// The bytes of bytes, text or a native string: dialects disagree on which of the three a field is.
    public var rawBytes: [UInt8]? {
        switch self {
        case .bytes(let bytes), .text(let bytes), .nativeString(let bytes): bytes
        default: nil
        }
    }

    /// A name (a method, a dict key, a class): bytes or text, never anything else.
    public var name: String? { rawBytes.map { String(decoding: $0, as: UTF8.self) } }

    /// Tuples and lists alike: msgpack knows no difference.
    public var elements: [WireValue]? {
        switch self {
        case .tuple(let elements), .list(let elements): elements
        default: nil
        }
    }

    /// An integer or a truth value, which Python takes for one.
    public var integer: Int? {
        switch self {
        case .integer(let value): Int(exactly: value)
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }

    public var number: Double? {
        if case .float(let value) = self { return value }
        return integer.map(Double.init)
    }

    /// Anything that Python's `if` would take for true, among the types that stand for truth on the wire.
    public var isTrue: Bool { integer.map { $0 != 0 } ?? false }

    public var isNone: Bool { self == .none }

    /// The value of the key called `name`; the last one, as in a dict being filled.
    public subscript(name: String) -> WireValue? {
        guard case .dict(let entries) = self else { return nil }
        return entries.last { $0.key.name == name }?.value
    }
}
