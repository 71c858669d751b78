internal import Pickle
internal import ZODB

/// The attributes of any object: what its state holds, by name.
///
/// A few names are not stored, for what could not be reached otherwise: `__state__` is the raw state (a BTree's tuple,
/// a Length's number), `__arg0__` and so on are what an instance was called with; `next` leads from a bucket to the next
/// one, `firstbucket` from a tree to its first.
extension Workspace {
    /// The attributes; without `all`, those left out that are also items.
    func attributes(of subject: Subject, all: Bool = false) throws(StorageError) -> [Node] {
        var hidden: Set<[UInt8]> = []
        if !all {
            for object in ObjectManagerAdapter.objects(of: subject) { hidden.insert(Array(object.id.utf8)) }
        }
        // From the back, since of a name given twice the last counts.
        var nodes: [Node] = subject.attributes.reversed().compactMap { attribute in
            guard hidden.insert(attribute.name).inserted else { return nil }
            return attributeNode(String(decoding: attribute.name, as: UTF8.self), attribute.value, of: subject)
        }
        nodes.reverse()
        if let (name, slot) = Self.link(of: subject) { nodes.append(attributeNode(name, slot, of: subject)) }
        if !subject.oddStates.isEmpty, let node = self.attribute(Self.stateName, of: subject) { nodes.append(node) }
        for (index, argument) in Self.arguments(of: subject).enumerated() {
            nodes.append(attributeNode(Self.argumentName(index), argument, of: subject))
        }
        return nodes
    }

    /// The attribute of this name; nil when the object's state has none, even if its class may.
    public func attribute(_ name: String, of subject: Subject) -> Node? {
        if let slot = subject.attribute(name) { return attributeNode(name, slot, of: subject) }
        if let (link, slot) = Self.link(of: subject), link == name { return attributeNode(name, slot, of: subject) }
        if name == Self.stateName {
            if subject.isObject { return stateNode(subject.slot, of: subject) }
            if let state = subject.oddStates.first { return stateNode(state, of: subject) }
        }
        for (index, argument) in Self.arguments(of: subject).enumerated() where name == Self.argumentName(index) {
            return attributeNode(name, argument, of: subject)
        }
        return nil
    }

    static let stateName = "__state__"

    static func argumentName(_ index: Int) -> String { "__arg\(index)__" }

    /// What an instance, or an object with `__getnewargs__`, was made with.
    static func arguments(of subject: Subject) -> [PickleDocument.Slot] {
        if subject.isObject {
            guard let slot = subject.record.newArguments else { return [] }
            return subject.document.sequence(slot) ?? [slot]
        }
        guard case .instance(let instance) = subject.value else { return [] }
        return instance.arguments
    }

    /// The second part of a BTree's or bucket's state.
    private static func link(of subject: Subject) -> (name: String, slot: PickleDocument.Slot)? {
        guard subject.isObject, let kind = BTreeState.Kind(subject.record),
            let state = subject.document.sequence(subject.slot), state.count == 2
        else { return nil }
        return (kind.isTree ? "firstbucket" : "next", state[1])
    }

    private func attributeNode(_ name: String, _ slot: PickleDocument.Slot, of subject: Subject) -> Node {
        Node(.attribute(name), slot, in: subject.record, at: subject.node.at, kind: .attribute)
    }

    /// The state itself is no reference to follow, whatever it is.
    private func stateNode(_ slot: PickleDocument.Slot, of subject: Subject) -> Node {
        Node(
            component: .attribute(Self.stateName), target: .value(in: subject.record.oid, slot), at: subject.node.at,
            kind: .attribute, referrer: subject.record.oid, serial: subject.record.serial)
    }
}
