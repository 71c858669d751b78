public import Pickle
internal import ZODB

/// Children of containers, with the books that their containers keep about them.
extension Workspace {
    /// Removes a child and what belongs to its being one: a folder's entry and attribute, a BTreeFolder's count and
    /// index of meta types, a plugin's several trees, hooks that call the child. The object itself stays in the
    /// storage, out of reach, until a pack.
    ///
    /// Of what is no child it removes the attribute, the key, the element.
    public func remove(_ component: Component, of container: Place) throws(EditError) {
        try atomically { () throws(EditError) in
            let editor = try PlaceEditor(self, container)
            guard try editor.remove(component) else { throw editor.notFound(component) }
        }
    }

    public func remove(_ place: Place) throws(EditError) {
        let (container, component) = try container(of: place)
        try remove(component, of: container)
    }

    /// Makes an object, or any value, a child of a container under a name that is free.
    /// - Parameter metaType: what a folder lists it as; nil to take what others of its class are listed as.
    public func addChild(
        _ value: PickleValue, as name: String, to container: Place, metaType: String? = nil
    ) throws(EditError) {
        try atomically { () throws(EditError) in
            let editor = try PlaceEditor(self, container)
            try editor.add(try editor.resolved(value), as: name, metaType: metaType)
        }
    }

    /// Gives a child another name, or another container, or both. It stays the same object.
    ///
    /// Its own note of its id (`id`, `__name__`) is changed with it when it was the old name, its reference to its
    /// container (`__parent__`, `aq_parent`) when it was to the old one.
    public func move(_ place: Place, to container: Place, as name: String) throws(EditError) {
        try atomically { () throws(EditError) in
            let (source, component) = try self.container(of: place)
            if source.node.target == container.node.target
                || source.node.isObject && container.node.isObject && source.node.oid == container.node.oid
            {
                let editor = try PlaceEditor(self, source)
                try FolderEditor(editor)?.checkID(name)
                guard try editor.rename(component, to: name) else { throw editor.notFound(component) }
            } else {
                try transfer(place, component, from: source, to: container, as: name)
            }
            guard place.node.isObject else { return }
            try adopt(place.node.oid, as: name, of: container, was: component.childName, source.node.oid)
        }
    }

    private func transfer(
        _ place: Place, _ component: Component, from source: Place, to container: Place, as name: String
    ) throws(EditError) {
        if place.node.isObject, container.way.contains(where: { $0.node.target == place.node.target }) {
            throw EditError(
                .unsupported, at: container.description, expected: "a container outside of what is moved",
                found: "one inside it")
        }
        let editor = try PlaceEditor(self, source)
        let (value, metaType) = try editor.child(component)
        guard try editor.remove(component) else { throw editor.notFound(component) }
        try PlaceEditor(self, container).add(value, as: name, metaType: metaType)
    }

    /// Brings what an object says of its own place in line with where it is.
    func adopt(
        _ oid: ObjectID, as name: String, of container: Place, was oldName: String?, _ oldContainer: ObjectID?
    ) throws(EditError) {
        let place = Place.object(oid, at: .staged(editCount))
        let subject = try editedSubject(of: place)
        let document = subject.document
        var operations: [RecordOperation] = []
        for attribute in ["id", "__name__"] {
            guard let slot = subject.attribute(attribute), let oldName, document.isString(slot, oldName),
                oldName != name
            else { continue }
            let python = try EditError.wrap(container.description) { () throws(StorageError) in try generation() }
            let spelling = KeySpelling(python, beside: [slot], in: document)
            operations.append(.replace(slot, with: spelling.name(name)))
        }
        for attribute in ["__parent__", "aq_parent"] {
            guard let slot = subject.attribute(attribute), let parent = document.strongReference(slot)?.oid,
                parent == oldContainer, parent != container.node.oid
            else { continue }
            let reference = try reference(to: container.node.oid, for: subject.record, at: container.description)
            operations.append(.replace(slot, with: reference))
        }
        try apply(operations, to: oid, at: container.description)
    }
}

