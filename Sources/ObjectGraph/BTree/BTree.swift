internal import ByteCoding
internal import Pickle
internal import ZODB

/// A BTree, TreeSet, Bucket or Set of any family, read piece by piece: a key costs as many loads as the tree is deep.
struct BTree {
    let workspace: Workspace
    let root: ObjectRecord
    let at: TransactionID
    let kind: BTreeState.Kind
    let order: KeyOrder

    /// Deeper than any tree can be: 2^64 keys in leaves of two.
    static let depthLimit = 64

    /// - Returns: nil when the subject is no such object.
    init?(_ subject: Subject, in workspace: Workspace) {
        guard subject.isObject, let kind = BTreeState.Kind(subject.record) else { return nil }
        (self.workspace, self.kind) = (workspace, kind)
        (root, at) = (subject.record, subject.node.at)
        // A storage that cannot even tell its generation will say so at the next load.
        order = KeyOrder(generation: (try? workspace.generation()) ?? .python3)
    }

    /// Where a key is: an entry of a leaf.
    struct Position {
        var leaf: BTreeLeaf
        var index: Int
    }

    // MARK: Looking up

    /// The item of a key; nil when there is none. Goes through all leaves only when the keys cannot be ordered.
    func find(_ component: Component) throws(StorageError) -> Node? {
        switch component {
        case .attribute:
            return nil
        case .ordinal(let ordinal):
            return try node(ordinal: ordinal)
        case .key(let key):
            return try find(anyOf: candidates(key))
        case .name(let name):
            return try find(anyOf: EntryList.keys(named: name).flatMap { candidates($0) })
        }
    }

    private func find(anyOf keys: [PythonLiteral]) throws(StorageError) -> Node? {
        var unordered: [PythonLiteral] = []
        for key in keys {
            switch try descend(to: key) {
            case .found(let position): return node(position)
            case .absent: break
            case .unordered: unordered.append(key)
            }
        }
        guard !unordered.isEmpty else { return nil }
        let leaves = BTreeLeaves(self)
        while let leaf = try leaves.next() {
            guard case .leaf(let leaf, _) = leaf else { continue }
            let list = EntryList(leaf.entries, in: leaf.record, at: at)
            for key in unordered {
                if let index = list.find(.key(key)) { return node(Position(leaf: leaf, index: index)) }
            }
        }
        return nil
    }

    /// Where a key is that some revision of the tree has; nil where this one does not, or nobody can tell without going
    /// through all of it.
    func position(of key: PythonLiteral) throws(StorageError) -> Position? {
        guard case .found(let position) = try descend(to: key) else { return nil }
        return position
    }

    /// What a literal may stand for among this family's keys.
    func candidates(_ key: PythonLiteral) -> [PythonLiteral] {
        switch kind.keys {
        case .integer: return key.compareNumbers(.integer(PickleInteger(0))) == nil ? [] : [key]
        case .bytes:
            return key.stringBytes.map { [.bytes($0)] } ?? []
        case .object:
            guard case .string(let bytes) = key else { return [key] }
            // Python 2's order tells `str` and `unicode` apart when there are tuples between them.
            return order.generation == .python2 ? [.nativeString(bytes), .text(bytes)] : [.text(bytes)]
        }
    }

    private enum Descent {
        case found(Position)
        case absent
        case unordered
    }

    private func descend(to key: PythonLiteral) throws(StorageError) -> Descent {
        var record = root
        for _ in 0..<Self.depthLimit {
            switch try part(record) {
            case .empty:
                return .absent
            case .leaf(let leaf):
                let list = EntryList(leaf.entries, in: leaf.record, at: at)
                if let index = list.find(.key(key)) { return .found(Position(leaf: leaf, index: index)) }
                return isOrdered(leaf.entries, in: leaf.record, for: key) ? .absent : .unordered
            case .interior(let interior):
                switch childIndex(for: key, in: interior) {
                case .index(let index): record = try load(interior.children[index])
                case .disjoint: return .absent
                case .unordered: return .unordered
                }
            }
        }
        throw tooDeep()
    }

