internal import Pickle
internal import ZODB

// `OFS.ObjectManager`: a child is an attribute, and an entry of `_objects`.
extension FolderEditor {
    struct ManagedChild {
        var id: String
        /// Its place in `_objects`.
        var index: Int
        var entry: PickleDocument.Slot
    }

    func managedChild(_ component: Component) throws(EditError) -> ManagedChild? {
        guard let name = component.childName else { return nil }
        return managedChildren().last { $0.id == name }
    }

    private func managedChildren() -> [ManagedChild] {
        let document = subject.document
        let list = subject.attribute("_objects").flatMap { document.sequence($0) } ?? []
        return list.enumerated().compactMap { index, entry in
            guard let id = document.value("id", of: entry).flatMap({ document.stringBytes($0) }), id.isUTF8 else {
                return nil
            }
            return ManagedChild(id: String(decoding: id, as: UTF8.self), index: index, entry: entry)
        }
    }

    func addManaged(_ value: PickleValue, _ name: String, _ metaType: String) throws(EditError) {
        let document = subject.document
        let spelling = try editor.spelling(beside: subject.attributes.map(\.key))
        var keys: [PickleDocument.Slot] = []
        if let first = managedChildren().first, case .dict(let entries) = document[first.entry] {
            keys = entries.map(\.key)
        }
        let entrySpelling = try editor.spelling(beside: keys)
        let entry = PickleValue.dict([
            .init(key: entrySpelling.name("id"), value: spelling.name(name)),
            .init(key: entrySpelling.name("meta_type"), value: spelling.name(metaType)),
        ])
        try editor.setAttribute(name, to: value)
        let editor = try PlaceEditor(workspace, place)
        if let slot = editor.subject.attribute("_objects"), let items = editor.document.sequence(slot) {
            try editor.apply([.insert([entry], at: items.count, into: slot)])
        } else {
            try editor.setAttribute("_objects", to: .tuple([entry]))
        }
        // As a user folder does it itself when Zope adds it: by this name Zope asks whether there is one.
        if name == "acl_users", value.referencedObject != nil {
            try PlaceEditor(workspace, place).setAttribute("__allow_groups__", to: value)
        }
    }

    /// The entry, the attribute, and what else in the container stands for the child: `__allow_groups__` for a user
    /// folder, `__error_log__`, hooks that call it.
    func removeManaged(_ component: Component) throws(EditError) -> Bool {
        guard let child = try managedChild(component), let list = subject.attribute("_objects") else { return false }
        let equal = managedChildren().filter { $0.id == child.id }
        var operations: [RecordOperation] = equal.map { .remove($0.index..<$0.index + 1, from: list) }
        operations += editor.removalOfAttribute(child.id)
        let oid = subject.attribute(child.id).flatMap { subject.document.strongReference($0)?.oid }
        for name in ["__allow_groups__", "__error_log__"] where name != child.id {
            guard let oid, let slot = subject.attribute(name), subject.document.strongReference(slot)?.oid == oid
            else { continue }
            operations += editor.removalOfAttribute(name)
        }
        try editor.apply(operations)
        try removeHooks(calling: child.id, oid)
        return true
    }

    /// As the objects themselves do when Zope removes them: a virtual host monster, a site root, a session manager.
    private func removeHooks(calling name: String, _ oid: ObjectID?) throws(EditError) {
        let subject = try workspace.editedSubject(of: place)
        let hooks = try EditError.wrap(path) { () throws(StorageError) in try workspace.traversalHooks(of: subject) }
        for hook in hooks {
            let isObject = oid.map { hook.node.target == .object($0) } ?? false
            guard isObject || hook.name == name else { continue }
            try HookEditor(workspace, place).remove(priority: hook.priority, handle: hook.handle)
        }
    }

    /// - Returns: false when there is no such child.
    func renameManaged(_ component: Component, to name: String) throws(EditError) -> Bool {
        guard let child = try managedChild(component) else { return false }
        let document = subject.document
        let value = try editor.spelling(beside: subject.attributes.map(\.key)).name(name)
        var operations: [RecordOperation] = []
        if let slot = document.value("id", of: child.entry) { operations.append(.replace(slot, with: value)) }
        for attribute in subject.attributes where attribute.name.elementsEqual(child.id.utf8) {
            operations.append(.replace(attribute.key, with: value))
        }
        try editor.apply(operations)
        return true
    }
}
