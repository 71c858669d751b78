public import Pickle
internal import ZODB

extension Workspace {
    /// Removes a hook from a container: from the table `__before_traverse__`, and from the list that Zope goes through.
    ///
    /// - Throws: `notFound` when neither has it.
    public func removeHook(priority: Int, handle: String, of container: Place) throws(EditError) {
        try atomically { () throws(EditError) in
            guard try HookEditor(self, container).remove(priority: priority, handle: handle) else {
                throw EditError(
                    .notFound, at: container.description, expected: "a hook (\(priority), '\(handle)')",
                    found: "none in `.__before_traverse__`")
            }
        }
    }

    /// Registers a hook at a container, in the table and in the list; one that is there with this key is replaced.
    /// - Parameter hook: an instance, as a rule of `ZPublisher.BeforeTraverse.NameCaller`, or a reference to an object.
    public func setHook(
        priority: Int, handle: String, of container: Place, to hook: PickleValue
    ) throws(EditError) {
        try atomically { () throws(EditError) in
            let editor = try HookEditor(self, container)
            let hook = try PlaceEditor(self, container).resolved(hook)
            try editor.remove(priority: priority, handle: handle)
            try HookEditor(self, container).add(priority: priority, handle: handle, hook)
        }
    }
}

/// The hooks of a container, which its record keeps twice: `__before_traverse__`, a dict by `(priority, handle)`, and
/// `__before_publishing_traverse__`, a `MultiHook` whose `_list` has the hooks in the order of their keys.
struct HookEditor {
    private typealias Slot = PickleDocument.Slot

    private let workspace: Workspace
    private let place: Place
    private let editor: PlaceEditor

    init(_ workspace: Workspace, _ place: Place) throws(EditError) {
        (self.workspace, self.place) = (workspace, place)
        editor = try PlaceEditor(workspace, place)
    }

    private struct Entry {
        var entry: PickleDocument.Entry
        var key: Key
    }

    private struct Key: Comparable {
        var priority: Int
        var handle: String

        static func < (left: Key, right: Key) -> Bool {
            (left.priority, left.handle) < (right.priority, right.handle)
        }
    }

    private var document: PickleDocument { editor.document }

    private var table: Slot? {
        guard let slot = editor.subject.attribute("__before_traverse__"), case .dict = document[slot] else {
            return nil
        }
        return slot
    }

    private var entries: [Entry] {
        guard let table, case .dict(let entries) = document[table] else { return [] }
        return entries.compactMap { entry in
            guard let parts = document.sequence(entry.key), parts.count == 2, let priority = document.int(parts[0]),
                let handle = document.displayText(parts[1])
            else { return nil }
            return Entry(entry: entry, key: Key(priority: priority, handle: handle))
        }
    }

    /// The list of the `MultiHook`.
    private var list: Slot? {
        guard let slot = editor.subject.attribute("__before_publishing_traverse__"),
            case .instance(let multi) = document[slot]
        else { return nil }
        for state in multi.states {
            for dict in document.attributeDictSlots(state) ?? [] {
                if let entry = dict.entries.last(where: { document.isString($0.key, "_list") }),
                    document.sequence(entry.value) != nil
                {
                    return entry.value
                }
            }
        }
        return nil
    }

    /// - Returns: false when the table has no such hook.
    @discardableResult
    func remove(priority: Int, handle: String) throws(EditError) -> Bool {
        let key = Key(priority: priority, handle: handle)
        let entries = self.entries
        guard let table, let hook = entries.last(where: { $0.key == key }) else { return false }
        var operations: [RecordOperation] = entries.filter { $0.key == key }.map { .removeEntry($0.entry, from: table) }
        if let list, let items = document.sequence(list) {
            let same = items.indices.filter { document.isSameHook(items[$0], hook.entry.value) }
            // Equal hooks under other keys stand in the list once each, in the order of the keys.
            let before = entries.filter { $0.key < key && document.isSameHook($0.entry.value, hook.entry.value) }.count
            if let index = same.indices.contains(before) ? same[before] : same.last {
                operations.append(.remove(index..<index + 1, from: list))
            }
        }
        try editor.apply(operations)
        return true
    }

    func add(priority: Int, handle: String, _ hook: PickleValue) throws(EditError) {
        let key = Key(priority: priority, handle: handle)
        let entries = self.entries
        guard let list, let items = document.sequence(list) else {
            throw EditError(
                .unsupported, at: editor.path, expected: "a container with hooks: a `MultiHook` with its list",
                found: "none as `.__before_publishing_traverse__`",
                advice: "copy one from another container: `cp /other/.__before_publishing_traverse__ …`")
        }
        var siblings: [Slot] = []
        for entry in entries { siblings += document.sequence(entry.entry.key)?.suffix(1) ?? [] }
        let keyValue = PickleValue.tuple([
            .integer(priority), try editor.spelling(beside: siblings).name(handle),
        ])
        // Before the first hook of a later key that the list has.
        let later = entries.filter { key < $0.key }
        let index =
            items.firstIndex { item in later.contains { document.isSameHook(item, $0.entry.value) } } ?? items.count
        var operations: [RecordOperation] = [.insert([hook], at: index, into: list)]
        guard let table else {
            try editor.apply(operations)
            return try PlaceEditor(workspace, place).setAttribute(
                "__before_traverse__", to: .dict([.init(key: keyValue, value: hook)]))
        }
        operations.append(.add(key: keyValue, value: hook, to: table))
        try editor.apply(operations)
    }
}

extension PickleDocument {
    /// Whether two places hold the same hook: one object, one shared instance, or two instances equal in everything.
    func isSameHook(_ left: Slot, _ right: Slot) -> Bool {
        if left.node == right.node { return true }
        if let first = strongReference(left), let second = strongReference(right) { return first.oid == second.oid }
        guard case .instance = self[left], case .instance = self[right],
            let first = try? PickleValue(left, in: self, limit: 1000),
            let second = try? PickleValue(right, in: self, limit: 1000)
        else { return false }
        return first == second
    }
}
