internal import Pickle
internal import ZODB

extension Workspace {
    /// Makes a new, empty container inside another, of the kind that fits there: in a BTreeFolder one of its class, in
    /// another Zope folder an `OFS.Folder.Folder`, in a persistent mapping or BTree one of the same class.
    ///
    /// - Throws: `unsupported` where no kind is certain: then an existing one is to be copied.
    @discardableResult
    public func makeFolder(_ name: String, in container: Place) throws(EditError) -> Place {
        try atomically { () throws(EditError) in
            let editor = try PlaceEditor(self, container)
            let (className, state, metaType) = try emptyFolder(name, for: editor)
            let data = try newRecord(className, state, like: editor.record, at: container.description)
            let oid = try EditError.wrap(container.description) { () throws(StorageError) in try newObject(data) }
            let reference = try reference(to: oid, for: editor.record, at: container.description)
            try PlaceEditor(self, container).add(reference, as: name, metaType: metaType)
            let subject = try editedSubject(of: container)
            let node = try EditError.wrap(container.description) { () throws(StorageError) in
                try child(.name(name), of: subject)
            }
            guard let node else { throw editor.notFound(.name(name)) }
            let place = container.child(node)
            note(place, of: oid)
            return place
        }
    }

    private func emptyFolder(
        _ name: String, for editor: PlaceEditor
    ) throws(EditError) -> (className: GlobalName, state: PickleValue, metaType: String?) {
        let style = try style(of: editor.record, at: editor.path)
        let titled = [
            PickleValue.Entry(key: style.name("id"), value: style.name(name)),
            PickleValue.Entry(key: style.name("title"), value: style.name("")),
        ]
        if let folder = try FolderEditor(editor) {
            switch folder.kind {
            case .objectManager:
                if let className = editor.subject.className,
                    className.module.hasPrefix("OFS.") || hasPlainFolder(editor.subject)
                {
                    return (GlobalName(module: "OFS.Folder", name: "Folder"), .dict(titled), "Folder")
                }
            case .btree("_tree"):
                guard let className = editor.subject.className, className.module.hasPrefix("Products.BTreeFolder2")
                else { break }
                var entries = titled
                for (attribute, part, state) in [
                    ("_tree", ("BTrees.OOBTree", "OOBTree"), PickleValue.none),
                    ("_count", ("BTrees.Length", "Length"), .integer(0)),
                    ("_mt_index", ("BTrees.OOBTree", "OOBTree"), .none),
                ] {
                    let data = try newRecord(
                        GlobalName(module: part.0, name: part.1), state, like: editor.record, at: editor.path)
                    let oid = try EditError.wrap(editor.path) { () throws(StorageError) in try newObject(data) }
                    entries.append(
                        PickleValue.Entry(
                            key: style.name(attribute),
                            value: try reference(to: oid, for: editor.record, at: editor.path)))
                }
                return (className, .dict(entries), "BTreeFolder2")
            default: break
            }
        } else if let className = editor.subject.className, editor.subject.isObject {
            if BTreeState.Kind(className)?.isTree ?? false { return (className, .none, nil) }
            if let attribute = ["data", "_container"].first(where: { editor.subject.attribute($0) != nil }),
                MappingAdapter.entries(of: editor.subject) != nil, editor.subject.attributes.count == 1
            {
                return (className, .dict([.init(key: style.name(attribute), value: .dict([]))]), nil)
            }
        }
        throw EditError(
            .unsupported, at: editor.path, expected: "a container whose kind of folder is known",
            found: editor.subject.kindText, advice: "copy an existing folder of the right kind")
    }

    /// Whether a plain folder is among the children: then another one fits in.
    private func hasPlainFolder(_ subject: Subject) -> Bool {
        ObjectManagerAdapter.objects(of: subject).contains { object in
            object.metaType == "Folder"
                && subject.attribute(object.id).flatMap { subject.document.strongReference($0)?.className }
                    == GlobalName(module: "OFS.Folder", name: "Folder")
        }
    }
}
