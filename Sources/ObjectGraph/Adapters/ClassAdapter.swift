public import ZODB

/// How a class shows its children: the extension point of the object graph.
///
/// Subclasses abound (every Plone type is one), so an adapter goes by the shape of the state at least as much as by
/// the class's name. Several may fit one object; its items are then those of all, in the order of `Adapters`.
public protocol ClassAdapter: Sendable {
    func adapts(_ subject: Subject) -> Bool
    /// The item that `component` names; nil when there is none.
    func child(_ component: Component, of subject: Subject, in workspace: Workspace) throws(StorageError) -> Node?
    /// The items whose name begins with `prefix` (every item, for an empty one), read as the cursor advances; where
    /// order allows, without going through the others.
    func children(
        of subject: Subject, prefix: String, in workspace: Workspace
    ) throws(StorageError) -> any Cursor<Node>
    /// How many items there are, where that can be told from a record or two.
    func count(of subject: Subject, in workspace: Workspace) throws(StorageError) -> Int?
}

extension ClassAdapter {
    public func count(of subject: Subject, in workspace: Workspace) throws(StorageError) -> Int? { nil }
}

enum Adapters {
    /// Ways of having items that need no other object to find them.
    private static let own: [any ClassAdapter] = [
        ValueAdapter(), BTreeAdapter(), MappingAdapter(), SequenceAdapter(), ObjectManagerAdapter(),
    ]
    /// Containers whose items are those of another object.
    private static let delegating: [any ClassAdapter] = [
        BTreeFolderAdapter(), UserFolderAdapter(), AuthPluginAdapter(),
    ]

    /// Every adapter that fits. What fits none has attributes only.
    ///
    /// - Parameter delegating: with false, only those that look at nothing but the object itself: what another object
    ///   delegates to may not delegate in turn, or a hostile cycle would never end.
    static func fitting(_ subject: Subject, delegating: Bool = true) -> [any ClassAdapter] {
        (delegating ? own + Self.delegating : own).filter { $0.adapts(subject) }
    }
}

extension Workspace {
    /// Reads what a node leads to.
    /// - Throws: what `object` throws; for a node with a `problem`, that.
    public func subject(of node: Node) throws(StorageError) -> Subject {
        if let problem = node.problem { throw problem }
        let record = try object(node.oid, at: node.at)
        if case .value = node.target, let serial = node.serial, record.serial != serial {
            throw .noRevision(node.oid, at: serial)
        }
        return Subject(node, record: record)
    }

    /// What a plain listing shows: a container's children, a mapping's keys, a sequence's elements.
    public func items(of subject: Subject) throws(StorageError) -> any Cursor<Node> {
        try items(of: subject, prefix: "", delegating: true)
    }

    public func items(of node: Node) throws(StorageError) -> any Cursor<Node> { try items(of: try subject(of: node)) }

    /// The items, and then every attribute that is not among them.
    public func children(of subject: Subject) throws(StorageError) -> any Cursor<Node> {
        ConcatenatedCursor([try items(of: subject), ArrayCursor(try attributes(of: subject))])
    }

    public func children(of node: Node) throws(StorageError) -> any Cursor<Node> {
        try children(of: try subject(of: node))
    }

    /// The child that a path's step names: for a name the item first, then the attribute, as Zope traverses.
    public func child(_ component: Component, of subject: Subject) throws(StorageError) -> Node? {
        if case .attribute(let name) = component { return attribute(name, of: subject) }
        for adapter in Adapters.fitting(subject) {
            if let node = try adapter.child(component, of: subject, in: self) { return node }
        }
        guard case .name(let name) = component else { return nil }
        return attribute(name, of: subject)
    }

    public func child(_ component: Component, of node: Node) throws(StorageError) -> Node? {
        try child(component, of: try subject(of: node))
    }

    /// For completion: items whose name begins with `prefix`; attributes when it begins with a dot.
    ///
    /// Reads as far as the caller goes; in a BTree it starts at the prefix. Ask for as many as can be shown.
    public func completions(of node: Node, prefix: String) throws(StorageError) -> any Cursor<Node> {
        let subject = try subject(of: node)
        if prefix.hasPrefix(".") {
            let rest = prefix.dropFirst()
            let attributes = try attributes(of: subject, all: true)
            return ArrayCursor(attributes.filter { $0.component?.plainText.hasPrefix(rest) ?? false })
        }
        return try items(of: subject, prefix: prefix, delegating: true)
    }

    func items(
        of subject: Subject, prefix: String, delegating: Bool
    ) throws(StorageError) -> any Cursor<Node> {
        var cursors: [any Cursor<Node>] = []
        for adapter in Adapters.fitting(subject, delegating: delegating) {
            cursors.append(try adapter.children(of: subject, prefix: prefix, in: self))
        }
        return cursors.count == 1 ? cursors[0] : ConcatenatedCursor(cursors)
    }

    /// How many items there are, as far as that is known without reading them all.
    public func knownCount(of subject: Subject) throws(StorageError) -> Int? {
        var total: Int?
        for adapter in Adapters.fitting(subject) {
            guard let count = try adapter.count(of: subject, in: self) else { return nil }
            total = (total ?? 0) + count
        }
        return total
    }

    /// About how many items a large BTree has, from one way down through it; nil for everything else.
    public func estimatedCount(of subject: Subject) throws(StorageError) -> Int? {
        try BTree(subject, in: self)?.estimatedCount()
    }

    /// Counts the items by going through them: for when the number was asked for. Cancellable.
    /// - Parameter progress: called now and then with the number so far.
    public func count(itemsOf subject: Subject, progress: (Int) -> Void = { _ in }) throws(StorageError) -> Int {
        if let tree = BTree(subject, in: self) { return try tree.count(progress: progress) }
        if let inner = BTreeFolderAdapter.tree(of: subject), ObjectManagerAdapter.objects(of: subject).isEmpty {
            let tree = try self.subject(of: inner)
            if BTree(tree, in: self) != nil { return try count(itemsOf: tree, progress: progress) }
        }
        let cursor = try items(of: subject)
        var count = 0
        while try cursor.next() != nil {
            count += 1
            if count.isMultiple(of: 1000) {
                try interruption.check()
                progress(count)
            }
        }
        return count
    }
}
