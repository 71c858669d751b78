internal import Pickle
internal import ZODB

// Items that lie in the record itself: of dicts, lists, tuples and sets, persistent mappings and lists.
extension PlaceEditor {
    /// - Returns: false when the form has no such item, and cannot be given one.
    func set(_ component: Component, in form: ContainerForm, to value: PickleValue) throws(EditError) -> Bool {
        switch form {
        case .sequence(let slot, let items):
            guard let index = index(component, in: items) else { return false }
            if index == items.count {
                try apply([.insert([value], at: index, into: slot)])
            } else {
                try apply(replacing(items[index], with: value))
            }
        case .set(_, let items):
            guard let index = list(form).find(component) else { return false }
            if let old = try? PickleValue(items[index], in: document), old == value { return true }
            guard try !contains(value, items) else {
                // Equal elements are one: the old one goes.
                return try remove(component, from: form)
            }
            try apply([.replace(items[index], with: value)])
        case .dict(let slot, let entries):
            if let index = list(form).find(component) {
                try apply(replacing(entries[index].value, with: value))
                return true
            }
            guard let key = component.newKey else { return false }
            try apply([.add(key: try spelling(beside: entries.map(\.key)).value(key), value: value, to: slot)])
        case .pairs(let slot, let entries):
            if let index = list(form).find(component) {
                try apply(replacing(entries[index].value, with: value))
                return true
            }
            guard let key = component.newKey else { return false }
            let pair = PickleValue.list([try spelling(beside: entries.map(\.key)).value(key), value])
            try apply([.insert([pair], at: entries.count, into: slot)])
        }
        return true
    }

    /// - Returns: false when the form has no such item.
    func remove(_ component: Component, from form: ContainerForm) throws(EditError) -> Bool {
        switch form {
        case .sequence(let slot, let items):
            guard let index = index(component, in: items), index < items.count else { return false }
            try apply([.remove(index..<index + 1, from: slot)])
        case .set(let slot, let items):
            let equal = equalEntries(component, in: form)
            guard !equal.isEmpty else { return false }
            try apply(equal.filter { $0 < items.count }.map { .remove($0..<$0 + 1, from: slot) })
        case .dict(let slot, let entries):
            let equal = equalEntries(component, in: form)
            guard !equal.isEmpty else { return false }
            try apply(equal.map { .removeEntry(entries[$0], from: slot) })
        case .pairs(let slot, _):
            let equal = equalEntries(component, in: form)
            guard !equal.isEmpty else { return false }
            try apply(equal.map { .remove($0..<$0 + 1, from: slot) })
        }
        return true
    }

    /// Gives an item another key, or an element of a sequence or set nothing: these have none.
    func rename(_ component: Component, in form: ContainerForm, to key: PythonLiteral) throws(EditError) -> Bool {
        switch form {
        case .sequence, .set: return false
        case .dict(_, let entries), .pairs(_, let entries):
            guard let index = list(form).find(component) else { return false }
            let value = try spelling(beside: entries.map(\.key)).value(key)
            let shadowed = equalEntries(component, in: form).filter { $0 != index }
            var operations: [RecordOperation] = [.replace(entries[index].key, with: value)]
            if case .dict(let slot, _) = form { operations += shadowed.map { .removeEntry(entries[$0], from: slot) } }
            try apply(operations)
            return true
        }
    }

    func contains(_ component: Component, in form: ContainerForm) -> Bool {
        if case .sequence(_, let items) = form { return index(component, in: items).map { $0 < items.count } ?? false }
        return list(form).find(component) != nil
    }

    /// Adds an element to a list (at its end), a tuple or a set.
    /// - Returns: false when the set has it already.
    func add(_ value: PickleValue, to form: ContainerForm) throws(EditError) -> Bool {
        switch form {
        case .sequence(let slot, let items): try apply([.insert([value], at: items.count, into: slot)])
        case .set(let slot, let items):
            guard try !contains(value, items) else { return false }
            try apply([.insert([value], at: items.count, into: slot)])
        case .dict, .pairs:
            throw EditError(
                .unsupported, at: path, expected: "a list or a set", found: "a mapping", advice: "give the key as well")
        }
        return true
    }

    // MARK: Helpers

    func list(_ form: ContainerForm) -> EntryList { EntryList(form.entries, in: record, at: subject.node.at) }

    /// The entries that Python sees as one with the entry found: a key given twice has to go twice.
    private func equalEntries(_ component: Component, in form: ContainerForm) -> [Int] {
        let entries = form.entries
        guard let index = list(form).find(component) else { return [] }
        guard let key = PythonLiteral(entries[index].key, in: document)?.equalityKey else { return [index] }
        return entries.indices.filter {
            $0 == index || PythonLiteral(entries[$0].key, in: document)?.equalityKey == key
        }
    }

    /// Also one past the end: where an element can be appended.
    private func index(_ component: Component, in items: [Slot]) -> Int? {
        var position: Int?
        switch component {
        case .key(.integer(let value)): position = value.int64.flatMap { Int(exactly: $0) }
        case .name(let name): position = Int(name)
        case .ordinal(let index): position = index
        default: break
        }
        guard let position else { return nil }
        let index = position < 0 ? position + items.count : position
        return (0...items.count).contains(index) ? index : nil
    }

    private func contains(_ value: PickleValue, _ items: [Slot]) throws(EditError) -> Bool {
        for item in items {
            if let other = try? PickleValue(item, in: document), other.equalityKey == value.equalityKey { return true }
        }
        return false
    }
}

extension PickleValue {
    /// The same for values that are equal in a set, as far as a literal can spell them.
    var equalityKey: PickleValue {
        switch self {
        case .bool(let value): .integer(value ? 1 : 0)
        case .integer(let value): .integer(PickleInteger(twosComplement: value.twosComplement, isLong: false))
        case .float(let value): Int64(exactly: value).map { .integer(PickleInteger($0)) } ?? self
        case .nativeString(let bytes): bytes.allSatisfy { $0 < 0x80 } ? .text(bytes) : self
        case .tuple(let items): .tuple(items.map(\.equalityKey))
        default: self
        }
    }
}
