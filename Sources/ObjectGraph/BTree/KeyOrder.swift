package import Pickle
package import ZODB

/// How Python orders keys, as far as that can be told from the keys alone.
package struct KeyOrder {
    package enum Result: Hashable {
        case less, equal, greater
        /// Two that no tree of Python 3 can hold together: what is sought is not there.
        case disjoint
        /// Only running code could say.
        case unknown
    }

    let generation: PythonGeneration

    package init(generation: PythonGeneration) { self.generation = generation }

    /// How `sought` stands to a tree's `key`; nil for a key that no literal spells.
    package func compare(_ sought: PythonLiteral, _ key: PythonLiteral?) -> Result {
        guard let key else { return .unknown }
        switch (sought, key) {
        case (.none, .none): return .equal
        case (.none, _): return .less
        case (_, .none): return .greater
        case (.tuple(let left), .tuple(let right)): return compareTuples(left, right)
        default: break
        }
        if let order = sought.compareNumbers(key) { return Self.result(order) }
        if let left = sought.stringBytes, let right = key.stringBytes {
            return compareStrings(sought, left, key, right)
        }
        guard generation == .python2, let left = Self.typeName(sought), let right = Self.typeName(key), left != right
        else { return generation == .python2 ? .unknown : .disjoint }
        return left < right ? .less : .greater
    }

    private func compareTuples(_ left: [PythonLiteral], _ right: [PythonLiteral]) -> Result {
        for (a, b) in zip(left, right) {
            if a.matches(b) { continue }
            // BTrees put None first; inside a tuple it is Python that compares, and Python 3 has no order for it.
            if generation == .python3, a == .none || b == .none { return .disjoint }
            return compare(a, b)
        }
        return Self.result(left.count - right.count)
    }

    private func compareStrings(
        _ left: PythonLiteral, _ leftBytes: [UInt8], _ right: PythonLiteral, _ rightBytes: [UInt8]
    ) -> Result {
        // UTF-8 sorts as its code points do.
        let order = Self.compare(leftBytes, rightBytes)
        if isUnicode(left) == isUnicode(right) { return order }
        guard generation == .python2 else { return .disjoint }
        let native = isUnicode(left) ? rightBytes : leftBytes
        return native.allSatisfy { $0 < 0x80 } ? order : .unknown
    }

    /// Python 3 reads a Python 2 `str` as text; for Python 2 itself bytes and `str` are the same.
    private func isUnicode(_ value: PythonLiteral) -> Bool {
        switch value {
        case .text: true
        case .string, .nativeString: generation == .python3
        default: false
        }
    }

    private static func compare(_ left: [UInt8], _ right: [UInt8]) -> Result {
        if left == right { return .equal }
        return left.lexicographicallyPrecedes(right) ? .less : .greater
    }

    private static func result(_ order: Int) -> Result { order < 0 ? .less : order > 0 ? .greater : .equal }

    /// Python 2 orders values of unlike types by the names of the types, numbers before all others.
    private static func typeName(_ value: PythonLiteral) -> String? {
        switch value {
        case .none, .bool, .integer, .float: ""
        case .nativeString, .bytes, .string: "str"
        case .text: "unicode"
        case .tuple: "tuple"
        }
    }
}
