internal import Pickle
internal import ZODB

/// Persistent mappings: the root, `PersistentMapping`, `PersistentDict` under every module name they ever had.
///
/// Their dict is the attribute `data`; ZODB3 up to 3.8 wrote `_container`.
struct MappingAdapter: ClassAdapter {
    func adapts(_ subject: Subject) -> Bool { Self.entries(of: subject) != nil }

    func children(
        of subject: Subject, prefix: String, in workspace: Workspace
    ) throws(StorageError) -> any Cursor<Node> {
        Self.list(of: subject).cursor(prefix: prefix)
    }

    func child(_ component: Component, of subject: Subject, in workspace: Workspace) throws(StorageError) -> Node? {
        ValueAdapter.child(component, of: Self.list(of: subject))
    }

    func count(of subject: Subject, in workspace: Workspace) throws(StorageError) -> Int? {
        Self.list(of: subject).nodes().count
    }

    static func list(of subject: Subject) -> EntryList {
        EntryList(entries(of: subject) ?? [], in: subject.record, at: subject.node.at)
    }

    /// The dict that is the mapping's content; nil when the object is no such mapping.
    ///
    /// A class counts when its name says so, or when it has nothing but the dict.
    static func entries(of subject: Subject) -> [PickleDocument.Entry]? {
        guard let name = ["data", "_container"].first(where: { subject.attribute($0) != nil }),
            let slot = subject.attribute(name), case .dict(let entries) = subject.document[slot],
            subject.attributes.count == 1 || isMappingName(subject.className?.name ?? "")
        else { return nil }
        return entries
    }

    private static func isMappingName(_ name: String) -> Bool {
        name.contains("Mapping") || name.contains("Dict")
    }
}
