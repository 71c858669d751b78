/// Dicts, and what is given entries: BTree-like instances, subclasses of dict.
extension PickleEdit {
    /// Gives a key of a dict a value; a key that is not there is added at the end.
    ///
    /// Keys are compared as Python does it (`1 == True == 1.0`; in Python 2 `'a' == u'a'`), and the key that is there stays
    /// as it is written. When a key was written twice the last one counts, and it is the one that changes.
    public mutating func setEntry(
        _ key: PickleValue, to value: PickleValue, in slot: Slot
    ) throws(PickleEditError) {
        if let kind = key.unhashableKind { throw .value(.unhashable(kind)) }
        let (container, entries) = try entries(of: slot)
        let edit = containers[container] ?? ContainerEdit()
        let found = indices(of: key, in: entries)
        if let last = found.last, !edit.removed.contains(last) {
            return try replace(entries[last].value, with: value)
        }
        let bytes = try opcodes(key) + opcodes(value)
        var added = edit.inserted[entries.count] ?? []
        let element = ContainerEdit.Element(key: key, value: value, bytes: bytes)
        if let index = added.firstIndex(where: { $0.key.map { $0.isSameKey(as: key, style) } ?? false }) {
            added[index] = element
        } else {
            added.append(element)
        }
        containers[container, default: ContainerEdit()].inserted[entries.count] = added
    }

    /// Removes a key from a dict, every time that it was written.
    /// - Throws: `PickleEditError.noSuchKey`.
    public mutating func removeEntry(_ key: PickleValue, from slot: Slot) throws(PickleEditError) {
        let (container, entries) = try entries(of: slot)
        var edit = containers[container] ?? ContainerEdit()
        var isThere = false
        for index in indices(of: key, in: entries) where edit.removed.insert(index).inserted {
            isThere = true
            replacements[entries[index].key] = nil
            replacements[entries[index].value] = nil
        }
        var added = edit.inserted[entries.count] ?? []
        let before = added.count
        added.removeAll { $0.key.map { $0.isSameKey(as: key, style) } ?? false }
        guard isThere || added.count < before else { throw .noSuchKey }
        edit.inserted[entries.count] = added
        containers[container] = edit
    }

    /// Removes one entry by its place, whatever its key is. Entries are counted as the document has them.
    public mutating func removeEntry(at index: Int, from slot: Slot) throws(PickleEditError) {
        let (container, entries) = try entries(of: slot)
        guard entries.indices.contains(index) else { throw .indexOutOfRange(index, count: entries.count) }
        guard containers[container, default: ContainerEdit()].removed.insert(index).inserted else { return }
        replacements[entries[index].key] = nil
        replacements[entries[index].value] = nil
    }

    private func entries(
        of slot: Slot
    ) throws(PickleEditError) -> (container: ContainerKey, entries: [PickleDocument.Entry]) {
        guard !document.usesDuplicate else { throw .notEditable("a pickle with DUP") }
        switch document[slot] {
        case .dict(let entries): return (ContainerKey(node: slot.node, kind: .dict), entries)
        case .instance(let instance): return (ContainerKey(node: slot.node, kind: .dict), instance.entries)
        default: throw .wrongKind(expected: "a dict", found: document.kindName(of: slot))
        }
    }

    /// Where a key stands, in ascending order.
    private func indices(of key: PickleValue, in entries: [PickleDocument.Entry]) -> [Int] {
        let matcher = KeyMatcher(key, style)
        return entries.indices.filter { matcher.matches(entries[$0].key, in: document) }
    }
}

/// Lists, tuples and sets, and what is given items. Positions are those after the changes made so far.
extension PickleEdit {
    /// Adds an item to a list, tuple or set (frozen ones too: a constant's value changes wherever it is shared). In sets
    /// the position only says where it is written, and an item that is there already is not added.
    public mutating func insert(
        _ value: PickleValue, at index: Int, into slot: Slot
    ) throws(PickleEditError) {
        let (container, items, isSet) = try items(of: slot)
        if isSet {
            if let kind = value.unhashableKind { throw .value(.unhashable(kind)) }
            if try isItem(value, of: slot) { return }
        }
        var edit = containers[container] ?? ContainerEdit()
        let element = ContainerEdit.Element(value: value, bytes: try opcodes(value))
        switch edit.position(index, of: items.count) {
        case .old(let old): edit.inserted[old, default: []].append(element)
        case .new(let before, let at): edit.inserted[before, default: []].insert(element, at: at)
        case nil:
            let count = edit.count(of: items.count)
            guard index == count else { throw .indexOutOfRange(index, count: count) }
            edit.inserted[items.count, default: []].append(element)
        }
        containers[container] = edit
    }

