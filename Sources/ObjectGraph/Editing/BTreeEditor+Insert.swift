internal import ByteCoding
internal import Pickle
internal import ZODB

extension BTreeEditor {
    /// Sets the value of a key; in a set, where it is ignored, sees to it that the key is there.
    /// - Returns: whether the key is new.
    @discardableResult
    func set(_ component: Component, to value: PickleValue) throws(EditError) -> Bool {
        let value = tree.kind.isSet ? .none : try accepted(value)
        if let way = try existing(component) {
            try replace(at: way, with: value)
            return false
        }
        guard let literal = component.newKey else {
            throw EditError(.notFound, at: path, expected: "a key", found: component.description)
        }
        let key = try newKey(literal)
        let way = try way(to: key.literal)
        if way.isFound {
            try replace(at: way, with: value)
            return false
        }
        try insert(tree.kind.isSet ? [key.value] : [key.value, value], at: way)
        return true
    }

    private func replace(at way: Way, with value: PickleValue) throws(EditError) {
        guard !tree.kind.isSet, let leaf = way.leaf else { return }
        let slot = leaf.entries[way.position].value
        if try isEqual(slot, of: leaf.record, value) { return }
        let data = try workspace.applying([.replace(slot, with: value)], to: leaf.record, at: path)
        try stage(data, for: leaf.record.oid)
    }

    private func isEqual(_ slot: Slot, of record: ObjectRecord, _ value: PickleValue) throws(EditError) -> Bool {
        (try? copy(slot, of: record)) == value
    }

    private func insert(_ items: [PickleValue], at way: Way) throws(EditError) {
        guard let leaf = way.leaf else {
            // `((((key, value),),),)`: one bucket without an oid of its own.
            let state = PickleValue.tuple([.tuple([.tuple([.tuple(items)])])])
            let data = try workspace.applying(
                [.replace(tree.root.stateSlot, with: state)], to: tree.root, at: path)
            return try stage(data, for: tree.root.oid)
        }
        let record = leaf.record
        let slot = try self.items(of: record)
        let data = try workspace.applying(
            [.insert(items, at: way.position * stride, into: slot)], to: record, at: path)
        guard leaf.entries.count + 1 > family.leafLimit else { return try stage(data, for: record.oid) }
        let grown = try parse(data, record.oid)
        if way.steps.isEmpty {
            guard try splitRoot(leaf: grown) else { return try stage(data, for: record.oid) }
        } else {
            try split(leaf: grown, below: way.steps)
        }
    }

    // MARK: Leaves

    /// Splits a stored leaf; the right half becomes an object of its own.
    private func split(leaf: ObjectRecord, below steps: [Step]) throws(EditError) {
        let slot = try items(of: leaf)
        let count = leaf.document.sequence(slot)?.count ?? 0
        let cut = count / stride / 2 * stride
        let right = try workspace.applying([.remove(0..<cut, from: slot)], to: leaf, at: path)
        let reference = try makeObject(right)
        let parts = stateParts(of: leaf)
        let next: RecordOperation =
            parts.count > 1
            ? .replace(parts[1], with: reference) : .insert([reference], at: 1, into: leaf.stateSlot)
        let left = try workspace.applying([.remove(cut..<count, from: slot), next], to: leaf, at: path)
        try stage(left, for: leaf.oid)
        guard let first = leaf.document.sequence(slot)?[cut] else { return }
        try insertChild(reference, key: try copy(first, of: leaf), into: steps)
    }

