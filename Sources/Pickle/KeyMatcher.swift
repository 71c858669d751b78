/// Compares keys as Python does: by value across the kinds of numbers, and in Python 2 across its kinds of strings.
struct KeyMatcher {
    private let key: PickleValue
    private let style: PickleStyle

    init(_ key: PickleValue, _ style: PickleStyle) {
        self.key = key
        self.style = style
    }

    func matches(_ slot: PickleDocument.Slot, in document: PickleDocument) -> Bool {
        // Strings are most keys; theirs are compared where they stand.
        if let bytes = key.stringBytes, let range = document.contentRange(of: slot) {
            guard range.count == bytes.count, document.source[range].elementsEqual(bytes) else { return false }
        }
        // No more values than there are in the key: a shared tuple may stand for very many.
        guard let value = try? PickleValue(slot, in: document, limit: key.valueCount + 1) else { return false }
        return value.isSameKey(as: key, style)
    }
}

extension PickleValue {
    /// The number of values in a key: tuples and frozen sets with their items; what is not a key counts as many.
    fileprivate var valueCount: Int {
        switch self {
        case .tuple(let items), .frozenSet(let items): items.reduce(1) { $0 + $1.valueCount }
        case .none, .bool, .integer, .float, .text, .bytes, .nativeString, .global: 1
        default: 10_000
        }
    }

    /// Whether Python would find one where the other is the key.
    func isSameKey(as other: PickleValue, _ style: PickleStyle) -> Bool {
        switch (self, other) {
        case (.tuple(let left), .tuple(let right)):
            return left.count == right.count && zip(left, right).allSatisfy { $0.isSameKey(as: $1, style) }
        case (.frozenSet(let left), .frozenSet(let right)):
            return left.count == right.count
                && left.allSatisfy { item in right.contains { $0.isSameKey(as: item, style) } }
        case (.text(let left), .nativeString(let right)), (.nativeString(let left), .text(let right)):
            // Python 2 compares them only if the one is ASCII; Python 3 reads both as text.
            return left == right && left.allSatisfy { $0 < 0x80 }
        case (.bytes(let left), .nativeString(let right)), (.nativeString(let left), .bytes(let right)):
            return style.isPython2 && left == right
        case (.bytes(let left), .text(let right)), (.text(let left), .bytes(let right)):
            return style.isPython2 && left == right && left.allSatisfy { $0 < 0x80 }
        default:
            if let left = number, let right = other.number { return left.compareNumbers(right) == 0 }
            return self == other
        }
    }

    private var number: PythonLiteral? {
        switch self {
        case .bool(let value): .bool(value)
        case .integer(let value): .integer(value)
        case .float(let value): .float(value)
        default: nil
        }
    }
}
