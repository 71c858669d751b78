internal import Pickle
internal import ZODB

/// Plugins of a PluggableAuthService that keep their records in BTrees: a user manager's users (each with the login
/// name as its value: the passwords are not for listings), a role manager's roles.
struct AuthPluginAdapter: ClassAdapter {
    func adapts(_ subject: Subject) -> Bool { Self.records(of: subject) != nil }

    func children(
        of subject: Subject, prefix: String, in workspace: Workspace
    ) throws(StorageError) -> any Cursor<Node> {
        try workspace.delegatedItems(of: Self.records(of: subject), prefix: prefix)
    }

    func child(_ component: Component, of subject: Subject, in workspace: Workspace) throws(StorageError) -> Node? {
        try workspace.delegatedItem(component, of: Self.records(of: subject))
    }

    static func records(of subject: Subject) -> Node? {
        let name: String
        if subject.attribute("_user_passwords") != nil, subject.attribute("_userid_to_login") != nil {
            name = "_userid_to_login"
        } else if subject.attribute("_principal_roles") != nil, subject.attribute("_roles") != nil {
            name = "_roles"
        } else {
            return nil
        }
        guard let slot = subject.attribute(name), subject.document.strongReference(slot) != nil else { return nil }
        return Node(.attribute(name), slot, in: subject.record, at: subject.node.at, kind: .attribute)
    }
}
