internal import ByteCoding
internal import Pickle
internal import ZODB

/// What a BTree's family, the letters before `BTree` in the name of its class, says about keys and values.
struct BTreeFamily {
    enum Field: Hashable {
        case object
        case signed(bits: Int)
        case unsigned(bits: Int)
        case float
        /// `fs`: so many bytes.
        case bytes(Int)
    }

    let key: Field
    let value: Field
    /// A leaf that holds more splits. Source: `BTrees/*BTree.py`, `max_leaf_size` and `max_internal_size`.
    private(set) var leafLimit: Int
    private(set) var interiorLimit: Int

    init(_ name: String) {
        if name == "fs" {
            (key, value, leafLimit, interiorLimit) = (.bytes(2), .bytes(6), 500, 500)
            return
        }
        let letters = Array(name.utf8)
        key = Self.field(letters.first)
        value = Self.field(letters.last)
        switch (key, value) {
        case (.object, .object): (leafLimit, interiorLimit) = (30, 250)
        case (.object, _): (leafLimit, interiorLimit) = (60, 250)
        case (_, .object): (leafLimit, interiorLimit) = (60, 500)
        default: (leafLimit, interiorLimit) = (120, 500)
        }
    }

    /// For classes with limits of their own. Any limits make valid trees.
    mutating func limit(leaf: Int, interior: Int) { (leafLimit, interiorLimit) = (leaf, interior) }

    private static func field(_ letter: UInt8?) -> Field {
        switch letter {
        case UInt8(ascii: "I"): .signed(bits: 32)
        case UInt8(ascii: "L"): .signed(bits: 64)
        case UInt8(ascii: "U"): .unsigned(bits: 32)
        case UInt8(ascii: "Q"): .unsigned(bits: 64)
        case UInt8(ascii: "F"): .float
        default: .object
        }
    }
}

extension BTreeFamily.Field {
    /// What the field takes, in words.
    var words: String {
        switch self {
        case .object: "any value"
        case .signed(let bits): "a whole number of \(bits) bits"
        case .unsigned(let bits): "a whole number of \(bits) bits, not below 0"
        case .float: "a number that 32 bits of floating point hold"
        case .bytes(let count): "\(count) bytes"
        }
    }

    /// The value as the tree keeps it; nil when the tree cannot hold it.
    func accepted(_ value: PickleValue, _ generation: PythonGeneration) -> PickleValue? {
        switch self {
        case .object: return value
        case .signed(let bits):
            guard let number = Self.whole(value), let small = number.int64 else { return nil }
            return bits == 64 || Int32(exactly: small) != nil ? .integer(number) : nil
        case .unsigned(let bits):
            guard let number = Self.whole(value), !number.isNegative,
                number.compare(PickleInteger(twosComplement: Self.limit(bits), isLong: false)) < 0
            else { return nil }
            return .integer(number)
        case .float:
            guard let number = Self.number(value), let single = Self.single(number) else { return nil }
            return .float(single)
        case .bytes(let count):
            switch value {
            case .bytes(let bytes) where bytes.count == count:
                return generation == .python3 ? value : .nativeString(bytes)
            case .nativeString(let bytes) where bytes.count == count && generation == .python2: return value
            default: return nil
            }
        }
    }

    private static func whole(_ value: PickleValue) -> PickleInteger? {
        switch value {
        case .integer(let number): number
        // Python's `True` is 1.
        case .bool(let flag): PickleInteger(flag ? 1 : 0)
        default: nil
        }
    }

    /// `2 ** bits`.
    private static func limit(_ bits: Int) -> [UInt8] { [UInt8](repeating: 0, count: bits / 8) + [1] }

    private static func number(_ value: PickleValue) -> Double? {
        if case .float(let number) = value { return number }
        return whole(value)?.approximation
    }

    /// Rounded to what 32 bits hold; a number that becomes infinite by that is none.
    private static func single(_ number: Double) -> Double? {
        let single = Float(number)
        return single.isInfinite && number.isFinite ? nil : Double(single)
    }
}
