internal import Pickle
internal import ZODB

/// BTrees, TreeSets, Buckets and Sets of every family: always in pages, never whole.
struct BTreeAdapter: ClassAdapter {
    func adapts(_ subject: Subject) -> Bool { subject.isObject && BTreeState.Kind(subject.record) != nil }

    func children(
        of subject: Subject, prefix: String, in workspace: Workspace
    ) throws(StorageError) -> any Cursor<Node> {
        guard let tree = BTree(subject, in: workspace) else { return ArrayCursor<Node>([]) }
        guard !prefix.isEmpty else { return tree.items() }
        return try PrefixCursor.items(of: tree, prefix: prefix)
    }

    func child(_ component: Component, of subject: Subject, in workspace: Workspace) throws(StorageError) -> Node? {
        try BTree(subject, in: workspace)?.find(component)
    }

    /// Only a leaf, and a tree small enough to be one, knows its size.
    func count(of subject: Subject, in workspace: Workspace) throws(StorageError) -> Int? {
        guard let tree = BTree(subject, in: workspace) else { return nil }
        switch try tree.part(tree.root) {
        case .empty: return 0
        case .leaf(let leaf): return leaf.entries.count
        case .interior: return nil
        }
    }
}

/// The items whose key begins with a text: a stretch of the tree, where its order is known.
private enum PrefixCursor {
    static func items(of tree: BTree, prefix: String) throws(StorageError) -> any Cursor<Node> {
        let bytes = Array(prefix.utf8)
        switch tree.kind.keys {
        case .integer, .bytes:
            let exact = try tree.find(.name(prefix))
            return ArrayCursor(exact.map { [$0] } ?? [])
        case .object:
            let start: PythonLiteral = tree.order.generation == .python2 ? .nativeString(bytes) : .text(bytes)
            let items = tree.items(from: start)
            var isPast = false
            return GeneratingCursor { () throws(StorageError) -> Node? in
                while !isPast, let node = try items.next() {
                    guard let component = node.component else { continue }
                    if component.plainText.hasPrefix(prefix) { return node }
                    isPast = isBeyond(component, bytes)
                }
                return nil
            }
        }
    }

    /// Whether a key is a text that sorts after everything with the prefix.
    private static func isBeyond(_ component: Component, _ prefix: [UInt8]) -> Bool {
        switch component {
        case .name(let name): prefix.lexicographicallyPrecedes(Array(name.utf8))
        case .key(let key): key.stringBytes.map { prefix.lexicographicallyPrecedes($0) } ?? false
        default: false
        }
    }
}
