internal import Pickle
public import ZODB

/// A user of a Zope site.
public struct UserEntry: Sendable {
    /// How a password is kept.
    public enum PasswordScheme: Hashable, Sendable {
        /// `{SSHA}…` and its like: the name in the braces.
        case named(String)
        case clearText
        /// No password stored: the user cannot log in with one.
        case none
    }

    /// The id by which roles are given.
    public let id: String
    /// What is typed at the login; the id itself in a classic user folder.
    public let login: String
    public let roles: [String]
    /// Where the user may come from; empty for anywhere.
    public let domains: [String]
    public let passwordScheme: PasswordScheme
    /// Where the password is: the place of the stored value. Whoever reads that has been asked to.
    public let password: Place?
    /// The user object, or the plugin's record of the user.
    public let place: Place
    /// The user folder.
    public let folder: Place
}

/// A user folder of some kind, and what it is.
public struct UserFolder: Sendable {
    public enum Kind: String, Sendable {
        case classic = "user folder"
        case pluggable = "pluggable auth service"
    }

    public let kind: Kind
    public let place: Place
}

extension Workspace {
    /// The user folder at a place, or the one that guards the container there (`acl_users`); nil when there is none.
    public func userFolder(at place: Place) throws(StorageError) -> UserFolder? {
        let subject = try subject(of: place.node)
        if let kind = Self.userFolderKind(subject) { return UserFolder(kind: kind, place: place) }
        for component in [Component.name("acl_users"), .attribute("__allow_groups__")] {
            guard let node = try child(component, of: subject), node.isObject else { continue }
            let folder = try self.subject(of: node)
            if let kind = Self.userFolderKind(folder) { return UserFolder(kind: kind, place: place.child(node)) }
        }
        return nil
    }

    /// Every user folder below a place, as the cursor advances.
    public func userFolders(below place: Place) -> any Cursor<UserFolder> {
        let walk = Walk(self, from: place)
        return GeneratingCursor { [self] () throws(StorageError) -> UserFolder? in
            while let place = try walk.next() {
                // Only what can hold users is read closer: a container's child of this name.
                guard place.parent == nil || place.node.component == .name("acl_users"), place.node.isObject,
                    place.node.problem == nil
                else { continue }
                do throws(StorageError) {
                    let folder = try self.subject(of: place.node)
                    if let kind = Self.userFolderKind(folder) { return UserFolder(kind: kind, place: place) }
                } catch {
                    guard error.isAboutOneObject else { throw error }
                }
            }
            return nil
        }
    }

    private static func userFolderKind(_ subject: Subject) -> UserFolder.Kind? {
        if UserFolderAdapter.users(of: subject) != nil { return .classic }
        let isService = subject.className?.name.hasSuffix("PluggableAuthService") ?? false
        return isService || subject.className?.name == "PASFolder" ? .pluggable : nil
    }

    /// The users of a folder, as the cursor advances: a PluggableAuthService may have very many.
    public func users(of folder: UserFolder) throws(StorageError) -> any Cursor<UserEntry> {
        switch folder.kind {
        case .classic: try classicUsers(of: folder.place)
        case .pluggable: try pluggableUsers(of: folder.place)
        }
    }

    // MARK: Classic

    private func classicUsers(of folder: Place) throws(StorageError) -> any Cursor<UserEntry> {
        let items = try items(of: folder.node)
        return GeneratingCursor { [self] () throws(StorageError) -> UserEntry? in
            while let node = try items.next() {
                do throws(StorageError) {
                    guard node.component != nil else { continue }
                    return classicUser(try subject(of: node), at: folder.child(node), folder)
                } catch {
                    guard error.isAboutOneObject else { throw error }
                }
            }
            return nil
        }
    }

