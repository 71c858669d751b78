internal import Pickle
public import ZODB

extension Workspace {
    /// The user of this login name, or else of this id, in a folder; nil when there is none.
    public func user(_ name: String, in folder: UserFolder) throws(StorageError) -> UserEntry? {
        let users = try users(of: folder)
        var byID: UserEntry?
        while let user = try users.next() {
            if user.login == name { return user }
            if user.id == name { byID = user }
        }
        return byID
    }

    /// The edits that give a user a new password, and roles that the user does not have yet.
    /// - Returns: nil where the database does not say where roles are kept.
    public func passwordRemedy(
        _ hash: PasswordHash, for user: UserEntry, in folder: UserFolder, granting roles: [String] = []
    ) throws(StorageError) -> Remedy? {
        let value = hash.value(isPython2: try generation() == .python2)
        var steps: [RescueStep] = []
        if let place = user.password, let table = place.parent, let component = place.node.component {
            steps.append(.set(value, at: component, in: table))
        } else {
            // A user who has none so far: of a classic folder, since the others are found by their passwords.
            steps.append(.set(value, at: .attribute("__"), in: user.place))
        }
        let missing = roles.filter { !user.roles.contains($0) }
        if !missing.isEmpty {
            guard let grant = try grantSteps(missing, to: user, in: folder) else { return nil }
            steps += grant
        }
        return Remedy(what: "set a new password for \(user.login)", steps: steps)
    }

    /// The edits that make a new user.
    /// - Returns: nil where the database has no table that keeps users, or roles when there are any.
    public func newUserRemedy(
        _ name: String, _ hash: PasswordHash, roles: [String], in folder: UserFolder
    ) throws(StorageError) -> Remedy? {
        let password = hash.value(isPython2: try generation() == .python2)
        let what = "make user \(name)" + (roles.isEmpty ? "" : ", " + roles.joined(separator: ", "))
        switch folder.kind {
        case .classic:
            guard let data = UserFolderAdapter.users(of: try subject(of: folder.place.node)) else { return nil }
            return Remedy(
                what: what,
                steps: [.newUser(name, password, roles: roles, in: folder.place.child(data))])
        case .pluggable:
            guard let manager = try plugin(with: "_user_passwords", of: folder) else { return nil }
            let key = Component.key(.string(Array(name.utf8)))
            var steps: [RescueStep] = []
            for (table, value) in [
                ("_user_passwords", password), ("_login_to_userid", .string(name)), ("_userid_to_login", .string(name)),
            ] {
                guard let node = try attribute(table, of: subject(of: manager.node)) else { return nil }
                steps.append(.set(value, at: key, in: manager.child(node)))
            }
            if !roles.isEmpty {
                guard let step = try grant(roles, to: name, in: folder) else { return nil }
                steps.append(step)
            }
            return Remedy(what: what, steps: steps)
        }
    }

    /// The edits that give a user more roles; nil where no object of the database keeps the user's roles.
    func grantSteps(
        _ roles: [String], to user: UserEntry, in folder: UserFolder
    ) throws(StorageError) -> [RescueStep]? {
        let all = user.roles + roles.filter { !user.roles.contains($0) }
        switch folder.kind {
        case .classic:
            let subject = try subject(of: user.place.node)
            let isTuple = subject.attribute("roles").map { slot -> Bool in
                if case .tuple = subject.document[slot] { true } else { false }
            }
            let values = all.map { RescueValue.string($0) }
            return [.set(isTuple ?? false ? .tuple(values) : .list(values), at: .attribute("roles"), in: user.place)]
        case .pluggable:
            return try grant(all, to: user.id, in: folder).map { [$0] }
        }
    }

    private func grant(
        _ roles: [String], to id: String, in folder: UserFolder
    ) throws(StorageError) -> RescueStep? {
        guard let manager = try plugin(with: "_principal_roles", of: folder),
            let table = try attribute("_principal_roles", of: subject(of: manager.node))
        else { return nil }
        return .set(
            .tuple(roles.map { .string($0) }), at: .key(.string(Array(id.utf8))), in: manager.child(table))
    }

    /// The first plugin of a service that keeps such a table.
    private func plugin(with attribute: String, of folder: UserFolder) throws(StorageError) -> Place? {
        let plugins = try items(of: folder.place.node)
        while let node = try plugins.next() {
            guard node.isObject, let plugin = try readable(node), plugin.attribute(attribute) != nil else { continue }
            return folder.place.child(node)
        }
        return nil
    }
}
