internal import Pickle
internal import ZODB

// BTreeFolder2 and its like: `_tree`, a count, and `_mt_index`, which has the ids by meta type.
extension FolderEditor {
    func addToTree(
        _ attribute: String, _ value: PickleValue, _ name: String, metaType: String?
    ) throws(EditError) {
        let component = Component.key(.string(Array(name.utf8)))
        guard let tree = try tree(attribute) else { throw missing(attribute) }
        try tree.set(component, to: value)
        try count(by: 1, beside: attribute)
        if let metaType { try index(component, metaType) }
    }

    func removeFromTree(_ attribute: String, _ component: Component) throws(EditError) -> Bool {
        guard let tree = try tree(attribute), try tree.remove(component) else { return false }
        try count(by: -1, beside: attribute)
        try unindex(component)
        try removeFromOrder(component)
        return true
    }

    private func missing(_ attribute: String) -> EditError {
        EditError(.damaged, at: path, expected: "a BTree as `.\(attribute)`", found: "none")
    }

    // MARK: The count

    /// A `Length`, or a plain number.
    private func count(by change: Int, beside attribute: String) throws(EditError) {
        let name = attribute == "_tree" ? "_count" : "_BTreeContainer__len"
        guard let place = try attributePlace(name) else { return }
        let editor = try PlaceEditor(workspace, place)
        guard let count = editor.document.int(editor.subject.slot) else {
            throw EditError(
                .damaged, at: editor.path, expected: "a number of children", found: editor.subject.value.kindWord)
        }
        try editor.apply([.replace(editor.subject.slot, with: .integer(count + change))])
    }

    // MARK: Meta types

    private func index(_ component: Component, _ metaType: String) throws(EditError) {
        guard let types = try tree("_mt_index") else { return }
        let key = Component.key(.string(Array(metaType.utf8)))
        if let way = try types.existing(key), let entry = way.leaf?.entries[way.position],
            let oid = way.leaf?.record.document.strongReference(entry.value)?.oid
        {
            let place = Place.object(oid, at: self.place.at)
            let subject = try workspace.editedSubject(of: place)
            guard let ids = BTreeEditor(subject, in: workspace, at: place) else { throw missing("_mt_index") }
            try ids.set(component, to: .integer(1))
            return
        }
        let empty = try workspace.newRecord(
            GlobalName(module: "BTrees.OIBTree", name: "OIBTree"), .none, like: subject.record, at: path)
        let oid = try EditError.wrap(path) { () throws(StorageError) in try workspace.newObject(empty) }
        let ids = try workspace.editedSubject(of: .object(oid, at: .staged(workspace.editCount)))
        try BTreeEditor(ids, in: workspace, at: place)?.set(component, to: .integer(1))
        try types.set(key, to: try workspace.reference(to: oid, for: types.tree.root, at: path))
    }

    /// Without the child's class nobody knows its meta type: it is looked for under all of them, there are few.
    private func unindex(_ component: Component) throws(EditError) {
        guard let types = try tree("_mt_index") else { return }
        let items = types.tree.items()
        while let node = try EditError.wrap(path, { () throws(StorageError) in try items.next() }) {
            guard node.isObject, let key = node.component else { continue }
            let place = Place.object(node.oid, at: .staged(workspace.editCount))
            let subject = try workspace.editedSubject(of: place)
            guard let ids = BTreeEditor(subject, in: workspace, at: place), try ids.remove(component) else { continue }
            let left = try workspace.editedSubject(of: place)
            if case .none = left.value, let types = try tree("_mt_index") { _ = try types.remove(key) }
            return
        }
    }

    // MARK: Order

    /// plone.folder keeps the order of a container's children in annotations: a list of ids, and a tree of positions.
    private func removeFromOrder(_ component: Component) throws(EditError) {
        guard let name = component.childName, let annotations = try attributePlace("__annotations__") else { return }
        func annotation(_ key: String) throws(EditError) -> Place? {
            let subject = try workspace.editedSubject(of: annotations)
            let node = try EditError.wrap(path) { () throws(StorageError) in
                try workspace.child(.key(.string(Array("plone.folder.ordered.\(key)".utf8))), of: subject)
            }
            return node.map { annotations.child($0) }
        }
        guard let order = try annotation("order"), let positions = try annotation("pos") else { return }
        let editor = try PlaceEditor(workspace, order)
        guard case .sequence(let slot, let items)? = ContainerForm(editor.subject),
            let index = items.firstIndex(where: { editor.document.isString($0, name) })
        else { return }
        let later = items[(index + 1)...].compactMap { PythonLiteral($0, in: editor.document) }
        try editor.apply([.remove(index..<index + 1, from: slot)])
        func tree() throws(EditError) -> BTreeEditor? {
            BTreeEditor(try workspace.editedSubject(of: positions), in: workspace, at: positions)
        }
        _ = try tree()?.remove(component)
        for (offset, id) in later.enumerated() { try tree()?.set(.key(id), to: .integer(index + offset)) }
    }
}
