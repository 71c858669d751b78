internal import ByteCoding
internal import Pickle
internal import ZODB

/// `OFS.ObjectManager` and everything built on it: folders, the application, a PluggableAuthService with its plugins.
///
/// The children are attributes named by their ids; `_objects`, a tuple of dicts, has their order and kinds.
struct ObjectManagerAdapter: ClassAdapter {
    struct Entry {
        var id: String
        var metaType: String?
    }

    func adapts(_ subject: Subject) -> Bool { !Self.list(of: subject).isEmpty }

    func children(
        of subject: Subject, prefix: String, in workspace: Workspace
    ) throws(StorageError) -> any Cursor<Node> {
        let objects = Self.objects(of: subject).filter { prefix.isEmpty || $0.id.hasPrefix(prefix) }
        return ArrayCursor(objects.map { Self.node($0, of: subject, in: workspace) })
    }

    func child(_ component: Component, of subject: Subject, in workspace: Workspace) throws(StorageError) -> Node? {
        let id: [UInt8]
        switch component {
        case .name(let name): id = Array(name.utf8)
        case .key(let key): id = key.stringBytes ?? []
        default: return nil
        }
        for item in Self.list(of: subject) {
            guard let slot = subject.document.value("id", of: item), subject.document.stringBytes(slot) == id,
                let entry = Self.entry(item, in: subject.document)
            else { continue }
            return Self.node(entry, of: subject, in: workspace)
        }
        return nil
    }

    func count(of subject: Subject, in workspace: Workspace) throws(StorageError) -> Int? {
        Self.objects(of: subject).count
    }

    /// What `_objects` lists, each id once.
    static func objects(of subject: Subject) -> [Entry] {
        var seen: Set<String> = []
        return list(of: subject).compactMap { item in
            guard let entry = entry(item, in: subject.document), seen.insert(entry.id).inserted else { return nil }
            return entry
        }
    }

    private static func list(of subject: Subject) -> [PickleDocument.Slot] {
        subject.attribute("_objects").flatMap { subject.document.sequence($0) } ?? []
    }

    private static func entry(_ item: PickleDocument.Slot, in document: PickleDocument) -> Entry? {
        guard let slot = document.value("id", of: item), let bytes = document.stringBytes(slot), bytes.isUTF8 else {
            return nil
        }
        let metaType = document.value("meta_type", of: item).flatMap { document.displayText($0) }
        return Entry(id: String(decoding: bytes, as: UTF8.self), metaType: metaType)
    }

    private static func node(_ entry: Entry, of subject: Subject, in workspace: Workspace) -> Node {
        let component = Component(itemKey: .string(Array(entry.id.utf8)))
        if let slot = subject.attribute(entry.id) {
            return Node(
                component, slot, in: subject.record, at: subject.node.at, kind: .item, metaType: entry.metaType)
        }
        let problem = FormatError(
            .invalid(field: "_objects", found: "'\(entry.id)', and no attribute of that name"), at: 0)
        return Node(
            component: component, target: .object(subject.record.oid), at: subject.node.at, kind: .item,
            metaType: entry.metaType, referrer: subject.record.oid,
            problem: .corrupt("state of \(subject.record.oid)", problem))
    }
}