    public mutating func append(_ value: PickleValue, to slot: Slot) throws(PickleEditError) {
        try insert(value, at: try count(of: slot), into: slot)
    }

    public mutating func removeItem(at index: Int, from slot: Slot) throws(PickleEditError) {
        let (container, items, _) = try items(of: slot)
        var edit = containers[container] ?? ContainerEdit()
        switch edit.position(index, of: items.count) {
        case .old(let old):
            edit.removed.insert(old)
            replacements[items[old]] = nil
        case .new(let before, let at): edit.inserted[before]?.remove(at: at)
        case nil: throw .indexOutOfRange(index, count: edit.count(of: items.count))
        }
        containers[container] = edit
    }

    /// Removes an item from a set (or the first equal one from a list or tuple).
    /// - Throws: `PickleEditError.noSuchKey`.
    public mutating func removeItem(_ value: PickleValue, from slot: Slot) throws(PickleEditError) {
        guard let index = try index(of: value, in: slot) else { throw .noSuchKey }
        try removeItem(at: index, from: slot)
    }

    public mutating func replaceItem(
        at index: Int, with value: PickleValue, in slot: Slot
    ) throws(PickleEditError) {
        let (container, items, isSet) = try items(of: slot)
        if isSet, let kind = value.unhashableKind { throw .value(.unhashable(kind)) }
        let edit = containers[container] ?? ContainerEdit()
        switch edit.position(index, of: items.count) {
        case .old(let old): try replace(items[old], with: value)
        case .new(let before, let at):
            let element = ContainerEdit.Element(value: value, bytes: try opcodes(value))
            containers[container]?.inserted[before]?[at] = element
        case nil: throw .indexOutOfRange(index, count: edit.count(of: items.count))
        }
    }

    /// The number of items after the changes made so far.
    public func count(of slot: Slot) throws(PickleEditError) -> Int {
        let (container, items, _) = try items(of: slot)
        return (containers[container] ?? ContainerEdit()).count(of: items.count)
    }

    private func isItem(_ value: PickleValue, of slot: Slot) throws(PickleEditError) -> Bool {
        try index(of: value, in: slot) != nil
    }

    /// The position of an item that Python would call equal, after the changes made so far.
    private func index(of value: PickleValue, in slot: Slot) throws(PickleEditError) -> Int? {
        let (container, items, _) = try items(of: slot)
        let edit = containers[container] ?? ContainerEdit()
        let matcher = KeyMatcher(value, style)
        for index in 0..<edit.count(of: items.count) {
            switch edit.position(index, of: items.count) {
            case .old(let old):
                let isEqual =
                    replacements[items[old]].map { $0.value.isSameKey(as: value, style) }
                    ?? matcher.matches(items[old], in: document)
                if isEqual { return index }
            case .new(let before, let at):
                if edit.inserted[before]?[at].value.isSameKey(as: value, style) == true { return index }
            case nil: break
            }
        }
        return nil
    }

    /// The container that holds the items: for a set that is spelled as a call, the list that it is called with.
    private func items(
        of slot: Slot
    ) throws(PickleEditError) -> (container: ContainerKey, items: [Slot], isSet: Bool) {
        guard !document.usesDuplicate else { throw .notEditable("a pickle with DUP") }
        let made = document.opcode(of: slot)
        guard let kind = ContainerSplices.Kind(made, pairs: false), kind != .dict else {
            throw .wrongKind(expected: "a list, tuple or set", found: document.kindName(of: slot))
        }
        let container = ContainerKey(node: slot.node, kind: kind)
        switch document[slot] {
        case .list(let items), .tuple(let items): return (container, items, false)
        case .set(let items), .frozenSet(let items): return (container, items, true)
        case .instance(let instance):
            guard instance.items.isEmpty, let list = document.itemList(ofSet: instance) else {
                return (container, instance.items, false)
            }
            let listKey = ContainerKey(node: list.node, kind: .sequence)
            guard case .list(let items) = document[list] else { return (listKey, [], true) }
            return (listKey, items, true)
        default: throw .wrongKind(expected: "a list, tuple or set", found: document.kindName(of: slot))
        }
    }
}
