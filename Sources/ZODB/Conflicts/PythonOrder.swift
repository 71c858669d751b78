internal import Pickle

/// A value in a document, to be compared as Python would compare the object.
struct PythonValue {
    let document: PickleDocument
    let slot: PickleDocument.Slot

    init(_ document: PickleDocument, _ slot: PickleDocument.Slot) {
        self.document = document
        self.slot = slot
    }

    var node: PickleNode { document.encodedBytes(slot).map { .bytes($0) } ?? document[slot] }

    /// The bytes of a string of any kind.
    var stringBytes: [UInt8]? { document.stringBytes(slot) ?? document.encodedBytes(slot) }

    var integer: Int128? {
        switch node {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): value.int128
        default: nil
        }
    }

    var number: Double? { float ?? integer.map { Double($0) } }

    var float: Double? { if case .float(let value) = node { value } else { nil } }
}

extension PickleInteger {
    /// The value, when 128 bits hold it.
    var int128: Int128? {
        guard twosComplement.count <= 16 else { return nil }
        let filler: UInt128 = isNegative ? .max : 0
        return Int128(truncatingIfNeeded: twosComplement.reversed().reduce(filler) { $0 << 8 | UInt128($1) })
    }
}

extension PickleDocument {
    func reference(_ slot: Slot) -> PersistentReference? {
        guard case .persistentID(let id) = self[slot] else { return nil }
        return PersistentReference(id, in: self)
    }
}

/// How Python orders the objects that two pickles hold, as far as that can be told without running anything.
///
/// What cannot be told is no answer but an error, and so is what Python itself refuses to compare: different persistent
/// references among them, whose classes it does not know while it merges.
struct PythonOrder {
    enum Result: Hashable {
        case less, equal, greater

        var reversed: Result {
            switch self {
            case .less: .greater
            case .equal: .equal
            case .greater: .less
            }
        }
    }

    let generation: PythonGeneration

    /// nil when the records are of Python 2 and of Python 3, and nobody says which is to read them.
    init?(for conflict: Conflict) {
        let generations = Set([conflict.old, conflict.committed, conflict.new].compactMap(\.generation))
        guard let known = conflict.generation ?? (generations.count > 1 ? nil : generations.first ?? .python3) else {
            return nil
        }
        generation = known
    }

    /// As BTrees compare keys and values: None is below all others.
    func compareEntries(_ left: PythonValue, _ right: PythonValue) throws(Unmergeable) -> Result {
        switch (left.node, right.node) {
        case (.none, .none): .equal
        case (.none, _): .less
        case (_, .none): .greater
        default: try compare(left, right)
        }
    }

    private func compare(_ left: PythonValue, _ right: PythonValue) throws(Unmergeable) -> Result {
        if let a = left.integer, let b = right.integer { return a < b ? .less : a == b ? .equal : .greater }
        if let a = left.float, let b = right.float { return try Self.compare(a, b) }
        if let a = left.integer, let b = right.float { return try Self.compare(a, b) }
        if let a = left.float, let b = right.integer { return try Self.compare(b, a).reversed }
        switch (left.node, right.node) {
        case (.none, .none): return .equal
        case (.text(let a), .text(let b)), (.bytes(let a), .bytes(let b)): return Self.compare(a, b)
        case (.nativeString(let a), .nativeString(let b)):
            // Python 3 reads them as ASCII, or not at all.
            guard generation == .python2 || (a + b).allSatisfy({ $0 < 0x80 }) else { throw Unmergeable() }
            return Self.compare(a, b)
        case (.nativeString(let a), .bytes(let b)) where generation == .python2,
            (.bytes(let a), .nativeString(let b)) where generation == .python2:
            return Self.compare(a, b)
        case (.nativeString(let a), .text(let b)):
            return try compareNative(a, withText: b)
        case (.text(let a), .nativeString(let b)):
            return try compareNative(b, withText: a).reversed
        case (.bytes(let a), .text(let b)) where generation == .python2:
            return try compareNative(a, withText: b)
        case (.text(let a), .bytes(let b)) where generation == .python2:
            return try compareNative(b, withText: a).reversed
        case (.tuple(let a), .tuple(let b)), (.list(let a), .list(let b)):
            return try compare(a.map { PythonValue(left.document, $0) }, b.map { PythonValue(right.document, $0) })
        case (.persistentID, .persistentID):
            guard try areEqual(left, right) else { throw Unmergeable() }
            return .equal
        case (.instance(let a), .instance(let b)):
            return try compareDates((left.document, a), (right.document, b))
        default:
            guard generation == .python2, let a = Self.typeName(left), let b = Self.typeName(right), a != b
            else { throw Unmergeable() }
            return a < b ? .less : .greater
        }
    }