    private func classicUser(_ subject: Subject, at place: Place, _ folder: Place) -> UserEntry {
        let document = subject.document
        let name = subject.text(of: "name") ?? place.node.component?.plainText ?? ""
        return UserEntry(
            id: name, login: name, roles: subject.attribute("roles").flatMap { document.texts($0) } ?? [],
            domains: subject.attribute("domains").flatMap { document.texts($0) } ?? [],
            passwordScheme: Self.scheme(subject.attribute("__"), in: document),
            password: attribute("__", of: subject).map { place.child($0) }, place: place, folder: folder)
    }

    static func scheme(_ slot: PickleDocument.Slot?, in document: PickleDocument) -> UserEntry.PasswordScheme {
        guard let slot, let bytes = document.stringBytes(slot), !bytes.isEmpty else { return .none }
        guard bytes.first == UInt8(ascii: "{"), let end = bytes.firstIndex(of: UInt8(ascii: "}")), end > 1, end < 24
        else { return .clearText }
        return .named(String(decoding: bytes[1..<end], as: UTF8.self))
    }

    // MARK: Pluggable

    /// The users of every user manager plugin, with the roles of every role manager plugin.
    private func pluggableUsers(of folder: Place) throws(StorageError) -> any Cursor<UserEntry> {
        var managers: [Place] = []
        var roleTables: [Node] = []
        let plugins = try items(of: folder.node)
        while let node = try plugins.next() {
            guard node.isObject, let plugin = try readable(node) else { continue }
            if plugin.attribute("_user_passwords") != nil { managers.append(folder.child(node)) }
            if plugin.attribute("_principal_roles") != nil, let table = attribute("_principal_roles", of: plugin) {
                roleTables.append(table)
            }
        }
        var cursors: [any Cursor<UserEntry>] = []
        for manager in managers { cursors.append(try pluggableUsers(of: manager, folder, roleTables)) }
        return ConcatenatedCursor(cursors)
    }

    private func pluggableUsers(
        of manager: Place, _ folder: Place, _ roleTables: [Node]
    ) throws(StorageError) -> any Cursor<UserEntry> {
        let plugin = try subject(of: manager.node)
        guard let passwords = attribute("_user_passwords", of: plugin), let table = try readable(passwords) else {
            return ArrayCursor<UserEntry>([])
        }
        let logins = attribute("_userid_to_login", of: plugin)
        let passwordsPlace = manager.child(passwords)
        let items = try items(of: table)
        return GeneratingCursor { [self] () throws(StorageError) -> UserEntry? in
            while let node = try items.next() {
                guard let component = node.component, case .value(let oid, let slot) = node.target else { continue }
                let document = try object(oid, at: node.at).document
                let id = component.plainText
                return UserEntry(
                    id: id, login: try text(of: component, in: logins) ?? id,
                    roles: try roles(of: component, in: roleTables), domains: [],
                    passwordScheme: Self.scheme(slot, in: document), password: passwordsPlace.child(node),
                    place: try place(of: component, below: manager), folder: folder)
            }
            return nil
        }
    }

    private func place(of user: Component, below manager: Place) throws(StorageError) -> Place {
        try child(user, of: manager.node).map { manager.child($0) } ?? manager
    }

    private func text(of key: Component, in table: Node?) throws(StorageError) -> String? {
        guard let table, let subject = try readable(table), let node = try child(key, of: subject),
            case .value(let oid, let slot) = node.target
        else { return nil }
        return try object(oid, at: node.at).document.displayText(slot)
    }

    private func roles(of user: Component, in tables: [Node]) throws(StorageError) -> [String] {
        var roles: [String] = []
        for table in tables {
            guard let subject = try readable(table), let node = try child(user, of: subject),
                case .value(let oid, let slot) = node.target
            else { continue }
            let found = try object(oid, at: node.at).document.texts(slot) ?? []
            roles += found.filter { !roles.contains($0) }
        }
        return roles
    }

    /// The node read; nil when it is missing or damaged, which takes a plugin out of the list, not the list away.
    func readable(_ node: Node) throws(StorageError) -> Subject? {
        do throws(StorageError) {
            return try subject(of: node)
        } catch {
            guard error.isAboutOneObject else { throw error }
            return nil
        }
    }
}
