internal import ObjectGraph
internal import Pickle
internal import ZODB

/// The facts that take a walk through the objects: containers, sites, users, hooks.
extension SampleFacts {
    // MARK: BTrees

    /// Each tree, bucket and set: its class, its length, and what it begins and ends with.
    public mutating func btrees(_ name: String) throws {
        let workspace = try Workspace(storage)
        let resolver = PathResolver(workspace)
        for member in try SampleData.json("expected/\(name).btrees.json").members where member.value["len"] != nil {
            expecting("\(name) \(member.key)") { facts throws in
                let place = try resolver.resolve("//\(member.key)")
                facts.expect(place.node.oid.hex == member.value["oid"]?.string, "\(member.key) \(place.node.oid)")
                let subject = try workspace.subject(of: place.node)
                let className = subject.className?.description
                facts.expect(className == member.value["class"]?.string, "\(member.key): \(className ?? "no class")")
                let items = try Self.rest(try workspace.items(of: subject))
                facts.expect(items.count == member.value["len"]?.int, "\(member.key): \(items.count) items")
                let count = try workspace.count(itemsOf: subject)
                facts.expect(count == items.count, "\(member.key): counted \(count)")
                if let known = try workspace.knownCount(of: subject) {
                    facts.expect(known == items.count, "\(member.key): known \(known)")
                }
                let isSet = !member.key.contains("BTree-") && !member.key.contains("Bucket-")
                for (end, nodes) in [("first", items.prefix(2)), ("last", items.suffix(2))] {
                    let shown = try nodes.map { try Self.item($0, isSet: isSet, workspace) }
                    facts.expect(shown == member.value[end]?.elements, "\(member.key) \(end): \(shown)")
                }
            }
        }
    }

    private static func item(_ node: Node, isSet: Bool, _ workspace: Workspace) throws -> JSONValue {
        guard case .value(let oid, let slot) = node.target else { return .null }
        let value = shown(slot, in: try workspace.object(oid).document) ?? .null
        return isSet ? value : .array([node.component.flatMap { key($0) } ?? .null, value])
    }

    private static func rest<Element>(_ cursor: any Cursor<Element>) throws -> [Element] {
        var elements: [Element] = []
        while let element = try cursor.next() { elements.append(element) }
        return elements
    }

    // MARK: Sites

    /// Every path that Zope traverses leads to the same object here, with the class, title and meta type it has there.
    public mutating func paths(_ site: String) throws {
        let workspace = try Workspace(storage)
        let resolver = PathResolver(workspace)
        var titles = 0
        // What has no oid is an attribute of a class, which the database does not know.
        for member in try SampleData.json("expected/\(site).site.json")["paths"]?.members ?? [] {
            guard let hex = member.value["oid"]?.string else { continue }
            expecting("\(site) \(member.key)") { facts throws in
                let place = try resolver.resolve(member.key)
                facts.expect(place.node.target == .object(try Self.oid(hex)), "\(member.key): \(place.node.target)")
                // Control_Panel's products are in no list: they are attributes.
                let path = member.key.replacing("/Control_Panel/Products", with: "/Control_Panel/.Products")
                facts.expect(place.description == path, "\(member.key): \(place)")
                let found = try workspace.facts(of: place.node)
                let className = found.className?.description
                facts.expect(className == member.value["class"]?.string, "\(member.key): \(className ?? "no class")")
                if let metaType = place.node.metaType {
                    facts.expect(metaType == member.value["meta_type"]?.string, "\(member.key): \(metaType)")
                }
                // A title that is the class's default is not stored.
                if let title = found.title {
                    if !title.isEmpty { titles += 1 }
                    facts.expect(title == member.value["title"]?.string, "\(member.key): \(title)")
                }
            }
        }
        expect(titles > 12, "\(site): \(titles) titles")
    }

    /// The site's users are those that Zope knows, each with the scheme of its password.
    public mutating func passwords(_ site: String) throws {
        let users = try users(at: "/site")
        let expected = try SampleData.json("expected/\(site).site.json")["passwords"]?.members ?? []
        expect(Set(users.map(\.id)) == Set(expected.map(\.key)), "\(site): users \(users.map(\.id))")
        for member in expected {
            let stored = member.value.string ?? ""
            let scheme: UserEntry.PasswordScheme =
                stored.hasPrefix("{") ? .named(String(stored.dropFirst().prefix { $0 != "}" })) : .clearText
            let user = users.first { $0.id == member.key }
            expect(user?.passwordScheme == scheme, "\(site) \(member.key): \(user.debugDescription)")
        }
    }

    private func users(at path: String) throws -> [UserEntry] {
        let workspace = try Workspace(storage)
        guard let folder = try workspace.userFolder(at: try PathResolver(workspace).resolve(path)) else { return [] }
        return try Self.rest(try workspace.users(of: folder))
    }

    // MARK: Rescue

    /// A site with a lost password: who there is, and where the password stands.
    public mutating func lostPassword(_ name: String) throws {
        let users = try users(at: "/")
        expect(users.first { $0.id == "admin" }?.roles.contains("Manager") == true, "\(name): \(users)")
        expect(users.first { $0.id == "carol" }?.roles == ["Member"], "\(name): \(users)")
        let password = users.first { $0.id == "admin" }?.password
        expect(password?.description == "/acl_users/admin/.__", "\(name): \(password.debugDescription)")
        try records(name)
    }

    /// A site with an access rule: which hooks there are, and which of them are called.
    public mutating func accessRule(_ name: String) throws {
        let workspace = try Workspace(storage)
        let application = try PathResolver(workspace).resolve("/")
        let hooks = try workspace.traversalHooks(of: try workspace.subject(of: application.node))
        expect(hooks.map(\.priority) == [1, 25, 50], "\(name): \(hooks)")
        expect(
            hooks.map(\.handle) == ["AccessRule", "Virtual Host Monster", "SessionDataManager"], "\(name): \(hooks)")
        expect(hooks.map(\.name) == ["site_rule", "virtual_hosting", nil], "\(name): \(hooks)")
        expect(hooks.map(\.isActive) == [true, true, true], "\(name): \(hooks)")
        let rule =
            name.hasSuffix("zope213")
            ? "Products.SiteAccess.AccessRule.AccessRule" : "ZPublisher.BeforeTraverse.NameCaller"
        expect(hooks.first?.className?.description == rule, "\(name): \(hooks)")
        try records(name)
    }

    /// The records that a rescue is about are at their paths, and of their classes.
    private mutating func records(_ name: String) throws {
        let workspace = try Workspace(storage)
        let resolver = PathResolver(workspace)
        for record in try SampleData.json("rescue/\(name).json")["records"]?.elements ?? [] {
            guard let number = record["oid"]?.int, let path = record["path"]?.string else { continue }
            let oid = ObjectID(rawValue: UInt64(number))
            let className = try workspace.object(oid).className?.description
            expect(className == record["class"]?.string, "\(name) \(oid): \(className ?? "no class")")
            // `/acl_users/data/data/admin` is how Python gets there; a user folder's users are its items.
            guard !path.isEmpty, !path.hasPrefix("/acl_users/data") || path.hasPrefix("/acl_users/data/data/") else {
                continue
            }
            let place = try resolver.resolve(path.replacing("/acl_users/data/data/", with: "/acl_users/"))
            expect(place.node.target == .object(oid), "\(name) \(path): \(place.node.target)")
        }
    }
}