    /// As text; what is not ASCII has no order among text.
    private func compareNative(_ left: [UInt8], withText right: [UInt8]) throws(Unmergeable) -> Result {
        guard left.allSatisfy({ $0 < 0x80 }) else { throw Unmergeable() }
        return Self.compare(left, right)
    }

    /// By the first pair that differs.
    private func compare(_ left: [PythonValue], _ right: [PythonValue]) throws(Unmergeable) -> Result {
        for (a, b) in zip(left, right) where try !areEqual(a, b) { return try compare(a, b) }
        return left.count < right.count ? .less : left.count == right.count ? .equal : .greater
    }

    /// `==`, which has an answer for more than `<` has.
    private func areEqual(_ left: PythonValue, _ right: PythonValue) throws(Unmergeable) -> Bool {
        switch (left.node, right.node) {
        case (.none, .none): return true
        case (.none, let other), (let other, .none):
            guard Self.isPlain(other) else { throw Unmergeable() }
            return false
        case (.persistentID(let a), .persistentID(let b)):
            guard let first = PersistentReference(a, in: left.document),
                let second = PersistentReference(b, in: right.document), first.oid == second.oid,
                first.database == second.database, first.kind == second.kind
            else { throw Unmergeable() }
            // A weak reference is equal to itself alone: what is spelled alike is loaded once.
            guard first.kind != .weak || Self.length(a, left.document) == Self.length(b, right.document) else {
                throw Unmergeable()
            }
            return true
        default:
            if Self.isPlain(left.node), Self.isPlain(right.node), generation == .python3,
                Self.plainKind(left.node) != Self.plainKind(right.node)
            {
                return false
            }
            return try compare(left, right) == .equal
        }
    }

    private static func length(_ slot: PickleDocument.Slot, _ document: PickleDocument) -> Int? {
        if case .list(let items) = document[slot] { return items.count }
        return nil
    }

    /// Dates and times without a zone: their bytes sort as they do.
    private func compareDates(
        _ left: (document: PickleDocument, instance: PickleInstance),
        _ right: (document: PickleDocument, instance: PickleInstance)
    ) throws(Unmergeable) -> Result {
        guard left.instance.kind == .reduce, right.instance.kind == .reduce, let name = left.instance.className,
            name == right.instance.className, name.module == "datetime", ["datetime", "date"].contains(name.name),
            left.instance.arguments.count == 1, right.instance.arguments.count == 1,
            let a = left.document.stringBytes(left.instance.arguments[0]),
            let b = right.document.stringBytes(right.instance.arguments[0])
        else { throw Unmergeable() }
        return Self.compare(a, b)
    }

    static func compare(_ left: [UInt8], _ right: [UInt8]) -> Result {
        if left == right { return .equal }
        return left.lexicographicallyPrecedes(right) ? .less : .greater
    }

    private static func compare(_ left: Double, _ right: Double) throws(Unmergeable) -> Result {
        guard !left.isNaN, !right.isNaN else { throw Unmergeable() }
        return left < right ? .less : left == right ? .equal : .greater
    }

    /// By the values, as Python does it, and not by what a double makes of the integer.
    private static func compare(_ left: Int128, _ right: Double) throws(Unmergeable) -> Result {
        guard !right.isNaN else { throw Unmergeable() }
        guard abs(right) < 0x1p127 else { return right > 0 ? .less : .greater }
        let whole = right.rounded(.down)
        let floor = Int128(whole)
        if left == floor { return whole == right ? .equal : .less }
        return left < floor ? .less : .greater
    }

    /// Values whose `==` runs no code of anybody's.
    private static func isPlain(_ node: PickleNode) -> Bool { plainKind(node) != nil }

    private static func plainKind(_ node: PickleNode) -> Int? {
        switch node {
        case .none: 0
        case .bool, .integer, .float: 1
        case .text, .nativeString: 2
        case .bytes: 3
        case .tuple: 4
        case .list: 5
        default: nil
        }
    }

    /// Python 2 orders values of unlike types by the names of the types, None and numbers before all others.
    private static func typeName(_ value: PythonValue) -> String? {
        switch value.document[value.slot] {
        case .none: ""
        case .bool, .integer, .float: " "
        case .nativeString: "str"
        case .bytes: "zodbpickle.binary"
        case .instance where value.document.encodedBytes(value.slot) != nil: "str"
        case .text: "unicode"
        case .tuple: "tuple"
        case .list: "list"
        default: nil
        }
    }
}
