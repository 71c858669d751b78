internal import Pickle
internal import ZODB

extension Workspace {
    /// Stages the edits of a remedy: all of them, or none.
    ///
    /// They are made on the state as earlier edits have left it; a remedy that was thought out before them still fits,
    /// unless they took away what it is about.
    public func stage(_ remedy: Remedy) throws(EditError) {
        try atomically { () throws(EditError) in
            for step in remedy.steps { try stage(step) }
        }
    }

    private func stage(_ step: RescueStep) throws(EditError) {
        switch step {
        case .remove(let component, let container): try remove(component, of: container)
        case .set(let value, let component, let container): try set(component, of: container, to: try pickled(value))
        case .removeElements(let choice, let list): try removeElements(choice, of: list)
        case .append(let value, let list):
            let subject = try editedSubject(of: list)
            let count = subject.document.sequence(subject.slot)?.count ?? 0
            try insert(try pickled(value), at: count, into: list)
        case .newUserFolder(let container): try makeUserFolder(in: container)
        case .newMapping(let name, let owner): try makeMapping(name, in: owner)
        case .newUser(let name, let password, let roles, let table): try makeUser(name, password, roles, in: table)
        case .removeHooks(let hooks, let container):
            for hook in hooks { try remove(hook, of: container) }
        }
    }

    /// The value with the kinds of strings that the database's Python writes.
    private func pickled(_ value: RescueValue) throws(EditError) -> PickleValue {
        let isPython2 = try EditError.wrap("database") { () throws(StorageError) in try generation() == .python2 }
        return value.pickled(isPython2: isPython2)
    }

    // MARK: Parts of lists

    private func removeElements(_ choice: ElementChoice, of list: Place) throws(EditError) {
        let subject = try editedSubject(of: list)
        let document = subject.document
        let elements = document.sequence(subject.slot) ?? []
        func id(_ slot: PickleDocument.Slot) -> String? {
            document.value("id", of: slot).flatMap { document.displayText($0) }
        }
        let indices: [Int] = elements.indices.filter { index in
            switch choice {
            case .text(let text): document.displayText(elements[index]) == text
            case .id(let wanted): id(elements[index]) == wanted
            case .repeatedID(let wanted):
                id(elements[index]) == wanted && elements[..<index].contains { id($0) == wanted }
            case .withoutID: id(elements[index]) == nil
            }
        }
        // The last one first: the others keep their places.
        for index in indices.reversed() { try unset(.key(.integer(PickleInteger(Int64(index)))), of: list) }
    }

    private func remove(_ hook: HookIdentity, of container: Place) throws(EditError) {
        switch hook {
        case .registered(let priority, let handle):
            try removeHook(priority: priority, handle: handle, of: container)
        case .unregistered(let index):
            let subject = try editedSubject(of: container)
            guard let multi = attribute("__before_publishing_traverse__", of: subject) else { return }
            let inner = Subject(multi, record: subject.record)
            guard let list = attribute("_list", of: inner) else { return }
            try unset(.key(.integer(PickleInteger(Int64(index)))), of: container.child(multi).child(list))
        }
    }

    // MARK: New objects

    /// Where Zope has kept a classic user folder's parts since 2.12; it reads them by these names ever since.
    private enum Classes {
        static let userFolder = GlobalName(module: "OFS.userfolder", name: "UserFolder")
        static let mapping = GlobalName(module: "Persistence.mapping", name: "PersistentMapping")
        static let user = GlobalName(module: "AccessControl.users", name: "User")
    }

    private func make(
        _ className: GlobalName, _ state: RescueValue, like record: ObjectRecord, for place: Place
    ) throws(EditError) -> ObjectID {
        let data = try newRecord(className, try pickled(state), like: record, at: place.description)
        return try EditError.wrap(place.description) { () throws(StorageError) in try newObject(data) }
    }