extension PlaceEditor {
    func remove(_ component: Component) throws(EditError) -> Bool {
        if case .attribute = component { return try unset(component) }
        let isOwn = ContainerForm(subject).map { contains(component, in: $0) } ?? false
        if !isOwn, let folder = try FolderEditor(self) {
            if try folder.remove(component) {
                workspace.note(place, of: record.oid)
                return true
            }
        }
        return try unset(component)
    }

    func add(_ value: PickleValue, as name: String, metaType: String?) throws(EditError) {
        let component = Component.name(name)
        if let form = ContainerForm(subject) {
            guard !contains(component, in: form) else { throw exists(component) }
            guard try set(component, in: form, to: value) else { throw notFound(component) }
        } else if let tree = BTreeEditor(subject, in: workspace, at: place) {
            guard try tree.existing(component) == nil else { throw exists(component) }
            try tree.set(component, to: value)
            workspace.note(place, of: record.oid)
        } else if let folder = try FolderEditor(self) {
            try folder.add(value, as: name, metaType: metaType)
            workspace.note(place, of: record.oid)
        } else {
            guard slot(ofAttribute: name) == nil else { throw exists(component) }
            try setAttribute(name, to: value)
        }
    }

    /// What a child is to its container: the value, and the meta type by which it is listed.
    func child(_ component: Component) throws(EditError) -> (value: PickleValue, metaType: String?) {
        let node = try EditError.wrap(path) { () throws(StorageError) in try workspace.child(component, of: subject) }
        guard let node else { throw notFound(component) }
        switch node.target {
        case .object(let oid):
            return (
                try workspace.reference(to: oid, for: record, at: path), try metaType(of: component) ?? node.metaType
            )
        case .value(let oid, let slot):
            let holder = try EditError.wrap(path) { () throws(StorageError) in try workspace.editable(oid) }
            return (try workspace.copiedValue(slot, of: holder, at: path), node.metaType)
        }
    }

    /// In a BTreeFolder only the index of meta types knows.
    private func metaType(of component: Component) throws(EditError) -> String? {
        guard let folder = try FolderEditor(self), case .btree = folder.kind, let types = try folder.tree("_mt_index")
        else { return nil }
        let items = types.tree.items()
        while let node = try EditError.wrap(path, { () throws(StorageError) in try items.next() }) {
            guard node.isObject, case .name(let metaType)? = node.component else { continue }
            let place = Place.object(node.oid, at: .staged(workspace.editCount))
            let subject = try workspace.editedSubject(of: place)
            if try BTreeEditor(subject, in: workspace, at: place)?.existing(component) != nil { return metaType }
        }
        return nil
    }

    func rename(_ component: Component, to name: String) throws(EditError) -> Bool {
        let new = Component.name(name)
        if component.childName == name { return true }
        if case .attribute(let old) = component {
            guard slot(ofAttribute: name) == nil else { throw exists(new) }
            guard let attribute = subject.attributes.last(where: { $0.name.elementsEqual(old.utf8) }) else {
                return false
            }
            let key = try spelling(beside: subject.attributes.map(\.key)).name(name)
            try apply([.replace(attribute.key, with: key)])
            return true
        }
        if let form = ContainerForm(subject) {
            guard !contains(new, in: form) else { throw exists(new) }
            return try rename(component, in: form, to: .string(Array(name.utf8)))
        }
        if let folder = try FolderEditor(self), case .objectManager = folder.kind,
            try folder.managedChild(component) != nil
        {
            guard slot(ofAttribute: name) == nil else { throw exists(new) }
            return try folder.renameManaged(component, to: name)
        }
        let (value, metaType) = try child(component)
        guard try remove(component) else { return false }
        try PlaceEditor(workspace, place).add(value, as: name, metaType: metaType)
        return true
    }

    private func exists(_ component: Component) -> EditError {
        EditError(
            .exists, at: path, expected: "a name that is free", found: "\(component), which exists",
            advice: "remove it first, or choose another name")
    }
}
