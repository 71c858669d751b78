internal import ByteCoding
internal import Pickle
internal import ZODB

/// The leaves of a tree from left to right, several loaded at a time.
///
/// It goes by the parents' lists of children, not by the chain of the leaves: the children's oids are known in
/// advance, so that a batch costs one round trip, and a leaf that is lost does not take those behind it along.
final class BTreeLeaves: Cursor {
    enum Element {
        /// A leaf, and the first of its entries to show.
        case leaf(BTreeLeaf, from: Int)
        /// A part of the tree that cannot be read.
        case damaged(PersistentReference, in: ObjectID, StorageError)
    }

    private struct Frame {
        var interior: BTreeInterior
        var next: Int
        var prefetched: Int
    }

    private let tree: BTree
    private let start: PythonLiteral?
    private var frames: [Frame] = []
    private var isStarted = false
    /// Interior nodes seen: one that comes twice is damage that could keep us busy for ever.
    private var visited: Set<ObjectID> = []
    /// How many children to load at once: few at first, more when the caller goes on.
    private var batch = 2

    private static let batchLimit = 32

    init(_ tree: BTree, from start: PythonLiteral? = nil) {
        self.tree = tree
        self.start = start
    }

    func next() throws(StorageError) -> Element? {
        if !isStarted {
            isStarted = true
            visited.insert(tree.root.oid)
            if let leaf = try enter(try tree.part(tree.root), seeking: start) { return leaf }
            if let start, let leaf = try seek(start) { return leaf }
        }
        while var frame = frames.last {
            try tree.workspace.interruption.check()
            guard frame.next < frame.interior.children.count else {
                frames.removeLast()
                continue
            }
            if frame.next >= frame.prefetched {
                let end = min(frame.next + batch, frame.interior.children.count)
                tree.workspace.prefetch(frame.interior.children[frame.next..<end].map(\.oid), at: tree.at)
                frame.prefetched = end
                batch = min(batch * 2, Self.batchLimit)
            }
            let child = frame.interior.children[frame.next]
            frame.next += 1
            frames[frames.count - 1] = frame
            if let element = try visit(child, of: frame.interior, seeking: nil) { return element }
        }
        return nil
    }

    /// Goes down to the leaf where `key` is or would be.
    private func seek(_ key: PythonLiteral) throws(StorageError) -> Element? {
        while var frame = frames.last, frame.next == 0 {
            guard case .index(let index) = tree.childIndex(for: key, in: frame.interior) else { return nil }
            frame.next = index + 1
            frame.prefetched = index + 1
            frames[frames.count - 1] = frame
            if let element = try visit(frame.interior.children[index], of: frame.interior, seeking: key) {
                return element
            }
        }
        return nil
    }

    private func visit(
        _ child: PersistentReference, of parent: BTreeInterior, seeking key: PythonLiteral?
    ) throws(StorageError) -> Element? {
        do throws(StorageError) {
            let record = try tree.load(child)
            let part = try tree.part(record)
            if case .interior = part, !visited.insert(child.oid).inserted {
                throw .corrupt(
                    "BTree \(tree.root.oid)",
                    FormatError(.invalid(field: "child", found: "\(child.oid) for the second time"), at: 0))
            }
            return try enter(part, seeking: key)
        } catch {
            guard error.leavesOthersReadable else { throw error }
            return .damaged(child, in: parent.record.oid, error)
        }
    }

    private func enter(_ part: BTreePart, seeking key: PythonLiteral?) throws(StorageError) -> Element? {
        switch part {
        case .empty:
            return nil
        case .leaf(let leaf):
            return .leaf(leaf, from: key.map { lowerBound($0, in: leaf) } ?? 0)
        case .interior(let interior):
            guard frames.count < BTree.depthLimit else { throw tree.tooDeep() }
            frames.append(Frame(interior: interior, next: 0, prefetched: 0))
            return nil
        }
    }

    /// The first entry not below `key`; 0 when they cannot be compared.
    private func lowerBound(_ key: PythonLiteral, in leaf: BTreeLeaf) -> Int {
        for (index, entry) in leaf.entries.enumerated() {
            switch tree.order.compare(key, PythonLiteral(entry.key, in: leaf.record.document)) {
            case .greater: continue
            case .less, .equal: return index
            case .disjoint, .unknown: return 0
            }
        }
        return leaf.entries.count
    }
}

/// The items of a tree, from left to right.
final class BTreeItems: Cursor {
    private let tree: BTree
    private let leaves: BTreeLeaves
    private var nodes: [Node] = []
    private var index = 0
    /// Items before the present leaf: positions count from the tree's beginning, where the walk began there.
    private var ordinal = 0

    init(_ tree: BTree, _ leaves: BTreeLeaves) {
        self.tree = tree
        self.leaves = leaves
    }

    func next() throws(StorageError) -> Node? {
        while index >= nodes.count {
            (index, nodes) = (0, [])
            switch try leaves.next() {
            case nil:
                return nil
            case .leaf(let leaf, let first)?:
                let list = EntryList(leaf.entries, in: leaf.record, at: tree.at)
                nodes = leaf.entries.indices.dropFirst(first).map { list.node($0, firstOrdinal: ordinal) }
                ordinal += leaf.entries.count
            case .damaged(let reference, let parent, let error)?:
                nodes = [
                    Node(
                        component: nil, target: .object(reference.oid), at: tree.at, kind: .item,
                        className: reference.className, referrer: parent, problem: error)
                ]
            }
        }
        defer { index += 1 }
        return nodes[index]
    }
}