    /// A tree of one leaf gets two leaves with oids.
    ///
    /// Their records are made anew, and what two values share inside the tree's record would become two: such a tree
    /// is left as large as it is, which is as valid.
    /// - Returns: false when it was left.
    private func splitRoot(leaf: ObjectRecord) throws(EditError) -> Bool {
        guard tree.kind.isTree, let className = leaf.className, BTreeState.Kind(className) != nil else { return false }
        let slot = try items(of: leaf)
        let slots = leaf.document.sequence(slot) ?? []
        guard !leaf.document.sharesValues(slots) else { return false }
        var values: [PickleValue] = []
        for slot in slots {
            guard let value = try? copy(slot, of: leaf) else { return false }
            values.append(value)
        }
        let cut = values.count / stride / 2 * stride
        let leafClass = Self.leafClass(of: className, tree.kind)
        let right = try bucket(leafClass, Array(values[cut...]), next: nil)
        let left = try bucket(leafClass, Array(values[..<cut]), next: right)
        let state = PickleValue.tuple([.tuple([left, values[cut], right]), left])
        try stage(
            try workspace.applying([.replace(leaf.stateSlot, with: state)], to: leaf, at: path), for: leaf.oid)
        return true
    }

    private func bucket(
        _ className: GlobalName, _ items: [PickleValue], next: PickleValue?
    ) throws(EditError) -> PickleValue {
        let state = PickleValue.tuple([.tuple(items)] + (next.map { [$0] } ?? []))
        return try makeObject(try workspace.newRecord(className, state, like: tree.root, at: path))
    }

    /// `BTrees.OOBTree.OOBucket` of `BTrees.OOBTree.OOBTree`, also where a very old record names the C module.
    static func leafClass(of tree: GlobalName, _ kind: BTreeState.Kind) -> GlobalName {
        GlobalName(
            module: "BTrees.\(kind.family)BTree", name: kind.family + (kind.isSet ? "Set" : "Bucket"))
    }

    // MARK: Interior nodes

    /// Enters a new right neighbour of the child that the last step took.
    private func insertChild(
        _ child: PickleValue, key: PickleValue, into steps: [Step]
    ) throws(EditError) {
        guard let step = steps.last else { return }
        // The node as it is now: the edit that made the child has not touched it.
        let node = step.interior.record
        guard let slot = stateParts(of: node).first else { throw damaged("a node of another form", node.oid) }
        let data = try workspace.applying(
            [.insert([key, child], at: step.index * 2 + 1, into: slot)], to: node, at: path)
        let count = step.interior.children.count + 1
        let isRoot = steps.count == 1
        guard isRoot ? count >= family.interiorLimit * 2 : count > family.interiorLimit, node.className != nil else {
            return try stage(data, for: node.oid)
        }
        try split(try parse(data, node.oid), below: Array(steps.dropLast()))
    }

    /// Splits an interior node: the middle key goes up, and is in neither half.
    private func split(_ node: ObjectRecord, below steps: [Step]) throws(EditError) {
        let parts = stateParts(of: node)
        guard parts.count == 2, let data = node.document.sequence(parts[0]) else {
            throw damaged("a node of another form", node.oid)
        }
        let middle = (data.count + 1) / 2 / 2
        let key = try copy(data[middle * 2 - 1], of: node)
        let first = try leftmostLeaf(of: data[middle * 2], in: node)
        let right = try workspace.applying(
            [.remove(0..<middle * 2, from: parts[0]), .replace(parts[1], with: first)], to: node, at: path)
        let left = try workspace.applying([.remove(middle * 2 - 1..<data.count, from: parts[0])], to: node, at: path)
        guard steps.isEmpty else {
            try stage(left, for: node.oid)
            return try insertChild(try makeObject(right), key: key, into: steps)
        }
        // The root keeps its oid: both halves become new nodes below it.
        let children = PickleValue.tuple([try makeObject(left), key, try makeObject(right)])
        try stage(
            try workspace.applying([.replace(parts[0], with: children)], to: node, at: path), for: node.oid)
    }

    private func leftmostLeaf(of child: Slot, in node: ObjectRecord) throws(EditError) -> PickleValue {
        guard let reference = node.document.strongReference(child) else {
            throw damaged("a child that is no reference", node.oid)
        }
        let record = try record(reference.oid)
        guard case .interior = try part(record) else { return try copy(child, of: node) }
        return try copy(stateParts(of: record)[1], of: record)
    }
}
