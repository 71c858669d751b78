internal import Pickle
internal import ZODB

/// The entries of a mapping, or the elements of a set, that lie in one record, with the rules for naming them.
struct EntryList {
    struct Entry {
        var key: PickleDocument.Slot
        /// What the key leads to; the key itself in a set.
        var value: PickleDocument.Slot
    }

    let record: ObjectRecord
    let at: TransactionID
    let entries: [Entry]

    init(_ entries: [PickleDocument.Entry], in record: ObjectRecord, at tid: TransactionID) {
        self.init(entries.map { Entry(key: $0.key, value: $0.value) }, in: record, at: tid)
    }

    init(set elements: [PickleDocument.Slot], in record: ObjectRecord, at tid: TransactionID) {
        self.init(elements.map { Entry(key: $0, value: $0) }, in: record, at: tid)
    }

    init(_ entries: [Entry], in record: ObjectRecord, at tid: TransactionID) {
        self.record = record
        at = tid
        self.entries = entries
    }

    /// One node for each key that Python would see: of equal keys the last counts.
    func nodes(firstOrdinal: Int = 0) -> [Node] {
        let keys = entries.map { PythonLiteral($0.key, in: record.document) }
        let shadowed = Self.shadowed(keys)
        let ambiguous = Self.ambiguousTexts(keys)
        return entries.indices.compactMap { index in
            guard !shadowed.contains(index) else { return nil }
            return node(index, key: keys[index], ambiguous: ambiguous, ordinal: firstOrdinal + index)
        }
    }

    func cursor(prefix: String) -> any Cursor<Node> {
        let nodes = nodes()
        guard !prefix.isEmpty else { return ArrayCursor(nodes) }
        return ArrayCursor(nodes.filter { $0.component?.plainText.hasPrefix(prefix) ?? false })
    }

    /// The node of one entry, called as a listing calls it.
    func node(_ index: Int, firstOrdinal: Int = 0) -> Node {
        let key = PythonLiteral(entries[index].key, in: record.document)
        var ambiguous: Set<[UInt8]> = []
        if case .text(let bytes)? = key, bytes.contains(where: { $0 >= 0x80 }) {
            ambiguous = Self.ambiguousTexts(entries.map { PythonLiteral($0.key, in: record.document) })
        }
        return node(index, key: key, ambiguous: ambiguous, ordinal: firstOrdinal + index)
    }

    private func node(_ index: Int, key: PythonLiteral?, ambiguous: Set<[UInt8]>, ordinal: Int) -> Node {
        var component = Component.ordinal(ordinal)
        if let key {
            component = Component(itemKey: key)
            if case .text(let bytes) = key, ambiguous.contains(bytes) { component = .key(key) }
        }
        return Node(component, entries[index].value, in: record, at: at, kind: .item)
    }

    /// The entry that a component names; nil when there is none.
    func find(_ component: Component) -> Int? {
        switch component {
        case .ordinal(let index):
            return entries.indices.contains(index) ? index : nil
        case .key(let key):
            return lastIndex(of: key)
        case .name(let name):
            for key in Self.keys(named: name) {
                if let index = lastIndex(of: key) { return index }
            }
            return nil
        case .attribute:
            return nil
        }
    }

    /// What a bare name may mean as a key, the likeliest first: text, then bytes, then a number.
    static func keys(named name: String) -> [PythonLiteral] {
        var keys: [PythonLiteral] = [.string(Array(name.utf8)), .bytes(Array(name.utf8))]
        if let number = Int64(name), String(number) == name { keys.append(.integer(PickleInteger(number))) }
        return keys
    }

    private func lastIndex(of key: PythonLiteral) -> Int? {
        var found: Int?
        for (index, entry) in entries.enumerated().reversed() {
            guard let other = PythonLiteral(entry.key, in: record.document), key.matches(other) else { continue }
            // An unprefixed literal means a Python 2 str where a unicode of the same bytes stands beside it.
            if case (.string, .text) = (key, other) {
                if found == nil { found = index }
                continue
            }
            return index
        }
        return found
    }

    /// Indices of entries that a later entry with an equal key hides.
    private static func shadowed(_ keys: [PythonLiteral?]) -> Set<Int> {
        var last: [PythonLiteral: Int] = [:]
        var result: Set<Int> = []
        for (index, key) in keys.enumerated() {
            guard let key = key?.equalityKey else { continue }
            if let earlier = last.updateValue(index, forKey: key) { result.insert(earlier) }
        }
        return result
    }

    /// Texts that stand beside a Python 2 `str` of the same bytes, not ASCII: two keys with one spelling.
    private static func ambiguousTexts(_ keys: [PythonLiteral?]) -> Set<[UInt8]> {
        var native: Set<[UInt8]> = []
        for case .nativeString(let bytes)? in keys where bytes.contains(where: { $0 >= 0x80 }) { native.insert(bytes) }
        return native
    }
}

extension PythonLiteral {
    /// The same for literals that are equal as dictionary keys.
    var equalityKey: PythonLiteral {
        switch self {
        case .bool(let value): .integer(PickleInteger(value ? 1 : 0))
        case .integer(let value): .integer(PickleInteger(twosComplement: value.twosComplement, isLong: false))
        case .float(let value): Int64(exactly: value).map { .integer(PickleInteger($0)) } ?? self
        case .nativeString(let bytes): bytes.allSatisfy { $0 < 0x80 } ? .text(bytes) : self
        case .string(let bytes): .text(bytes)
        case .tuple(let items): .tuple(items.map(\.equalityKey))
        default: self
        }
    }
}
