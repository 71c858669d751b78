public import Pickle
public import ZODB

/// What Zope calls before it traverses a container: access rules, virtual hosting, sessions.
public struct TraversalHook: Sendable {
    /// The lower, the earlier.
    public let priority: Int
    /// What registered it: `AccessRule`, `SiteRoot`, `Virtual Host Monster`.
    public let handle: String
    public let className: GlobalName?
    /// The id that the hook calls, where it is one that calls something by its id.
    public let name: String?
    /// The hook itself.
    public let node: Node
    /// Whether the list that Zope really goes through has it as well; the table alone does nothing.
    public let isActive: Bool
}

extension Workspace {
    /// The hooks registered at a container, the first one called first.
    ///
    /// `__before_traverse__` is the table; `__before_publishing_traverse__` holds the list that counts.
    public func traversalHooks(of subject: Subject) throws(StorageError) -> [TraversalHook] {
        guard let table = subject.attribute("__before_traverse__"), case .dict(let entries) = subject.document[table]
        else { return [] }
        let active = activeHookSlots(of: subject)
        var hooks: [TraversalHook] = []
        let list = EntryList(entries, in: subject.record, at: subject.node.at)
        for node in list.nodes() {
            guard case .key(.tuple(let key))? = node.component, key.count == 2,
                case .integer(let priority) = key[0], let handle = key[1].stringBytes
            else { continue }
            let slot = node.component.flatMap { list.find($0) }.map { list.entries[$0].value }
            let isActive = slot.map { slot in active.contains { subject.document.isSameHook($0, slot) } } ?? false
            var name: String?
            if case .value = node.target { name = try self.subject(of: node).text(of: "name") }
            hooks.append(
                TraversalHook(
                    priority: priority.int64.map { Int(clamping: $0) } ?? 0,
                    handle: String(decoding: handle, as: UTF8.self), className: node.className, name: name, node: node,
                    isActive: isActive))
        }
        return hooks.sorted { ($0.priority, $0.handle) < ($1.priority, $1.handle) }
    }

    /// The hooks that Zope goes through, in order.
    func activeHooks(of subject: Subject) -> [Node] {
        activeHookSlots(of: subject).map { Node(nil, $0, in: subject.record, at: subject.node.at, kind: .item) }
    }

    private func activeHookSlots(of subject: Subject) -> [PickleDocument.Slot] {
        guard let multi = attribute("__before_publishing_traverse__", of: subject), case .value = multi.target else {
            return []
        }
        let inner = Subject(multi, record: subject.record)
        return inner.attribute("_list").flatMap { inner.document.sequence($0) } ?? []
    }
}
