public import ZODB

/// For containers whose items are those of another object, one step away and no further.
extension Workspace {
    /// The other object's items. Where it cannot be read, it stands itself in the listing, with the reason.
    func delegatedItems(of node: Node?, prefix: String) throws(StorageError) -> any Cursor<Node> {
        guard let node else { return ArrayCursor<Node>([]) }
        do throws(StorageError) {
            return try items(of: try subject(of: node), prefix: prefix, delegating: false)
        } catch {
            guard error.leavesOthersReadable else { throw error }
            return ArrayCursor([node.broken(by: error)])
        }
    }

    func delegatedItem(_ component: Component, of node: Node?) throws(StorageError) -> Node? {
        guard let node else { return nil }
        let subject = try subject(of: node)
        for adapter in Adapters.fitting(subject, delegating: false) {
            if let node = try adapter.child(component, of: subject, in: self) { return node }
        }
        return nil
    }

    func delegatedCount(of node: Node?) throws(StorageError) -> Int? {
        guard let node else { return nil }
        let subject = try subject(of: node)
        return try Adapters.fitting(subject, delegating: false).first?.count(of: subject, in: self)
    }

    /// A number that a counter holds: a persistent `Length`, or a plain integer.
    func integer(at node: Node) throws(StorageError) -> Int? {
        let subject = try subject(of: node)
        return subject.document.int(subject.slot)
    }
}

extension StorageError {
    /// Others may still be read, for looking at: the trouble is with one object, or that is not in the cache of a server that is
    /// away. Whoever changes something wants `isAboutOneObject`: what is merely unknown must not count as gone.
    public var leavesOthersReadable: Bool {
        if case .connection(.away) = self { true } else { isAboutOneObject }
    }

    /// The trouble is with one object's record; others may still be read.
    public var isAboutOneObject: Bool {
        switch self {
        case .noSuchObject, .noRevision, .corrupt: true
        default: false
        }
    }
}
