internal import ByteCoding
internal import Pickle
internal import ZODB

/// One change to a record. Several are applied together; slots and positions are those of the record before.
enum RecordOperation {
    typealias Slot = PickleDocument.Slot

    case replace(Slot, with: PickleValue)
    /// Items into a list, tuple or set, in front of the item at the position. One such change for each container.
    case insert([PickleValue], at: Int, into: Slot)
    case remove(Range<Int>, from: Slot)
    /// A key that is not there yet, at the end of a dict.
    case add(key: PickleValue, value: PickleValue, to: Slot)
    case removeEntry(PickleDocument.Entry, from: Slot)
    /// The first attribute of an instance that was pickled without a state.
    case addState(name: String, value: PickleValue, to: Slot)
}

extension Workspace {
    /// The record with the changes made to it: bytes of what they do not touch stay as they are.
    func applying(
        _ operations: [RecordOperation], to record: ObjectRecord, at path: String
    ) throws(EditError) -> [UInt8] {
        let style = try style(of: record, at: path)
        do throws(PickleEditError) {
            var edit = PickleEdit(record.document, style: style)
            for operation in operations { try Self.apply(operation, to: &edit) }
            // Behind all others, from the back: each shifts what comes after it.
            for (slot, index) in Self.removals(operations) { try edit.removeItem(at: index, from: slot) }
            return try edit.finish().source
        } catch {
            throw EditError(
                .unsupported, at: path, expected: "a record that can be edited so", found: error.description)
        }
    }

    private static func apply(
        _ operation: RecordOperation, to edit: inout PickleEdit
    ) throws(PickleEditError) {
        switch operation {
        case .replace(let slot, let value): try edit.replace(slot, with: value)
        case .insert(let values, let index, let slot):
            for (offset, value) in values.enumerated() { try edit.insert(value, at: index + offset, into: slot) }
        case .add(let key, let value, let slot): try edit.setEntry(key, to: value, in: slot)
        case .removeEntry(let entry, let slot):
            guard let index = edit.document.entries(of: slot).firstIndex(of: entry) else { throw .noSuchKey }
            try edit.removeEntry(at: index, from: slot)
        case .addState(let name, let value, let slot): try edit.setAttribute(name, to: value, of: slot)
        case .remove: break
        }
    }

    private static func removals(_ operations: [RecordOperation]) -> [(slot: PickleDocument.Slot, index: Int)] {
        var removals: [(slot: PickleDocument.Slot, index: Int)] = []
        for case .remove(let range, let slot) in operations { removals += range.map { (slot, $0) } }
        return removals.sorted { $0.index > $1.index }
    }

    /// Makes the changes to the object as the edits so far have left it.
    func apply(_ operations: [RecordOperation], to oid: ObjectID, at path: String) throws(EditError) {
        guard !operations.isEmpty else { return }
        let record = try EditError.wrap(path) { () throws(StorageError) in try editable(oid) }
        let data = try applying(operations, to: record, at: path)
        try EditError.wrap(path) { () throws(StorageError) in try stage(data, for: oid) }
    }

    /// Runs an edit as a whole: when it fails, what it had staged is taken back.
    func atomically<Value>(_ body: () throws(EditError) -> Value) throws(EditError) -> Value {
        let before = savepoint()
        do throws(EditError) {
            return try body()
        } catch {
            roll(back: before)
            throw error
        }
    }
}

extension PickleDocument {
    /// The entries of a dict, or those that an instance was given.
    fileprivate func entries(of slot: Slot) -> [Entry] {
        switch self[slot] {
        case .dict(let entries): entries
        case .instance(let instance): instance.entries
        default: []
        }
    }
}
