internal import Pickle
internal import ZODB

// Plugins of a PluggableAuthService: a user, or a role, is an entry in several trees.
extension FolderEditor {
    /// As `ZODBUserManager.removeUser`: the login name, the way back, and the password.
    func removePluginUser(_ component: Component) throws(EditError) -> Bool {
        guard let logins = try tree("_userid_to_login"), let way = try logins.existing(component),
            let leaf = way.leaf
        else { return false }
        let login = PythonLiteral(leaf.entries[way.position].value, in: leaf.record.document)
        _ = try logins.remove(component)
        if let login, try tree("_login_to_userid")?.existing(.key(login)) != nil {
            _ = try tree("_login_to_userid")?.remove(.key(login))
        }
        _ = try tree("_user_passwords")?.remove(component)
        return true
    }

    /// As `ZODBRoleManager.removeRole`: the role, and its name in every principal's tuple.
    func removePluginRole(_ component: Component) throws(EditError) -> Bool {
        guard let name = component.childName, let roles = try tree("_roles"), try roles.remove(component) else {
            return false
        }
        guard let principals = try tree("_principal_roles") else { return true }
        var changed: [(Component, PickleValue)] = []
        let items = principals.tree.items()
        while let node = try EditError.wrap(path, { () throws(StorageError) in try items.next() }) {
            guard let key = node.component, case .value(let oid, let slot) = node.target else { continue }
            let record = try EditError.wrap(path) { () throws(StorageError) in try workspace.editable(oid) }
            guard let held = record.document.sequence(slot),
                held.contains(where: { record.document.isString($0, name) })
            else { continue }
            var left: [PickleValue] = []
            for slot in held where !record.document.isString(slot, name) {
                left.append(try workspace.copiedValue(slot, of: record, at: path))
            }
            if case .list = record.document[slot] {
                changed.append((key, .list(left)))
            } else {
                changed.append((key, .tuple(left)))
            }
        }
        for (key, value) in changed { try tree("_principal_roles")?.set(key, to: value) }
        return true
    }
}
