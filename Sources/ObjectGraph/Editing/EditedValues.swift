public import Pickle
public import ZODB

extension PickleValue {
    /// A reference to an object of the database that is edited, as a command has it: `#0x1a2b`. What stands in the
    /// record afterwards is the form that the record's Python writes, with the class that the object's own record says.
    public static func object(_ oid: ObjectID) -> PickleValue { .persistentID(.bytes(oid.bytes)) }

    /// The object, when the value is what `object` made, or a reference to one with or without its class.
    var referencedObject: ObjectID? {
        guard case .persistentID(let id) = self else { return nil }
        switch id {
        case .tuple(let parts): return parts.first?.stringBytes.flatMap { ObjectID(bytes: $0) }
        default: return id.stringBytes.flatMap { ObjectID(bytes: $0) }
        }
    }

    /// A word or two for messages.
    var briefText: String {
        switch self {
        case .none: "None"
        case .bool(let value): value ? "True" : "False"
        case .integer(let value): "the integer \(value)"
        case .float(let value): "the float \(value)"
        case .text: "text"
        case .bytes: "bytes"
        case .nativeString: "a Python 2 str"
        case .byteArray: "a bytearray"
        case .tuple(let items): "a tuple of \(items.count)"
        case .list(let items): "a list of \(items.count)"
        case .dict(let entries): "a dict of \(entries.count)"
        case .set(let items), .frozenSet(let items): "a set of \(items.count)"
        case .global(let name): "the name \(name)"
        case .persistentID, .persistentText: "a reference"
        case .instance(let instance): if case .global(let name) = instance.callable { "\(name)" } else { "an instance" }
        case .extensionCode: "an extension object"
        }
    }
}

extension Workspace {
    /// How a record is pickled, and which Python has to read what is put into it.
    public func style(of record: ObjectRecord) throws(StorageError) -> PickleStyle {
        PickleStyle(of: record.document, isPython2: try generation() == .python2)
    }

    func style(of record: ObjectRecord, at path: String) throws(EditError) -> PickleStyle {
        try EditError.wrap(path) { () throws(StorageError) in try style(of: record) }
    }

    /// A detached copy of a value that stands in a record.
    func copiedValue(
        _ slot: PickleDocument.Slot, of record: ObjectRecord, at path: String
    ) throws(EditError) -> PickleValue {
        do throws(PickleValueError) {
            return try PickleValue(slot, in: record.document)
        } catch {
            throw EditError(.unsupported, at: path, expected: "a value that can be copied", found: error.description)
        }
    }

    /// A reference to an object for a record: `(oid, class)`, or the oid alone where the class has `__getnewargs__`.
    func reference(
        to oid: ObjectID, for record: ObjectRecord, at path: String
    ) throws(EditError) -> PickleValue {
        let target = try EditError.wrap(path) { () throws(StorageError) in try editable(oid) }
        let bytes = try style(of: record, at: path).objectID(oid.bytes)
        if target.newArguments != nil { return .persistentID(bytes) }
        if let className = target.className { return .persistentID(.tuple([bytes, .global(className)])) }
        // The class is an object itself: the reference says so as the record does.
        return .persistentID(.tuple([bytes, try copiedValue(target.classSlot, of: target, at: path)]))
    }

    /// A value with the references in it spelled as the record's Python does.
    /// - Throws: `storage(noSuchObject)` for a reference to an object that is not there.
    func resolved(
        _ value: PickleValue, for record: ObjectRecord, at path: String
    ) throws(EditError) -> PickleValue {
        switch value {
        case .persistentID(let id):
            guard let bytes = id.stringBytes, let oid = ObjectID(bytes: bytes) else { return value }
            return try reference(to: oid, for: record, at: path)
        case .tuple(let items): return .tuple(try resolved(items, for: record, at: path))
        case .list(let items): return .list(try resolved(items, for: record, at: path))
        case .set(let items): return .set(try resolved(items, for: record, at: path))
        case .frozenSet(let items): return .frozenSet(try resolved(items, for: record, at: path))
        case .dict(let entries): return .dict(try resolved(entries, for: record, at: path))
        case .instance(var instance):
            instance.arguments = try resolved(instance.arguments, for: record, at: path)
            instance.items = try resolved(instance.items, for: record, at: path)
            instance.entries = try resolved(instance.entries, for: record, at: path)
            instance.states = try resolved(instance.states, for: record, at: path)
            return .instance(instance)
        default: return value
        }
    }

    private func resolved(
        _ values: [PickleValue], for record: ObjectRecord, at path: String
    ) throws(EditError) -> [PickleValue] {
        var result: [PickleValue] = []
        for value in values { result.append(try resolved(value, for: record, at: path)) }
        return result
    }

    private func resolved(
        _ entries: [PickleValue.Entry], for record: ObjectRecord, at path: String
    ) throws(EditError) -> [PickleValue.Entry] {
        var result: [PickleValue.Entry] = []
        for entry in entries {
            result.append(
                PickleValue.Entry(
                    key: try resolved(entry.key, for: record, at: path),
                    value: try resolved(entry.value, for: record, at: path)))
        }
        return result
    }

    /// The record of a new object, pickled as another one is.
    func newRecord(
        _ className: GlobalName, _ state: PickleValue, like record: ObjectRecord, at path: String
    ) throws(EditError) -> [UInt8] {
        let style = try style(of: record, at: path)
        do throws(PickleValueError) {
            return try PickleEncoder.record(class: .global(className), state: state, style)
        } catch {
            throw EditError(.wrongValue, at: path, expected: "a value that can be stored", found: error.description)
        }
    }
}

extension PickleDocument {
    /// Whether a value that can change (a list, a dict, a set, an instance) stands in several places below these slots,
    /// or in itself. True also when finding out would take too long.
    func sharesValues(_ slots: [Slot]) -> Bool {
        var stack = slots
        var seen: Set<NodeID> = []
        var budget = 100_000
        while let slot = stack.popLast() {
            budget -= 1
            guard budget > 0 else { return true }
            switch self[slot] {
            case .tuple(let items), .frozenSet(let items):
                stack += items
                continue
            case .list(let items), .set(let items): stack += items
            case .dict(let entries): stack += entries.flatMap { [$0.key, $0.value] }
            case .instance(let instance):
                stack += instance.arguments + instance.items + instance.states
                stack += instance.entries.flatMap { [$0.key, $0.value] }
            default: continue
            }
            guard seen.insert(slot.node).inserted else { return true }
        }
        return false
    }
}
