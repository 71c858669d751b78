internal import Pickle
internal import ZODB

/// Values inside a record: dicts, lists, tuples, sets, and instances that are one of these.
///
/// An object whose class is a subclass of a built-in container is the same: its items stand in its state.
struct ValueAdapter: ClassAdapter {
    enum Contents {
        case mapping([EntryList.Entry])
        case set([PickleDocument.Slot])
        case sequence([PickleDocument.Slot])
    }

    func adapts(_ subject: Subject) -> Bool { Self.contents(of: subject) != nil }

    func children(
        of subject: Subject, prefix: String, in workspace: Workspace
    ) throws(StorageError) -> any Cursor<Node> {
        switch Self.contents(of: subject) {
        case .mapping(let entries)?:
            EntryList(entries, in: subject.record, at: subject.node.at).cursor(prefix: prefix)
        case .set(let elements)?:
            EntryList(set: elements, in: subject.record, at: subject.node.at).cursor(prefix: prefix)
        case .sequence(let items)?:
            Self.cursor(items, of: subject, prefix: prefix)
        case nil:
            ArrayCursor<Node>([])
        }
    }

    func child(_ component: Component, of subject: Subject, in workspace: Workspace) throws(StorageError) -> Node? {
        switch Self.contents(of: subject) {
        case .mapping(let entries)?:
            Self.child(component, of: EntryList(entries, in: subject.record, at: subject.node.at))
        case .set(let items)?: Self.child(component, of: EntryList(set: items, in: subject.record, at: subject.node.at))
        case .sequence(let items)?: Self.child(component, of: items, subject)
        case nil: nil
        }
    }

    func count(of subject: Subject, in workspace: Workspace) throws(StorageError) -> Int? {
        switch Self.contents(of: subject) {
        case .mapping(let entries)?: EntryList(entries, in: subject.record, at: subject.node.at).nodes().count
        case .set(let items)?: EntryList(set: items, in: subject.record, at: subject.node.at).nodes().count
        case .sequence(let items)?: items.count
        case nil: nil
        }
    }

    static func child(_ component: Component, of list: EntryList) -> Node? {
        list.find(component).map { list.node($0) }
    }

    // MARK: Sequences

    /// Elements by index: `[0]`, `[1]`.
    static func cursor(_ items: [PickleDocument.Slot], of subject: Subject, prefix: String) -> any Cursor<Node> {
        let (record, at) = (subject.record, subject.node.at)
        return MapCursor(ArrayCursor(Array(items.enumerated()))) { index, slot in
            guard prefix.isEmpty || String(index).hasPrefix(prefix) else { return nil }
            return Node(.key(.integer(PickleInteger(Int64(index)))), slot, in: record, at: at, kind: .item)
        }
    }

    /// `[3]`, `[-1]` from the end, and `3` as a name.
    static func child(_ component: Component, of items: [PickleDocument.Slot], _ subject: Subject) -> Node? {
        var position: Int?
        switch component {
        case .key(.integer(let value)): position = value.int64.flatMap { Int(exactly: $0) }
        case .name(let name): position = Int(name)
        case .ordinal(let index): position = index
        default: break
        }
        guard var index = position else { return nil }
        if index < 0 { index += items.count }
        guard items.indices.contains(index) else { return nil }
        let component = Component.key(.integer(PickleInteger(Int64(index))))
        return Node(component, items[index], in: subject.record, at: subject.node.at, kind: .item)
    }

    // MARK: What a value contains

    static func contents(of subject: Subject) -> Contents? {
        // An object's state is no container, even when it is a dict: that holds its attributes.
        if subject.isObject { return nil }
        return contents(of: subject.slot, in: subject.document)
    }

    static func contents(of slot: PickleDocument.Slot, in document: PickleDocument) -> Contents? {
        switch document[slot] {
        case .dict(let entries): .mapping(entries.map { EntryList.Entry(key: $0.key, value: $0.value) })
        case .list(let items), .tuple(let items): .sequence(items)
        case .set(let items), .frozenSet(let items): .set(items)
        case .instance(let instance): contents(of: instance, in: document)
        default: nil
        }
    }

    private static func contents(of instance: PickleInstance, in document: PickleDocument) -> Contents? {
        if !instance.entries.isEmpty {
            return .mapping(instance.entries.map { EntryList.Entry(key: $0.key, value: $0.value) })
        }
        if !instance.items.isEmpty { return .sequence(instance.items) }
        guard instance.kind == .reduce, let name = instance.className, let first = instance.arguments.first else {
            return nil
        }
        switch name.name {
        case "set", "frozenset":
            // Python 2, and Python 3 below protocol 4: `set([…])`.
            return document.sequence(first).map { .set($0) }
        case "OrderedDict":
            // Python 2: `OrderedDict([[key, value], …])`.
            let pairs = (document.sequence(first) ?? []).compactMap { document.sequence($0) }
            return .mapping(pairs.filter { $0.count == 2 }.map { EntryList.Entry(key: $0[0], value: $0[1]) })
        case "_reconstructor" where instance.arguments.count == 3:
            // A subclass of list, dict or another built-in: the third argument is the built-in's own value.
            return builtInContents(of: instance.arguments[2], in: document)
        default:
            return nil
        }
    }

    private static func builtInContents(of slot: PickleDocument.Slot, in document: PickleDocument) -> Contents? {
        switch document[slot] {
        case .dict(let entries): .mapping(entries.map { EntryList.Entry(key: $0.key, value: $0.value) })
        case .list(let items), .tuple(let items): .sequence(items)
        default: nil
        }
    }
}
