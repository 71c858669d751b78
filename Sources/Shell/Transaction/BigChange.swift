internal import ObjectGraph
internal import Pickle
internal import ZODB

/// A change that wants a second thought: much at once, or something that decides who may log in.
struct BigChange {
    let session: Session
    /// What one command staged.
    let changed: [ObjectID]

    /// A command may change so many objects without being asked.
    static let limit = 100

    /// - Throws: `ShellFailure` when somebody was asked, or nobody could be, and the answer is not yes.
    func check(_ options: EditOptions) throws {
        // Whoever said how many had the second thought already.
        if changed.count > Self.limit, options.expected == nil {
            try Confirmation(session: session).require(
                "This changes \(counted(changed.count, "object")). Stage it?", isGiven: options.isConfirmed)
        }
        guard let workspace = session.openWorkspace else { return }
        let places = Dictionary(
            uniqueKeysWithValues: try workspace.stagedDifferences(limit: 1).map { ($0.oid, $0.place) })
        let users = changed.filter { oid in
            if let place = places[oid] ?? nil, workspace.isInUserFolder(place) { return true }
            return concernsUsers(oid)
        }
        guard let first = users.first else { return }
        let name = session.transaction.paths[first] ?? (places[first] ?? nil)?.description ?? first.path
        try Confirmation(session: session).require(
            "This changes \(counted(users.count, "object")) that decide\(users.count == 1 ? "s" : "") who may log in "
                + "(\(name)). Stage it?",
            isGiven: options.isConfirmed)
    }

    private func concernsUsers(_ oid: ObjectID) -> Bool {
        if session.openWorkspace?.exchangesUserFolder(oid) == true { return true }
        if let path = session.transaction.paths[oid], path.hasSuffix("/acl_users") || path.contains("/acl_users/") {
            return true
        }
        guard let staged = session.openWorkspace?.stagedObject(oid), let module = staged.record.className?.module else {
            return false
        }
        return Self.modules.contains { module == $0 || module.hasPrefix($0 + ".") }
    }

    /// Where the classes of user folders and their plugins are. Source: Zope 2.13 and 5, Products.PluggableAuthService.
    private static let modules = [
        "AccessControl.User", "AccessControl.userfolder", "OFS.userfolder", "OFS.UserFolder",
        "Products.PluggableAuthService", "Products.PlonePAS",
    ]
}