    /// Whether one comparison with a leaf's key says something; a single leaf was searched whole anyway.
    private func isOrdered(_ entries: [EntryList.Entry], in record: ObjectRecord, for key: PythonLiteral) -> Bool {
        guard record.oid != root.oid, let entry = entries.first else { return true }
        return order.compare(key, PythonLiteral(entry.key, in: record.document)) != .unknown
    }

    enum ChildIndex {
        case index(Int)
        case disjoint
        case unordered
    }

    /// The child that holds `key` if any does: the last whose separator is not above it.
    func childIndex(for key: PythonLiteral, in interior: BTreeInterior) -> ChildIndex {
        var (low, high) = (0, interior.separators.count)
        while low < high {
            let middle = low + (high - low) / 2
            switch order.compare(key, PythonLiteral(interior.separators[middle], in: interior.record.document)) {
            case .less: high = middle
            case .equal, .greater: low = middle + 1
            case .disjoint: return .disjoint
            case .unknown: return .unordered
            }
        }
        return .index(low)
    }

    // MARK: Going through

    /// The items from `key` on; from the first, when the keys cannot be ordered or `key` is nil.
    func items(from key: PythonLiteral? = nil) -> any Cursor<Node> { BTreeItems(self, BTreeLeaves(self, from: key)) }

    private func node(ordinal: Int) throws(StorageError) -> Node? {
        guard ordinal >= 0 else { return nil }
        let leaves = BTreeLeaves(self)
        var first = 0
        while let leaf = try leaves.next() {
            guard case .leaf(let leaf, _) = leaf else { continue }
            if ordinal - first < leaf.entries.count {
                return EntryList(leaf.entries, in: leaf.record, at: at).node(ordinal - first, firstOrdinal: first)
            }
            first += leaf.entries.count
        }
        return nil
    }

    /// - Throws: also when a part of the tree cannot be read: then nobody knows the number.
    func count(progress: (Int) -> Void) throws(StorageError) -> Int {
        let leaves = BTreeLeaves(self)
        var count = 0
        var calls = 0
        while let element = try leaves.next() {
            switch element {
            case .leaf(let leaf, _): count += leaf.entries.count
            case .damaged(_, _, let error): throw error
            }
            calls += 1
            if calls.isMultiple(of: 64) { progress(count) }
        }
        return count
    }

    /// About how many keys there are, from one way down: as if every branch were like this one.
    func estimatedCount() throws(StorageError) -> Int? {
        var record = root
        var product = 1
        for _ in 0..<Self.depthLimit {
            switch try part(record) {
            case .empty: return 0
            case .leaf(let leaf):
                let (value, overflow) = product.multipliedReportingOverflow(by: leaf.entries.count)
                return overflow ? nil : value
            case .interior(let interior):
                let (value, overflow) = product.multipliedReportingOverflow(by: interior.children.count)
                guard !overflow else { return nil }
                product = value
                // The middle is more typical than the ends.
                record = try load(interior.children[interior.children.count / 2])
            }
        }
        return nil
    }

    // MARK: Helpers

    func load(_ child: PersistentReference) throws(StorageError) -> ObjectRecord {
        try workspace.object(child.oid, at: at)
    }

    /// What a record of the tree holds. One that is no part of a BTree is damage.
    func part(_ record: ObjectRecord) throws(StorageError) -> BTreePart {
        if let kind = BTreeState.Kind(record) { return try BTreePart(record, kind) }
        throw .corrupt(
            "BTree \(root.oid)",
            FormatError(
                .invalid(field: "child", found: "\(record.oid) of class \(record.className?.description ?? "unknown")"),
                at: 0))
    }

    func tooDeep() -> StorageError {
        .corrupt(
            "BTree \(root.oid)",
            FormatError(.invalid(field: "depth", found: "more than \(Self.depthLimit) levels, or a cycle"), at: 0))
    }

    private func node(_ position: Position) -> Node {
        EntryList(position.leaf.entries, in: position.leaf.record, at: at).node(position.index)
    }
}
