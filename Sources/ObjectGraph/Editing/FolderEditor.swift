internal import Pickle
internal import ZODB

/// Children of containers that keep books about them: what Zope changes together is changed together.
struct FolderEditor {
    enum Kind {
        /// Children are attributes, listed in `_objects`.
        case objectManager
        /// Children are in a BTree, the attribute of this name, beside a count and an index of meta types.
        case btree(String)
        /// Users are in the mapping `data`.
        case users
        /// Users of a PluggableAuthService's plugin, in several trees.
        case pluginUsers
        case pluginRoles
    }

    let editor: PlaceEditor
    let kind: Kind

    var workspace: Workspace { editor.workspace }
    var subject: Subject { editor.subject }
    var place: Place { editor.place }
    var path: String { editor.path }

    /// - Returns: nil when the place is no such container.
    init?(_ editor: PlaceEditor) throws(EditError) {
        self.editor = editor
        let subject = editor.subject
        if let tree = BTreeFolderAdapter.tree(of: subject), case .attribute(let name)? = tree.component,
            ObjectManagerAdapter.objects(of: subject).isEmpty
        {
            kind = .btree(name)
        } else if UserFolderAdapter.users(of: subject) != nil {
            kind = .users
        } else if AuthPluginAdapter.records(of: subject) != nil {
            kind = subject.attribute("_user_passwords") != nil ? .pluginUsers : .pluginRoles
        } else if subject.isObject, Self.isObjectManager(subject) {
            kind = .objectManager
        } else {
            return nil
        }
    }

    /// `_objects` says it; a folder that never had a child has none, and is known by its class's name.
    private static func isObjectManager(_ subject: Subject) -> Bool {
        if let slot = subject.attribute("_objects") { return subject.document.sequence(slot) != nil }
        guard let className = subject.className, subject.attribute("data") == nil else { return false }
        let names = ["Folder", "Application", "PluggableAuthService", "Site", "Portal"]
        return names.contains { className.name.hasSuffix($0) } && !className.name.hasSuffix("UserFolder")
    }

    // MARK: Whatever the kind

    func contains(_ component: Component) throws(EditError) -> Bool {
        switch kind {
        case .objectManager: return try managedChild(component) != nil
        case .btree(let name): return try tree(name)?.existing(component) != nil
        case .users: return try users().map { $0.editor.contains(component, in: $0.form) } ?? false
        case .pluginUsers: return try tree("_userid_to_login")?.existing(component) != nil
        case .pluginRoles: return try tree("_roles")?.existing(component) != nil
        }
    }

    /// - Returns: false when the component names no child, and does not become one.
    func set(_ component: Component, to value: PickleValue) throws(EditError) -> Bool {
        if try contains(component) {
            try replace(component, with: value)
            return true
        }
        guard value.referencedObject != nil, let name = component.childName else { return false }
        if case .name(let name) = component, editor.slot(ofAttribute: name) != nil { return false }
        try add(value, as: name, metaType: nil)
        return true
    }

    private func replace(_ component: Component, with value: PickleValue) throws(EditError) {
        switch kind {
        case .objectManager:
            guard let child = try managedChild(component) else { return }
            try editor.setAttribute(child.id, to: value)
        case .btree(let name): _ = try tree(name)?.set(component, to: value)
        case .users:
            if let users = try users() { _ = try users.editor.set(component, in: users.form, to: value) }
        case .pluginUsers, .pluginRoles:
            throw EditError(
                .unsupported, at: path, expected: "one value", found: "a user or role kept in several trees",
                advice: "set the entries by hand: `._user_passwords[…]` and the like")
        }
    }

    /// Ids that Zope lets nobody give: they would hide its own names, or could not be in a URL.
    ///
    /// Source: Zope 5.13, `OFS.ObjectManager.checkValidId`. (It refuses all names of the folder's class; data tells only those
    /// that every folder has.)
    func checkID(_ name: String) throws(EditError) {
        let isUserName =
            switch kind {
            case .users, .pluginUsers, .pluginRoles: true
            case .objectManager, .btree: false
            }
        let isReserved =
            name == "." || name == ".." || name == "REQUEST" || name.hasPrefix("_") || name.hasPrefix("aq_")
            || name.hasSuffix("__")
        guard isUserName || !FolderNames.all.contains(name) else {
            throw EditError(
                .wrongValue, at: path, expected: "an id",
                found: "'\(name)', which Zope does not allow: every folder has something of this name", advice: nil)
        }
        guard !name.isEmpty, !name.contains("/"), isUserName || !isReserved else {
            throw EditError(
                .wrongValue, at: path, expected: "an id", found: "'\(name)', which Zope does not allow",
                advice: "not empty, without '/', not REQUEST, not beginning with '_' or 'aq_', not ending in '__'")
        }
    }

