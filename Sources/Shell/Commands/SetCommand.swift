internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct SetCommand: EditingCommand {
    static let name = "set"
    static let summary = "set an attribute, a key, an element, or what a name leads to"
    static let synopsis = "[--json | --text] [--replace] PATH VALUE"
    static let operands: [OperandKind] = [.path, .value]
    static let discussion = """
        VALUE is a Python literal: 'text', b'bytes', 42, 1.5, True, None, (1, 2), ['a'], {'a': 1}, {1, 2}. Also #1a2b, a
        reference to that object; @FILE, the content of a file; with --json the notation that 'get -o json' writes. Text
        wants quotes; --text takes it as it stands. From the system's shell the quotes want quotes: "'text'".
        Everything else in the record keeps its bytes. A value that is there already stages nothing.
        """
    static let examples = [
        CommandExample("set /Plone/.title 'Intranet'", "an attribute"),
        CommandExample("set /settings/max_items 50", "a mapping's key"),
        CommandExample("set /news/.subject[0] 'first'", "an element of a list or tuple"),
        CommandExample("set /index_html/._text @index.html", "from a file"),
        CommandExample("set //Application/x #1a2b", "a reference"),
        CommandExample("zeoshell set db1:8800 /.title \"'Intranet'\" --rw", "from the system's shell: asks, commits"),
    ]

    @Argument(help: "What to set.") var path: String
    @Argument(help: "The value.") var value: String
    @Flag(name: .customLong("replace"), help: "Put the value in place of a container with something in it.")
    var replaces = false
    @OptionGroup var options: ValueOptions
    @OptionGroup var editing: EditOptions

    func edit(_ session: Session) throws -> Report {
        let target = try EditTarget(path, session)
        try requireEmpty(target, session)
        let workspace = try session.workspace
        let style = try workspace.style(of: try workspace.editable(target.container.node.oid))
        var old: PickleNode?
        if let place = target.place, !place.node.isObject { old = try session.read(place).value }
        let value = try ValueText(session: session, options: options).value(value, style, replacing: old)
        try session.change(target.container) { (workspace) throws(EditError) in
            try workspace.set(target.component, of: target.container, to: value)
        }
        return .nothing
    }

    /// A value in place of a folder takes everything in the folder out of reach: nobody means that by chance.
    private func requireEmpty(_ target: EditTarget, _ session: Session) throws {
        guard !replaces, let place = target.place, place.node.isObject else { return }
        if place.node.className == GlobalName(module: "ZODB.blob", name: "Blob") {
            throw ShellFailure(
                "not-empty", .refused, at: place.description, "it is a blob, whose content is a file",
                advice: "set --replace puts the value in its place all the same")
        }
        // What cannot be read may be replaced.
        guard let count = try? session.workspace.contentCount(of: place), count > 0 else { return }
        throw ShellFailure(
            "not-empty", .refused, at: place.description,
            "it contains \(count < 1000 ? counted(Int(count), "item") : "1,000 items or more"), which would be out of reach",
            advice: "set --replace does it all the same; what is inside is set by its own path")
    }
}

