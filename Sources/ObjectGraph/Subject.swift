public import Pickle
public import ZODB

/// A node that has been read: the record, where in it the value stands, its class and its attributes.
///
/// An object and an instance inside a record differ only in where their state is kept; adapters treat them alike.
public struct Subject: Sendable {
    public struct Attribute: Sendable {
        public let name: [UInt8]
        let key: PickleDocument.Slot
        public let value: PickleDocument.Slot
    }

    public let node: Node
    public let record: ObjectRecord
    /// The value: the record's state for an object.
    public let slot: PickleDocument.Slot
    public let className: GlobalName?
    /// In the order of the pickle. Of a name given twice, which no Python writes, the last counts.
    public let attributes: [Attribute]
    /// States that are no plain attributes: a BTree's tuple, a Length's number, keys that are no names.
    let oddStates: [PickleDocument.Slot]

    public var document: PickleDocument { record.document }
    public var isObject: Bool { node.isObject }
    /// The value one level deep: the state for an object.
    public var value: PickleNode { document[slot] }

    init(_ node: Node, record: ObjectRecord) {
        self.node = node
        self.record = record
        let document = record.document
        var states: [PickleDocument.Slot] = []
        switch node.target {
        case .object:
            slot = record.stateSlot
            className = record.className
            states = [record.stateSlot]
        case .value(_, let valueSlot):
            slot = valueSlot
            if case .instance(let instance) = document[valueSlot] {
                className = instance.effectiveClass(in: document)
                states = instance.states
            } else {
                className = nil
            }
        }
        (attributes, oddStates) = Self.attributes(of: states, in: document)
    }

    /// An object by its record, wherever that comes from.
    public init(of record: ObjectRecord) { self.init(.object(record.oid, at: record.serial), record: record) }

    /// The value of an attribute; nil when the state has none of this name (the class may have a default).
    public func attribute(_ name: String) -> PickleDocument.Slot? {
        attributes.last { $0.name.elementsEqual(name.utf8) }?.value
    }

    /// The text of an attribute that holds some string.
    public func text(of name: String) -> String? {
        attribute(name).flatMap { document.displayText($0) }
    }

    /// A state is a dict, None, or `(dict or None, dict of slots)`; anything else is odd.
    private static func attributes(
        of states: [PickleDocument.Slot], in document: PickleDocument
    ) -> ([Attribute], [PickleDocument.Slot]) {
        var attributes: [Attribute] = []
        var odd: [PickleDocument.Slot] = []
        for state in states {
            guard let dicts = document.attributeDicts(state) else {
                odd.append(state)
                continue
            }
            var isOdd = false
            for entries in dicts {
                for entry in entries {
                    if let name = document.stringBytes(entry.key), name.isUTF8 {
                        attributes.append(Attribute(name: name, key: entry.key, value: entry.value))
                    } else {
                        isOdd = true
                    }
                }
            }
            if isOdd { odd.append(state) }
        }
        return (attributes, odd)
    }
}

extension PickleDocument {
    /// The dicts of a state in one of the usual forms; nil for another.
    func attributeDicts(_ state: Slot) -> [[Entry]]? {
        switch self[state] {
        case .none: return []
        case .dict(let entries): return [entries]
        case .tuple(let parts):
            guard parts.count == 2, case .dict(let slots) = self[parts[1]] else { return nil }
            switch self[parts[0]] {
            case .none: return [slots]
            case .dict(let entries): return [entries, slots]
            default: return nil
            }
        default: return nil
        }
    }

    /// A string of any kind for showing: UTF-8, else each byte as a Latin-1 character.
    func displayText(_ slot: Slot) -> String? {
        guard let bytes = stringBytes(slot) else { return nil }
        if PythonString.isUTF8(bytes) { return String(decoding: bytes, as: UTF8.self) }
        if case .text = self[slot] { return String(decoding: bytes, as: UTF8.self) }
        return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }

    /// An integer that fits.
    func int(_ slot: Slot) -> Int? {
        guard case .integer(let value) = self[slot] else { return nil }
        return value.int64.flatMap { Int(exactly: $0) }
    }

    /// The items of a list or tuple.
    func sequence(_ slot: Slot) -> [Slot]? {
        switch self[slot] {
        case .list(let items), .tuple(let items): items
        default: nil
        }
    }

    /// The value under a text key of a dict.
    func value(_ key: String, of dict: Slot) -> Slot? {
        guard case .dict(let entries) = self[dict] else { return nil }
        return entries.last { stringBytes($0.key).map { $0.elementsEqual(key.utf8) } ?? false }?.value
    }

    /// The object that a slot refers to, when it is a plain reference.
    func strongReference(_ slot: Slot) -> PersistentReference? {
        guard case .persistentID(let id) = self[slot], let reference = PersistentReference(id, in: self),
            reference.kind == .strong
        else { return nil }
        return reference
    }
}

extension PickleInstance {
    /// The class, seen through the helpers that Python 2 and protocol 2 write: `copy_reg._reconstructor(class, …)` and
    /// `copyreg.__newobj__(class, …)`.
    func effectiveClass(in document: PickleDocument) -> GlobalName? {
        guard let className else { return nil }
        guard className.module == "copy_reg" || className.module == "copyreg",
            className.name == "_reconstructor" || className.name == "__newobj__", let first = arguments.first,
            case .global(let real) = document[first]
        else { return className }
        return real
    }
}
