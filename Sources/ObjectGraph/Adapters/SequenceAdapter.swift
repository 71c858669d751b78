internal import Pickle
internal import ZODB

/// `PersistentList` and its like: a list as the attribute `data`.
struct SequenceAdapter: ClassAdapter {
    func adapts(_ subject: Subject) -> Bool { Self.elements(of: subject) != nil }

    func children(
        of subject: Subject, prefix: String, in workspace: Workspace
    ) throws(StorageError) -> any Cursor<Node> {
        ValueAdapter.cursor(Self.elements(of: subject) ?? [], of: subject, prefix: prefix)
    }

    func child(_ component: Component, of subject: Subject, in workspace: Workspace) throws(StorageError) -> Node? {
        ValueAdapter.child(component, of: Self.elements(of: subject) ?? [], subject)
    }

    func count(of subject: Subject, in workspace: Workspace) throws(StorageError) -> Int? {
        Self.elements(of: subject)?.count
    }

    static func elements(of subject: Subject) -> [PickleDocument.Slot]? {
        guard let slot = subject.attribute("data"), case .list(let items) = subject.document[slot],
            subject.attributes.count == 1 || subject.className?.name.contains("List") ?? false
        else { return nil }
        return items
    }
}
