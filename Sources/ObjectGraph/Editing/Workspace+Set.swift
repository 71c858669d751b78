public import Pickle
internal import ZODB

/// Edits of single values. Each is staged as a whole or not at all, and what it does not touch keeps its bytes; what
/// sets a value to what it is already stages nothing.
///
/// Places may come from any earlier look at the state that is edited; edits made since are taken into account.
extension Workspace {
    /// Sets what `component` names in `container`: an attribute, a key, an element, a BTree's entry, a folder's child.
    ///
    /// A name that is new becomes a key of a mapping; in a folder a child when the value is a reference, else an
    /// attribute; an attribute of everything else. (`Component.attribute` is an attribute always.)
    /// - Parameter value: references in it may be made with `PickleValue.object`; they are spelled for the record.
    /// - Throws: `wrongValue` for what the container cannot hold, `unorderedKey` for a key of a BTree that only Python
    ///   can compare, `notFound` when a reference leads nowhere.
    public func set(_ component: Component, of container: Place, to value: PickleValue) throws(EditError) {
        try atomically { () throws(EditError) in
            let editor = try PlaceEditor(self, container)
            let count = editCount
            try editor.set(component, to: try editor.resolved(value))
            if editCount != count { try forgetCompiledCode(of: component, in: container) }
        }
    }

    /// A Script (Python) is stored with the code compiled from its source, and Zope goes on running that: unless the
    /// mark of the Python that compiled it is another, or missing, then it compiles when it loads the script.
    ///
    /// Source: Products.PythonScripts 5.1, `PythonScript.__setstate__`.
    private func forgetCompiledCode(of component: Component, in container: Place) throws(EditError) {
        switch component {
        case .attribute("_body"), .attribute("_params"), .name("_body"), .name("_params"): break
        default: return
        }
        let editor = try PlaceEditor(self, container)
        guard editor.subject.attribute("_code") != nil else { return }
        _ = try editor.removeAttribute("Python_magic")
    }

    /// Sets what a place names.
    public func set(_ place: Place, to value: PickleValue) throws(EditError) {
        let (container, component) = try container(of: place)
        try set(component, of: container, to: value)
    }

    /// Adds to a list (at its end) or a set.
    public func add(_ value: PickleValue, to place: Place) throws(EditError) {
        try atomically { () throws(EditError) in
            let editor = try PlaceEditor(self, place)
            let value = try editor.resolved(value)
            if let form = ContainerForm(editor.subject) {
                _ = try editor.add(value, to: form)
            } else if let tree = BTreeEditor(editor.subject, in: self, at: place), tree.tree.kind.isSet {
                guard let key = value.literal else { throw tree.unordered(.string(Array(value.briefText.utf8))) }
                try tree.set(.key(key), to: .none)
                note(place, of: editor.record.oid)
            } else {
                throw EditError(
                    .unsupported, at: editor.path, expected: "a list or a set", found: editor.subject.kindText)
            }
        }
    }

    /// Inserts into a list or tuple, in front of the element at `index` (counted from the end below 0).
    public func insert(_ value: PickleValue, at index: Int, into place: Place) throws(EditError) {
        try atomically { () throws(EditError) in
            let editor = try PlaceEditor(self, place)
            guard case .sequence(let slot, let items)? = ContainerForm(editor.subject) else {
                throw EditError(
                    .unsupported, at: editor.path, expected: "a list or tuple", found: editor.subject.kindText)
            }
            let position = index < 0 ? index + items.count : index
            guard (0...items.count).contains(position) else {
                throw EditError(
                    .notFound, at: editor.path, expected: "an index from 0 to \(items.count)", found: "\(index)")
            }
            try editor.apply([.insert([try editor.resolved(value)], at: position, into: slot)])
        }
    }

    /// Removes an attribute, a key, an element or an entry, and nothing that belongs to it: for a folder's child as a
    /// whole there is `remove`.
    public func unset(_ component: Component, of container: Place) throws(EditError) {
        try atomically { () throws(EditError) in
            let editor = try PlaceEditor(self, container)
            guard try editor.unset(component) else { throw editor.notFound(component) }
        }
    }

    public func unset(_ place: Place) throws(EditError) {
        let (container, component) = try container(of: place)
        try unset(component, of: container)
    }
}

extension PlaceEditor {
    func set(_ component: Component, to value: PickleValue) throws(EditError) {
        if case .attribute(let name) = component { return try setAttribute(name, to: value) }
        if let form = ContainerForm(subject) {
            if try set(component, in: form, to: value) { return }
        } else if let tree = BTreeEditor(subject, in: workspace, at: place) {
            try tree.set(component, to: value)
            workspace.note(place, of: record.oid)
            return
        } else if let container = try FolderEditor(self), try container.set(component, to: value) {
            return
        }
        guard case .name(let name) = component, subject.isObject || slot(ofAttribute: name) != nil,
            ContainerForm(subject) == nil || slot(ofAttribute: name) != nil
        else {
            throw notFound(component, advice: "`.name` is an attribute; elements are added with an index of their own")
        }
        try setAttribute(name, to: value)
    }

    func unset(_ component: Component) throws(EditError) -> Bool {
        if case .attribute(let name) = component { return try removeAttribute(name) }
        if let form = ContainerForm(subject), try remove(component, from: form) { return true }
        if let tree = BTreeEditor(subject, in: workspace, at: place) {
            let isRemoved = try tree.remove(component)
            if isRemoved { workspace.note(place, of: record.oid) }
            return isRemoved
        }
        if let folder = try FolderEditor(self), try folder.contains(component) {
            throw EditError(
                .unsupported, at: path, expected: "a value", found: "\(component), a child of the container",
                advice: "`rm` removes a child with all that belongs to it, `unset` of `.name` the attribute alone")
        }
        guard case .name(let name) = component else { return false }
        return try removeAttribute(name)
    }
}

extension Subject {
    /// For messages: the class, or what kind of value it is.
    var kindText: String { className?.description ?? value.kindWord }
}

extension PickleValue {
    /// The value as a literal, where one spells it.
    var literal: PythonLiteral? {
        switch self {
        case .none: return PythonLiteral.none
        case .bool(let value): return .bool(value)
        case .integer(let value): return .integer(value)
        case .float(let value): return value.isNaN ? nil : .float(value)
        case .text(let bytes): return .text(bytes)
        case .nativeString(let bytes): return .nativeString(bytes)
        case .bytes(let bytes): return .bytes(bytes)
        case .tuple(let items):
            let literals = items.compactMap(\.literal)
            return literals.count == items.count ? .tuple(literals) : nil
        default: return nil
        }
    }
}
