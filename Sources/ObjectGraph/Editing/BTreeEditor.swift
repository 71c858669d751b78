internal import ByteCoding
internal import Pickle
internal import ZODB

/// Changes to a BTree, TreeSet, Bucket or Set by the states of its records, as BTrees itself would leave them: what
/// Python's `BTrees.check` accepts before, it accepts afterwards.
///
/// Every record that BTrees would write is staged, a leaf that became empty too: whoever adds to that leaf at the same
/// time must meet a conflict, since nothing leads to it any more.
struct BTreeEditor {
    typealias Slot = PickleDocument.Slot

    /// An interior node on the way down, and the child that was taken.
    struct Step {
        var interior: BTreeInterior
        var index: Int

        var oid: ObjectID { interior.record.oid }
    }

    /// Where a key is, or belongs.
    struct Way {
        var steps: [Step]
        /// nil in an empty tree.
        var leaf: BTreeLeaf?
        /// Of the entry, or of the first one behind where it belongs.
        var position = 0
        var isFound = false
    }

    let workspace: Workspace
    let tree: BTree
    var family: BTreeFamily
    /// For messages.
    let path: String
    /// Whether the object was reached as a part of a tree: it must then stay what its parent says.
    let isPart: Bool

    /// - Returns: nil when the subject is no such object.
    init?(_ subject: Subject, in workspace: Workspace, at place: Place) {
        guard let tree = BTree(subject, in: workspace) else { return nil }
        self.workspace = workspace
        self.tree = tree
        family = BTreeFamily(tree.kind.family)
        path = place.description
        switch place.node.component {
        case .attribute("firstbucket"), .attribute("next"): isPart = true
        default: isPart = false
        }
    }

    var stride: Int { tree.kind.isSet ? 1 : 2 }

    // MARK: Finding

    /// - Throws: `unorderedKey` when it cannot be told where the key belongs; `damaged`.
    func way(to key: PythonLiteral) throws(EditError) -> Way {
        var way = Way(steps: [])
        var record = tree.root
        for _ in 0..<BTree.depthLimit {
            switch try part(record) {
            case .empty:
                guard way.steps.isEmpty else { throw damaged("a node without children inside the tree", record.oid) }
                return way
            case .leaf(let leaf):
                if !way.steps.isEmpty, BTreeState.Kind(record)?.isTree ?? true {
                    throw damaged("a tree of one leaf inside the tree", record.oid)
                }
                way.leaf = leaf
                (way.position, way.isFound) = try position(of: key, in: leaf)
                return way
            case .interior(let interior):
                guard case .index(let index) = tree.childIndex(for: key, in: interior) else { throw unordered(key) }
                way.steps.append(Step(interior: interior, index: index))
                record = try EditError.wrap(path) { () throws(StorageError) in try tree.load(interior.children[index]) }
            }
        }
        throw damaged("more than \(BTree.depthLimit) levels, or a cycle", tree.root.oid)
    }

    /// Compares with every key of the leaf: one that is out of order, or cannot be compared, must not go unnoticed.
    private func position(of key: PythonLiteral, in leaf: BTreeLeaf) throws(EditError) -> (Int, Bool) {
        var position = leaf.entries.count
        var isFound = false
        for (index, entry) in leaf.entries.enumerated() {
            switch tree.order.compare(key, PythonLiteral(entry.key, in: leaf.record.document)) {
            case .greater:
                guard position == leaf.entries.count, !isFound else {
                    throw damaged("keys that are not in order", leaf.record.oid)
                }
            case .equal:
                guard !isFound, position == leaf.entries.count else {
                    throw damaged("keys that are not in order", leaf.record.oid)
                }
                (position, isFound) = (index, true)
            case .less:
                if position == leaf.entries.count { position = index }
            case .disjoint, .unknown:
                throw unordered(key)
            }
        }
        return (position, isFound)
    }

    /// The way to whatever a component may mean, if the tree has it.
    func existing(_ component: Component) throws(EditError) -> Way? {
        let keys: [PythonLiteral]
        switch component {
        case .attribute: return nil
        case .ordinal(let ordinal): return try way(ordinal: ordinal)
        case .key(let key): keys = tree.candidates(key)
        case .name(let name): keys = EntryList.keys(named: name).flatMap { tree.candidates($0) }
        }
        var problem: EditError?
        for key in keys {
            do throws(EditError) {
                let way = try way(to: key)
                if way.isFound { return way }
            } catch {
                // Another meaning of the name may still be found.
                guard error.kind == .unorderedKey else { throw error }
                if try isPresent(key) { problem = error }
            }
        }
        if let problem { throw problem }
        return nil
    }

