internal import ObjectGraph
internal import ZODB

/// Which commits a watcher wants to hear of.
struct CommitFilter {
    /// An object, and all below it.
    private struct Place {
        var path: String
        var oid: ObjectID?

        func holds(_ other: String) -> Bool {
            other == path || other.hasPrefix(path.hasSuffix("/") ? path : path + "/")
        }
    }

    private let places: [Place]
    private let user: String?
    /// Paths that lead nowhere, as yet.
    let missing: [String]

    /// - Parameter paths: what is not there (yet) is taken by its path alone.
    /// - Throws: `ShellFailure` for a text that is no path, or a pattern.
    init(paths: [String], user: String?, _ session: Session) throws {
        self.user = user
        var missing: [String] = []
        places = try paths.map { text in
            var path = try Session.parse(text)
            guard !path.hasPatterns, path.when == nil else {
                throw ShellFailure.usage(
                    "\(text): one object is watched, with all below it", advice: "a path without patterns and times")
            }
            if let place = try? session.place(text) {
                return Place(path: place.description, oid: place.node.oid)
            }
            // Its way from here, written out.
            if path.origin == .current {
                path = try Session.parse(session.path + (session.path == "/" ? "" : "/") + text)
            }
            missing.append(path.description)
            return Place(path: path.description)
        }
        self.missing = missing
    }

    func wants(_ watched: WatchedCommit) -> Bool { wantsUser(watched.commit) && wantsPlace(watched) }

    /// `joe`, or all of it: `/Plone/acl_users joe`.
    private func wantsUser(_ commit: CommitFeed.Commit) -> Bool {
        guard let user else { return true }
        guard let bytes = commit.summary?.user else { return false }
        let text = CellText.machine.text(TransactionText.cell(bytes))
        return text == user || text.split(separator: " ").last.map(String.init) == user
    }

    private func wantsPlace(_ watched: WatchedCommit) -> Bool {
        guard !places.isEmpty else { return true }
        return (watched.commit.changes ?? []).contains { change in
            let path = watched.path(of: change.oid)
            return places.contains { $0.oid == change.oid || $0.holds(path) }
        }
    }
}
