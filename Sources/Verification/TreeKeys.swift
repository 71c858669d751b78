internal import Pickle
internal import ZODB

extension BTreeState.Kind {
    /// Whether a tree of the family cannot have such a key.
    func keysAreWrong(_ key: PythonLiteral) -> Bool {
        switch family.utf8.first {
        case UInt8(ascii: "O"): return false
        case UInt8(ascii: "f"): return key.stringBytes?.count != 2
        case UInt8(ascii: "I"): return !Self.isWithin(key, -0x8000_0000, 0x7fff_ffff)
        case UInt8(ascii: "U"): return !Self.isWithin(key, 0, 0xffff_ffff)
        default:
            if case .integer = key { return false }
            if case .bool = key { return false }
            return true
        }
    }

    private static func isWithin(_ key: PythonLiteral, _ low: Int64, _ high: Int64) -> Bool {
        if case .bool = key { return true }
        guard case .integer(let integer) = key, let value = integer.int64 else { return false }
        return (low...high).contains(value)
    }
}
