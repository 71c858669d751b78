public import Pickle
public import ZODB

/// Who last changed the keys of a BTree, TreeSet, bucket or set: leaf by leaf, as far as the caller goes.
///
/// A key lies in a leaf whose record also changes when a neighbour does, and it moves to another leaf when one splits. So
/// each key is followed back on its own: to its leaf's earlier revisions while its value is the same there, and where
/// an earlier revision lacks it, to wherever the tree had it then.
public final class BTreeBlame: Cursor {
    private typealias Origin = (tid: TransactionID, oid: ObjectID, certainty: BlamedPart.Certainty)

    /// Keys that lie in one leaf, and are equal there to what they are today.
    private struct Group {
        var leaf: BTreeLeaf
        /// The index of each key in the result, and in the leaf.
        var keys: [(result: Int, entry: Int)]
    }

    private let workspace: Workspace
    private let tree: BTree
    private let leaves: BTreeLeaves
    private let progress: (Int) -> Void
    private var revisionCount = 0
    private var ready: [BlamedPart] = []
    private var position = 0

    /// - Parameters:
    ///   - key: where to begin; nil for the first key.
    ///   - progress: called with the number of revisions read.
    /// - Returns: nil when the subject is none of these.
    public init?(
        _ subject: Subject, in workspace: Workspace, from key: PythonLiteral? = nil,
        progress: @escaping (Int) -> Void = { _ in }
    ) {
        guard let tree = BTree(subject, in: workspace) else { return nil }
        self.workspace = workspace
        self.tree = tree
        self.progress = progress
        leaves = BTreeLeaves(tree, from: key.flatMap { tree.candidates($0).first })
    }

    public func next() throws(StorageError) -> BlamedPart? {
        while position >= ready.count {
            (position, ready) = (0, [])
            switch try leaves.next() {
            case nil: return nil
            case .leaf(let leaf, let first)?: ready = try parts(of: leaf, from: first)
            case .damaged(_, _, let error)?: throw error
            }
        }
        defer { position += 1 }
        return ready[position]
    }

    private func parts(of leaf: BTreeLeaf, from first: Int) throws(StorageError) -> [BlamedPart] {
        let indices = Array(leaf.entries.indices.dropFirst(first))
        var origins = [Origin?](repeating: nil, count: indices.count)
        var groups = [Group(leaf: leaf, keys: indices.enumerated().map { (result: $0, entry: $1) })]
        while let group = groups.popLast() { groups += try step(back: group, &origins) }
        let list = EntryList(leaf.entries, in: leaf.record, at: tree.at)
        return zip(indices, origins).compactMap { index, origin in
            guard let origin else { return nil }
            return BlamedPart(
                components: list.node(index).component.map { [$0] } ?? [], line: nil,
                value: (leaf.record, leaf.entries[index].value), tid: origin.tid, oid: origin.oid,
                certainty: origin.certainty)
        }
    }

    /// Looks at what a leaf was before its present revision.
    /// - Returns: the keys that were the same then, by the leaf they were in.
    private func step(back group: Group, _ origins: inout [Origin?]) throws(StorageError) -> [Group] {
        try workspace.interruption.check()
        revisionCount += 1
        progress(revisionCount)
        let (oid, serial) = (group.leaf.record.oid, group.leaf.record.serial)
        let before = serial.isStaged ? workspace.basis : serial.predecessor
        let earlierTree = try treeBefore(before)
        var found: [ObjectID: Group] = [:]
        let sameLeaf = try leaf(oid, at: before)
        let entries = sameLeaf.map { Self.index($0) } ?? [:]
        for key in group.keys {
            guard let literal = PythonLiteral(group.leaf.entries[key.entry].key, in: group.leaf.record.document) else {
                // What no literal spells cannot be looked for.
                origins[key.result] = (serial, oid, .known)
                continue
            }
            var place: (leaf: BTreeLeaf, entry: Int)?
            if let sameLeaf, let entry = entries[literal.equalityKey] {
                place = (sameLeaf, entry)
            } else if let position = try earlierTree?.position(of: literal) {
                place = (position.leaf, position.index)
            }
            guard let place, Self.isSame(group.leaf, key.entry, place.leaf, place.entry) else {
                origins[key.result] = (serial, oid, place == nil && earlierTree == nil ? .oldest : .known)
                continue
            }
            let source = place.leaf.record.oid
            found[source, default: Group(leaf: place.leaf, keys: [])].keys
                .append((result: key.result, entry: place.entry))
        }
        return Array(found.values)
    }

    /// The tree as of `tid`; nil when it did not exist then.
    private func treeBefore(_ tid: TransactionID) throws(StorageError) -> BTree? {
        do throws(StorageError) {
            return BTree(try workspace.subject(of: .object(tree.root.oid, at: tid)), in: workspace)
        } catch .noSuchObject, .noRevision {
            return nil
        }
    }

    /// A leaf's record as of `tid`; nil when it did not exist, or was no leaf then.
    private func leaf(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> BTreeLeaf? {
        do throws(StorageError) {
            let record = try workspace.object(oid, at: tid)
            guard case .leaf(let leaf) = try tree.part(record) else { return nil }
            return leaf
        } catch .noSuchObject, .noRevision {
            return nil
        }
    }

    private static func index(_ leaf: BTreeLeaf) -> [PythonLiteral: Int] {
        var index: [PythonLiteral: Int] = [:]
        for (entry, element) in leaf.entries.enumerated() {
            guard let key = PythonLiteral(element.key, in: leaf.record.document) else { continue }
            index[key.equalityKey] = entry
        }
        return index
    }

    private static func isSame(_ left: BTreeLeaf, _ entry: Int, _ right: BTreeLeaf, _ other: Int) -> Bool {
        var comparison = RecordComparison(right.record, left.record, limit: 1)
        comparison.run(right.entries[other].value, left.entries[entry].value)
        return comparison.changes.isEmpty && !comparison.isCut
    }
}