struct UnsetCommand: EditingCommand {
    static let name = "unset"
    static let summary = "remove an attribute, a key or an element"
    static let synopsis = "[--if-exists] PATH…"
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        Only that: a folder's child, with all that belongs to it, is removed by 'rm'. An attribute that is gone may have a
        default in its class.
        """
    static let examples = [
        CommandExample("unset /Plone/.__before_traverse__", "an attribute"),
        CommandExample("unset /settings/max_items", "a mapping's key"),
    ]

    @Flag(name: .customLong("if-exists"), help: "What is not there is no error.") var ifExists = false
    @Argument(help: "What to remove.") var paths: [String]
    @OptionGroup var editing: EditOptions

    func edit(_ session: Session) throws -> Report {
        let targets = try paths.map { try EditTarget($0, session) }.filter { $0.place != nil || !ifExists }
        for target in targets { _ = try target.existing() }
        for target in EditTarget.inOrderOfRemoval(targets) {
            try session.change(target.container) { (workspace) throws(EditError) in
                try workspace.unset(target.component, of: target.container)
            }
        }
        return .nothing
    }
}

struct RemoveCommand: EditingCommand {
    static let name = "rm"
    static let summary = "remove objects from their containers"
    static let synopsis = "[-r] [--if-exists] PATH…"
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        A container that is not empty wants -r, and asks. The objects themselves stay in the storage, out of reach, until
        it is packed. Before that, 'undo' brings them back.
        Whether others refer to an object is looked up before, unless -y says yes to whatever it may be. In a server's database
        that takes long; there it is done for a few seconds, and it says so when that was not enough.
        """
    static let examples = [
        CommandExample("rm /Plone/broken", "one object"),
        CommandExample("rm -r -y /Plone/old", "a folder and all in it"),
        CommandExample("rm --if-exists /tmp_*", "what matches, if anything does"),
    ]

    @Flag(name: [.customShort("r"), .customLong("recursive")], help: "Containers too, with all that is in them.")
    var isRecursive = false
    @Flag(name: .customLong("if-exists"), help: "What is not there is no error.") var ifExists = false
    @Argument(help: "What to remove.") var paths: [String]
    @OptionGroup var editing: EditOptions

    func edit(_ session: Session) throws -> Report {
        for target in EditTarget.inOrderOfRemoval(try targets(session)) {
            let place = try target.existing()
            try check(place, session)
            try session.change(target.container) { (workspace) throws(EditError) in
                try workspace.remove(target.component, of: target.container)
            }
        }
        return .nothing
    }

    private func targets(_ session: Session) throws -> [EditTarget] {
        var targets: [EditTarget] = []
        for path in paths {
            guard try Session.parse(path).hasPatterns else {
                let target = try EditTarget(path, session)
                if target.place != nil || !ifExists { targets.append(target) }
                continue
            }
            let places = try session.places([path])
            var count = 0
            while let place = try places.next() {
                count += 1
                targets.append(try EditTarget(place.description, session))
            }
            if count == 0, !ifExists { throw ShellFailure.noSuchPath(path, advice: "nothing matches") }
        }
        return targets
    }

    private func check(_ place: Place, _ session: Session) throws {
        guard place.node.isObject else { return }
        let confirmation = Confirmation(session: session)
        if let count = items(of: place, session), count > 0 {
            guard isRecursive else {
                throw ShellFailure(
                    "not-empty", .refused, at: place.description, "it contains \(counted(count, "item"))",
                    advice: "rm -r removes it with all that is in it")
            }
            try confirmation.require(
                "\(place) contains \(counted(count, "item")). Remove it with all of them?",
                isGiven: editing.isConfirmed)
        }
        guard !editing.isConfirmed else { return }
        let others = try OutsideReferrers(session).count(of: place)
        if let reason = others.incompleteness {
            Diagnostics.note(
                "whether other objects refer to \(place) was not looked up to the end (\(reason)): 'referrers \(place)' does it",
                format: session.settings.format ?? .plain)
        }
        guard others.count > 0 else { return }
        let isOne = others.count == 1 && others.incompleteness == nil
        try confirmation.require(
            (others.incompleteness == nil ? "" : "At least ")
                + "\(counted(others.count, "other object")) refer\(isOne ? "s" : "") to \(place), which 'referrers' lists. "
                + "Remove it?", isGiven: editing.isConfirmed)
    }

    /// nil for what cannot be read: a broken object may be removed.
    private func items(of place: Place, _ session: Session) -> Int? {
        guard let workspace = try? session.workspace, let subject = try? workspace.subject(of: place.node),
            let items = try? workspace.items(of: place.node)
        else { return nil }
        if let count = try? workspace.knownCount(of: subject) { return count }
        var count = 0
        while count < 1000, (try? items.next()) != nil { count += 1 }
        return count
    }
}
