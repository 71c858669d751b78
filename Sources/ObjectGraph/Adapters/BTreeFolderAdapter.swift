internal import Pickle
internal import ZODB

/// Containers that keep their children in a BTree of their own: BTreeFolder2, Plone's containers (`_tree` with
/// `_count`), and the containers of zope.container (`_SampleContainer__data`).
struct BTreeFolderAdapter: ClassAdapter {
    func adapts(_ subject: Subject) -> Bool { Self.tree(of: subject) != nil }

    func children(
        of subject: Subject, prefix: String, in workspace: Workspace
    ) throws(StorageError) -> any Cursor<Node> {
        try workspace.delegatedItems(of: Self.tree(of: subject), prefix: prefix)
    }

    func child(_ component: Component, of subject: Subject, in workspace: Workspace) throws(StorageError) -> Node? {
        try workspace.delegatedItem(component, of: Self.tree(of: subject))
    }

    /// The sibling `Length` says it.
    func count(of subject: Subject, in workspace: Workspace) throws(StorageError) -> Int? {
        for name in ["_count", "_BTreeContainer__len"] {
            if let node = workspace.attribute(name, of: subject) { return try workspace.integer(at: node) }
        }
        return nil
    }

    static func tree(of subject: Subject) -> Node? {
        for (name, companions) in [
            ("_tree", ["_count", "_mt_index"]), ("_SampleContainer__data", []),
        ] {
            guard let slot = subject.attribute(name), let reference = subject.document.strongReference(slot),
                companions.isEmpty || companions.contains(where: { subject.attribute($0) != nil })
                    || reference.className?.name.hasSuffix("BTree") ?? false
            else { continue }
            return Node(.attribute(name), slot, in: subject.record, at: subject.node.at, kind: .attribute)
        }
        return nil
    }
}
