/// A value that Python code can spell, apart from any pickle: what a path has between brackets, what a filter compares
/// with, what a mapping's key is when it can be written down.
public indirect enum PythonLiteral: Hashable, Sendable {
    case none
    case bool(Bool)
    case integer(PickleInteger)
    case float(Double)
    /// `'…'` without a prefix: a `str` of whichever Python wrote the database. Only literals are of this kind.
    case string([UInt8])
    /// `u'…'`, or a Python 3 `str`: UTF-8, lone surrogates as three bytes each.
    case text([UInt8])
    /// A Python 2 `str` as found in a pickle.
    case nativeString([UInt8])
    /// `b'…'`.
    case bytes([UInt8])
    case tuple([PythonLiteral])
}

extension PythonLiteral {
    /// How much a key may hold and still be written out: beyond that it is data, not a name.
    static let elementLimit = 200
    static let byteLimit = 4096
    static let depthLimit = 20

    /// The value of a slot; nil when no short literal spells it: an instance, a list, NaN, a very long text.
    public init?(_ slot: PickleDocument.Slot, in document: PickleDocument) {
        var budget = Self.elementLimit
        self.init(slot, in: document, depth: 0, budget: &budget)
    }

    private init?(_ slot: PickleDocument.Slot, in document: PickleDocument, depth: Int, budget: inout Int) {
        // A few hundred bytes of nested shared tuples can stand for 2^100 elements.
        budget -= 1
        guard budget >= 0, depth < Self.depthLimit else { return nil }
        switch document[slot] {
        case .none: self = .none
        case .bool(let value): self = .bool(value)
        case .integer(let value):
            guard value.twosComplement.count <= Self.byteLimit / 4 else { return nil }
            self = .integer(value)
        case .float(let value):
            guard !value.isNaN else { return nil }
            self = .float(value)
        case .text(let bytes) where bytes.count <= Self.byteLimit: self = .text(bytes)
        case .nativeString(let bytes) where bytes.count <= Self.byteLimit: self = .nativeString(bytes)
        case .bytes(let bytes) where bytes.count <= Self.byteLimit: self = .bytes(bytes)
        case .tuple(let slots):
            guard slots.count <= budget else { return nil }
            var items: [PythonLiteral] = []
            for slot in slots {
                guard let item = PythonLiteral(slot, in: document, depth: depth + 1, budget: &budget) else {
                    return nil
                }
                items.append(item)
            }
            self = .tuple(items)
        default: return nil
        }
    }

    /// The bytes of a string of any kind.
    public var stringBytes: [UInt8]? {
        switch self {
        case .string(let bytes), .text(let bytes), .nativeString(let bytes), .bytes(let bytes): bytes
        default: nil
        }
    }
}

extension PythonLiteral: CustomStringConvertible {
    /// As Python writes it; read again, it matches the value it was made of.
    ///
    /// Text beyond ASCII has its `u`, since Python 2 has two kinds of `'é'`; a Python 2 `str` that is no UTF-8 reads
    /// `b'…'`, since `'\xe9'` without a prefix is a character in Python 3.
    public var description: String {
        switch self {
        case .none: "None"
        case .bool(let value): value ? "True" : "False"
        case .integer(let value): value.description
        case .float(let value): value.isInfinite ? (value < 0 ? "-1e999" : "1e999") : value.description
        case .text(let bytes) where bytes.contains { $0 >= 0x80 }: "u" + PythonString.literal(bytes).text
        case .string(let bytes), .text(let bytes): PythonString.literal(bytes).text
        case .nativeString(let bytes) where PythonString.isUTF8(bytes): PythonString.literal(bytes).text
        case .nativeString(let bytes), .bytes(let bytes): PythonString.bytesLiteral(bytes).text
        case .tuple(let items):
            "(" + items.map(\.description).joined(separator: ", ") + (items.count == 1 ? ",)" : ")")
        }
    }
}

extension PythonLiteral {
    /// Whether `key`, as a pickle has it, is what this literal means: Python's `==`, with the leniency of `string`.
    public func matches(_ key: PythonLiteral) -> Bool {
        switch (self, key) {
        case (.string(let left), .text(let right)), (.string(let left), .nativeString(let right)),
            (.string(let left), .string(let right)), (.text(let left), .text(let right)),
            (.text(let left), .string(let right)), (.nativeString(let left), .string(let right)),
            (.nativeString(let left), .nativeString(let right)), (.bytes(let left), .bytes(let right)),
            (.bytes(let left), .nativeString(let right)), (.nativeString(let left), .bytes(let right)):
            return left == right
        case (.text(let left), .nativeString(let right)), (.nativeString(let left), .text(let right)):
            return left == right && left.allSatisfy { $0 < 0x80 }
        case (.tuple(let left), .tuple(let right)):
            return left.count == right.count && zip(left, right).allSatisfy { $0.matches($1) }
        case (.none, .none):
            return true
        default:
            return compareNumbers(key) == 0
        }
    }

    /// Below 0, 0 or above 0 when both are numbers (`bool` is one); nil otherwise, and for NaN.
    public func compareNumbers(_ other: PythonLiteral) -> Int? {
        if let left = wholeNumber, let right = other.wholeNumber { return left.compare(right) }
        guard let left = number, let right = other.number, !left.isNaN, !right.isNaN else { return nil }
        if left != right { return left < right ? -1 : 1 }
        // Equal as doubles: a large integer may still differ from the float that it rounds to.
        let wholes = [self, other].map { $0.wholeNumber ?? $0.number.flatMap { PickleInteger(exactly: $0) } }
        guard let first = wholes[0], let second = wholes[1] else { return 0 }
        return first.compare(second)
    }

    private var wholeNumber: PickleInteger? {
        switch self {
        case .bool(let value): PickleInteger(value ? 1 : 0)
        case .integer(let value): value
        default: nil
        }
    }

    private var number: Double? {
        if case .float(let value) = self { return value }
        return wholeNumber?.approximation
    }
}

extension PickleInteger {
    /// Below 0, 0 or above 0; `isLong` makes no difference.
    public func compare(_ other: PickleInteger) -> Int {
        if isNegative != other.isNegative { return isNegative ? -1 : 1 }
        let (left, right) = (twosComplement, other.twosComplement)
        if left.count != right.count { return (left.count < right.count) != isNegative ? -1 : 1 }
        for (a, b) in zip(left.reversed(), right.reversed()) where a != b { return a < b ? -1 : 1 }
        return 0
    }

    /// The nearest double, or close to it; infinite when too large.
    public var approximation: Double {
        if let int64 { return Double(int64) }
        let filler: UInt8 = isNegative ? 0xff : 0
        var magnitude = twosComplement.reversed().reduce(0.0) { $0 * 256 + Double($1 ^ filler) }
        if isNegative { magnitude = -magnitude - 1 }
        return magnitude
    }

    /// The integer equal to `value`, as far as 64 bits go.
    init?(exactly value: Double) {
        guard let whole = Int64(exactly: value) else { return nil }
        self.init(whole)
    }
}