    /// Adds a child.
    /// - Parameter metaType: as Zope calls its kind; nil to find it out from other objects of its class.
    func add(_ value: PickleValue, as name: String, metaType: String?) throws(EditError) {
        let component = Component.key(.string(Array(name.utf8)))
        try checkID(name)
        guard try !contains(component) else { throw exists(name) }
        switch kind {
        case .objectManager:
            guard editor.slot(ofAttribute: name) == nil else { throw exists(name) }
            let known = metaType == nil ? try knownMetaType(of: value) : ""
            try addManaged(value, name, metaType ?? known)
        case .btree(let attribute):
            let known = metaType == nil && needsMetaType ? try knownMetaType(of: value) : nil
            try addToTree(attribute, value, name, metaType: metaType ?? known)
        case .users:
            if let users = try users() { _ = try users.editor.set(component, in: users.form, to: value) }
        case .pluginUsers, .pluginRoles:
            throw EditError(
                .unsupported, at: path, expected: "a container of objects", found: editor.subject.kindText)
        }
    }

    /// - Returns: what was the child, for putting it elsewhere; nil when there is no such child.
    func remove(_ component: Component) throws(EditError) -> Bool {
        switch kind {
        case .objectManager: return try removeManaged(component)
        case .btree(let name): return try removeFromTree(name, component)
        case .users:
            guard let users = try users() else { return false }
            return try users.editor.remove(component, from: users.form)
        case .pluginUsers: return try removePluginUser(component)
        case .pluginRoles: return try removePluginRole(component)
        }
    }

    private func exists(_ name: String) -> EditError {
        EditError(
            .exists, at: path, expected: "an id that is free", found: "'\(name)', which exists",
            advice: "remove it first, or choose another id")
    }

    // MARK: Parts

    func attributePlace(_ name: String) throws(EditError) -> Place? {
        guard let node = workspace.attribute(name, of: subject) else { return nil }
        return place.child(node)
    }

    func tree(_ attribute: String) throws(EditError) -> BTreeEditor? {
        guard let place = try attributePlace(attribute), place.node.isObject else { return nil }
        return BTreeEditor(try workspace.editedSubject(of: place), in: workspace, at: place)
    }

    private func users() throws(EditError) -> (editor: PlaceEditor, form: ContainerForm)? {
        guard let node = UserFolderAdapter.users(of: subject) else { return nil }
        let editor = try PlaceEditor(workspace, place.child(node))
        guard let form = ContainerForm(editor.subject) else { return nil }
        return (editor, form)
    }

    // MARK: Meta types

    private var needsMetaType: Bool { subject.attribute("_mt_index") != nil }

    /// What objects of the same class are listed as: here, or in a folder above.
    private func knownMetaType(of value: PickleValue) throws(EditError) -> String {
        let record = try value.referencedObject.map { oid throws(EditError) in
            try EditError.wrap(path) { () throws(StorageError) in try workspace.editable(oid) }
        }
        if let className = record?.className {
            for folder in place.way.reversed() where folder.node.isObject {
                if let metaType = try metaType(of: className, in: folder) { return metaType }
            }
            if let metaType = Self.metaTypes[className.description] { return metaType }
        }
        throw EditError(
            .wrongValue, at: path, expected: "the meta type of the new child",
            found: record?.className.map { "class \($0), of which no object is listed here or above" } ?? "no object",
            advice: "give it: Zope's name for the kind, as in the list of things to add")
    }

    /// Of the classes that come with Zope, for where there is no other object of the kind. Source: the classes'
    /// `meta_type`.
    private static let metaTypes = [
        "AccessControl.User.UserFolder": "User Folder",
        "OFS.DTMLDocument.DTMLDocument": "DTML Document",
        "OFS.DTMLMethod.DTMLMethod": "DTML Method",
        "OFS.Folder.Folder": "Folder",
        "OFS.Image.File": "File",
        "OFS.Image.Image": "Image",
        "OFS.OrderedFolder.OrderedFolder": "Folder (Ordered)",
        "OFS.userfolder.UserFolder": "User Folder",
        "Products.BTreeFolder2.BTreeFolder2.BTreeFolder2": "BTreeFolder2",
        "Products.PageTemplates.ZopePageTemplate.ZopePageTemplate": "Page Template",
        "Products.PluggableAuthService.PluggableAuthService.PluggableAuthService": "Pluggable Auth Service",
        "Products.PythonScripts.PythonScript.PythonScript": "Script (Python)",
        "Products.SiteAccess.VirtualHostMonster.VirtualHostMonster": "Virtual Host Monster",
        "Products.SiteErrorLog.SiteErrorLog.SiteErrorLog": "Site Error Log",
        "Products.ZCatalog.ZCatalog.ZCatalog": "ZCatalog",
    ]

    private func metaType(of className: GlobalName, in folder: Place) throws(EditError) -> String? {
        let subject = try workspace.editedSubject(of: folder)
        for object in ObjectManagerAdapter.objects(of: subject) {
            guard let metaType = object.metaType, let slot = subject.attribute(object.id),
                subject.document.strongReference(slot)?.className == className
            else { continue }
            return metaType
        }
        return nil
    }
}

extension Component {
    /// The id that a child of this name would have.
    var childName: String? {
        switch self {
        case .name(let name): name
        case .key(let key): key.stringBytes.flatMap { $0.isUTF8 ? String(decoding: $0, as: UTF8.self) : nil }
        default: nil
        }
    }
}
