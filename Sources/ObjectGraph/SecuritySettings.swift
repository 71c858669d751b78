internal import Pickle
internal import ZODB

/// Who may do what with an object, as far as the object itself says: the rest is inherited, or the class's.
public struct SecuritySettings: Sendable {
    /// The user who owns it: the path of the user folder, and the id in it.
    public struct Owner: Hashable, Sendable {
        public let folder: [String]
        public let user: String
    }

    public struct LocalRole: Hashable, Sendable {
        public let user: String
        public let roles: [String]
    }

    public struct Permission: Hashable, Sendable {
        /// As the attribute has it, its underscores read as spaces: `Access contents information`.
        public let name: String
        public let roles: [String]
        /// Roles of the container count too: a list in the database; a tuple means they do not.
        public let isAcquired: Bool
    }

    public var owner: Owner?
    public var localRoles: [LocalRole] = []
    /// Roles defined here, `__ac_roles__`.
    public var definedRoles: [String] = []
    public var permissions: [Permission] = []
    /// Roles that a script has while it runs.
    public var proxyRoles: [String] = []
}

extension Subject {
    public var security: SecuritySettings {
        var settings = SecuritySettings()
        if let slot = attribute("_owner"), let parts = document.sequence(slot), parts.count == 2,
            let user = document.displayText(parts[1])
        {
            settings.owner = SecuritySettings.Owner(folder: document.texts(parts[0]) ?? [], user: user)
        }
        if let slot = attribute("__ac_local_roles__"), case .dict(let entries) = document[slot] {
            settings.localRoles = entries.compactMap { entry in
                guard let user = document.displayText(entry.key) else { return nil }
                return SecuritySettings.LocalRole(user: user, roles: document.texts(entry.value) ?? [])
            }
        }
        settings.definedRoles = attribute("__ac_roles__").flatMap { document.texts($0) } ?? []
        settings.proxyRoles = attribute("_proxy_roles").flatMap { document.texts($0) } ?? []
        for attribute in attributes {
            let name = String(decoding: attribute.name, as: UTF8.self)
            guard name.hasPrefix("_"), name.hasSuffix("_Permission"), name.utf8.count > 12,
                let roles = document.texts(attribute.value)
            else { continue }
            let words = name.dropFirst().dropLast("_Permission".count).map { $0 == "_" ? " " : $0 }
            var isAcquired = false
            if case .list = document[attribute.value] { isAcquired = true }
            settings.permissions.append(
                SecuritySettings.Permission(name: String(words), roles: roles, isAcquired: isAcquired))
        }
        return settings
    }
}

extension PickleDocument {
    /// The strings of a list or tuple; nil for another value, and what is no string left out.
    func texts(_ slot: Slot) -> [String]? { sequence(slot)?.compactMap { displayText($0) } }
}