    /// Whether the tree has a key that it cannot be asked for by order.
    private func isPresent(_ key: PythonLiteral) throws(EditError) -> Bool {
        try EditError.wrap(path) { () throws(StorageError) in try tree.find(.key(key)) } != nil
    }

    private func way(ordinal: Int) throws(EditError) -> Way? {
        guard case .leaf(let leaf) = try part(tree.root), leaf.entries.indices.contains(ordinal) else { return nil }
        return Way(steps: [], leaf: leaf, position: ordinal, isFound: true)
    }

    // MARK: Keys and values

    /// The key as this tree would keep it.
    func newKey(_ literal: PythonLiteral) throws(EditError) -> (literal: PythonLiteral, value: PickleValue) {
        var siblings: [Slot] = []
        switch try part(tree.root) {
        case .empty: break
        case .leaf(let leaf): siblings = leaf.entries.map(\.key)
        case .interior(let interior): siblings = interior.separators
        }
        var literal = literal
        if case .integer = literal {
        } else if case .bool = literal {
        } else if family.key != .object,
            let name = literal.stringBytes, let number = Int64(String(decoding: name, as: UTF8.self))
        {
            // `name` in a path is a string first, and a number where only numbers can be keys.
            literal = .integer(PickleInteger(number))
        }
        let spelling = KeySpelling(tree.order.generation, beside: siblings, in: tree.root.document)
        let decided = spelling.decided(literal)
        guard let value = family.key.accepted(spelling.value(literal), tree.order.generation) else {
            throw EditError(
                .wrongValue, at: path, expected: "a key that is \(family.key.words)", found: literal.description)
        }
        guard tree.order.compare(decided, decided) == .equal else { throw unordered(literal) }
        return (decided, value)
    }

    func accepted(_ value: PickleValue) throws(EditError) -> PickleValue {
        if let value = family.value.accepted(value, tree.order.generation) { return value }
        throw EditError(
            .wrongValue, at: path, expected: "a value that is \(family.value.words): it is a \(tree.kind.family) tree",
            found: value.briefText)
    }

    // MARK: Records

    func part(_ record: ObjectRecord) throws(EditError) -> BTreePart {
        try EditError.wrap(path) { () throws(StorageError) in try tree.part(record) }
    }

    func record(_ oid: ObjectID) throws(EditError) -> ObjectRecord {
        try EditError.wrap(path) { () throws(StorageError) in try workspace.editable(oid) }
    }

    func parse(_ data: [UInt8], _ oid: ObjectID) throws(EditError) -> ObjectRecord {
        try EditError.wrap(path) { () throws(StorageError) in
            try ObjectRecord(Revision(data: data, serial: .none, next: nil), oid: oid)
        }
    }

    /// The tuple of a leaf's keys and values: in a tree of one leaf two levels deeper.
    func items(of record: ObjectRecord) throws(EditError) -> Slot {
        var slot = record.stateSlot
        for _ in 0..<(BTreeState.Kind(record)?.isTree ?? false ? 3 : 1) {
            guard let inner = record.document.sequence(slot)?.first else {
                throw damaged("a leaf of another form", record.oid)
            }
            slot = inner
        }
        return slot
    }

    /// The two parts of an interior node's state, or of a leaf's (whose second one may be missing).
    func stateParts(of record: ObjectRecord) -> [Slot] { record.document.sequence(record.stateSlot) ?? [] }

    func copy(_ slot: Slot, of record: ObjectRecord) throws(EditError) -> PickleValue {
        try workspace.copiedValue(slot, of: record, at: path)
    }

    func apply(_ operations: [RecordOperation], to oid: ObjectID) throws(EditError) {
        try workspace.apply(operations, to: oid, at: path)
    }

    func stage(_ data: [UInt8], for oid: ObjectID) throws(EditError) {
        try EditError.wrap(path) { () throws(StorageError) in try workspace.stage(data, for: oid) }
        workspace.note(part: oid, of: tree.root.oid)
    }

    func makeObject(_ data: [UInt8]) throws(EditError) -> PickleValue {
        let oid = try EditError.wrap(path) { () throws(StorageError) in try workspace.newObject(data) }
        workspace.note(part: oid, of: tree.root.oid)
        return try workspace.reference(to: oid, for: tree.root, at: path)
    }

    // MARK: Errors

    func damaged(_ found: String, _ oid: ObjectID) -> EditError {
        EditError(
            .damaged, at: path, expected: "a BTree in order", found: "\(found), at #\(oid)",
            advice: "nothing was changed: an edit could lose more")
    }

    func unordered(_ key: PythonLiteral) -> EditError {
        EditError(
            .unorderedKey, at: path, expected: "a key whose place among the others is certain",
            found: "\(key), which only Python could compare with them")
    }
}