    private func makeUserFolder(in container: Place) throws(EditError) {
        let subject = try editedSubject(of: container)
        let data = try make(
            Classes.mapping, .dict([RescueEntry("data", .dict([]))]), like: subject.record, for: container)
        // The folder's record needs the mapping's class, which the workspace knows by now.
        let folder = try make(
            Classes.userFolder, .dict([RescueEntry("_ofs_migrated", .bool(true))]), like: subject.record, for: container
        )
        try set(.attribute("data"), of: .object(folder, at: stagedView ?? at), to: .object(data))
        for name in ["acl_users", "__allow_groups__"] {
            try set(.attribute(name), of: container, to: .object(folder))
        }
        try listUserFolder(of: container)
        // A service's hook calls it before each request, which a plain user folder is not made for.
        let now = try editedSubject(of: container)
        let hooks = try EditError.wrap(container.description) { () throws(StorageError) in
            try traversalHooks(of: now)
        }
        for hook in hooks where hook.handle.hasPrefix("Pluggable Auth Service/") {
            try removeHook(priority: hook.priority, handle: hook.handle, of: container)
        }
    }

    /// `_objects` says which kind `acl_users` is.
    private func listUserFolder(of container: Place) throws(EditError) {
        let subject = try editedSubject(of: container)
        guard let list = attribute("_objects", of: subject), let slot = subject.attribute("_objects"),
            let items = subject.document.sequence(slot)
        else { return }
        let entry = RescueValue.dict([
            RescueEntry("id", .string("acl_users")), RescueEntry("meta_type", .string("User Folder")),
        ])
        let index = items.firstIndex { item in
            subject.document.value("id", of: item).flatMap { subject.document.displayText($0) } == "acl_users"
        }
        guard let index else { return try insert(try pickled(entry), at: items.count, into: container.child(list)) }
        let isPlain =
            subject.document.value("meta_type", of: items[index]).flatMap { subject.document.displayText($0) }
            == "User Folder"
        if isPlain { return }
        try set(.key(.integer(PickleInteger(Int64(index)))), of: container.child(list), to: try pickled(entry))
    }

    private func makeMapping(_ name: String, in owner: Place) throws(EditError) {
        let subject = try editedSubject(of: owner)
        let mapping = try make(
            Classes.mapping, .dict([RescueEntry("data", .dict([]))]), like: subject.record, for: owner)
        try set(.attribute(name), of: owner, to: .object(mapping))
    }

    private func makeUser(
        _ name: String, _ password: RescueValue, _ roles: [String], in table: Place
    ) throws(EditError) {
        let subject = try editedSubject(of: table)
        // As the other users are; Zope before 2.13 kept the class elsewhere.
        let entries = MappingAdapter.entries(of: subject) ?? []
        let known = entries.lazy.compactMap { subject.document.strongReference($0.value)?.className }.first
        let user = try make(
            known ?? Classes.user,
            .dict([
                RescueEntry("name", .string(name)), RescueEntry("__", password),
                RescueEntry("roles", .list(roles.map { .string($0) })), RescueEntry("domains", .list([])),
            ]), like: subject.record, for: table)
        try set(.key(.string(Array(name.utf8))), of: table, to: .object(user))
    }
}

extension RescueValue {
    func pickled(isPython2: Bool) -> PickleValue {
        func string(_ text: String) -> PickleValue { isPython2 ? .nativeString(text) : .text(text) }
        switch self {
        case .bool(let value): return .bool(value)
        case .integer(let value): return .integer(value)
        case .string(let text): return string(text)
        case .bytes(let text): return isPython2 ? .nativeString(text) : .bytes(Array(text.utf8))
        case .list(let items): return .list(items.map { $0.pickled(isPython2: isPython2) })
        case .tuple(let items): return .tuple(items.map { $0.pickled(isPython2: isPython2) })
        case .dict(let entries):
            return .dict(
                entries.map {
                    PickleValue.Entry(key: string($0.key), value: $0.value.pickled(isPython2: isPython2))
                })
        case .reference(let oid): return .object(oid)
        }
    }
}
