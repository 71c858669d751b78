internal import Pickle
internal import ZODB

/// The classic user folder: its users, from the mapping `data`.
struct UserFolderAdapter: ClassAdapter {
    func adapts(_ subject: Subject) -> Bool { Self.users(of: subject) != nil }

    func children(
        of subject: Subject, prefix: String, in workspace: Workspace
    ) throws(StorageError) -> any Cursor<Node> {
        try workspace.delegatedItems(of: Self.users(of: subject), prefix: prefix)
    }

    func child(_ component: Component, of subject: Subject, in workspace: Workspace) throws(StorageError) -> Node? {
        try workspace.delegatedItem(component, of: Self.users(of: subject))
    }

    func count(of subject: Subject, in workspace: Workspace) throws(StorageError) -> Int? {
        try workspace.delegatedCount(of: Self.users(of: subject))
    }

    /// The mapping of users, by name; nil when the object is no user folder.
    static func users(of subject: Subject) -> Node? {
        guard let name = subject.className?.name, let slot = subject.attribute("data") else { return nil }
        let isReference = subject.document.strongReference(slot)?.className?.name.contains("Mapping") ?? false
        guard name.hasSuffix("UserFolder") || (isReference && subject.attribute("_ofs_migrated") != nil) else {
            return nil
        }
        return Node(.attribute("data"), slot, in: subject.record, at: subject.node.at, kind: .attribute)
    }
}
