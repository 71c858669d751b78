internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import Storages
internal import ZODB

struct MoveCommand: EditingCommand {
    static let name = "mv"
    static let summary = "give an object another name, or another container"
    static let synopsis = "SOURCE DESTINATION"
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        A destination that is a container takes it under the same name. It stays the same object, with its history; what
        catalogs know of it does not change with it.
        """
    static let examples = [
        CommandExample("mv /Plone/news /Plone/old-news", "another name"),
        CommandExample("mv /Plone/news /Plone/archive", "into a container"),
    ]

    @Argument(help: "What to move.") var source: String
    @Argument(help: "Its new path, or a container.") var destination: String
    @OptionGroup var editing: EditOptions

    func edit(_ session: Session) throws -> Report {
        let from = try EditTarget(source, session)
        let place = try from.existing()
        let (container, name) = try Destination(destination, session).place(for: from.component)
        session.note(from.container.description, of: from.container.node.oid)
        try session.change(container) { (workspace) throws(EditError) in
            try workspace.move(place, to: container, as: name)
        }
        return .nothing
    }
}

struct CopyCommand: EditingCommand {
    static let name = "cp"
    static let summary = "copy an object with all that is in it, also from elsewhere"
    static let synopsis = "SOURCE DESTINATION"
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        The copies are new objects. References among them lead to the copies, others where they led; from another database
        nothing may be referred to that is not copied. SOURCE may be PATH@WHEN, and ADDRESS:/PATH, which is only read.
        A destination that is a container takes the copy under the same name.
        """
    static let examples = [
        CommandExample("cp /Plone/news /Plone/news2", "an object and its sub-objects"),
        CommandExample("cp /Plone/news@yesterday /Plone/news-old", "as it was"),
        CommandExample("cp backup.fs:/Plone/news /Plone/", "from another database"),
    ]

    @Option(
        name: .customLong("meta-type"),
        help: ArgumentHelp("What a Zope folder lists the copy as, where nothing tells.", valueName: "name"))
    var metaType: String?
    @Argument(help: "What to copy.") var source: String
    @Argument(help: "The copy's path, or a container.") var destination: String
    @OptionGroup var editing: EditOptions

    func edit(_ session: Session) throws -> Report {
        try session.seekServer()
        let (place, other, reading) = try session.source(source)
        let target = Destination(destination, session)
        let (container, name) = try target.place(for: place.node.component)
        var options = CopyOptions()
        options.metaType = metaType
        let progress = session.progress
        options.progress = { progress.update("copying", $0, "objects") }
        _ = try session.change(container) { (workspace) throws(EditError) in
            try workspace.copy(place, from: other, to: container, as: name, options)
        }
        try session.requireServersBytes(of: other, since: reading)
        return .nothing
    }
}

/// Where something is to be put: a path that is free, or a container that takes it under its own name.
struct Destination {
    let text: String
    let session: Session

    init(_ text: String, _ session: Session) { (self.text, self.session) = (text, session) }

    /// - Parameter component: what it is called where it comes from.
    func place(for component: Component?) throws -> (container: Place, name: String) {
        if text.hasSuffix("/") || text == "." || text == ".." { return try inside(component) }
        let target = try EditTarget(text, session)
        guard let place = target.place else { return (target.container, target.component.plainText) }
        guard place.node.isObject, isContainer(place) else {
            throw ShellFailure(
                "exists", .refused, at: text, "there is something already",
                advice: "'rm' it first, or take another name")
        }
        return try inside(component)
    }

    private func inside(_ component: Component?) throws -> (container: Place, name: String) {
        guard let component else {
            throw ShellFailure.usage(
                "\(text): what is copied has no name of its own", advice: "give the new path whole")
        }
        return (try session.place(text), component.plainText)
    }

    private func isContainer(_ place: Place) -> Bool {
        guard let workspace = try? session.workspace, let subject = try? workspace.subject(of: place.node) else {
            return false
        }
        if (try? workspace.items(of: place.node).next()) ?? nil != nil { return true }
        // An empty one tells by its class, or by where it keeps its items.
        guard let name = subject.className else { return false }
        return name.name.hasSuffix("Folder") || name.name == "Application" || name.module.hasPrefix("BTrees.")
            || ["_objects", "_tree", "_container"].contains { subject.attribute($0) != nil }
            || name.name == "PersistentMapping"
    }
}

extension Session {
    /// A place to copy from: here, or in another database, which is opened for it.
    /// - Returns: the place; of another database its workspace, and that one's rereadings when reading began.
    func source(_ text: String) throws -> (place: Place, workspace: Workspace?, reading: Int?) {
        guard let (address, path) = Self.foreign(text, environment) else { return (try place(text), nil, nil) }
        let workspace = try foreignWorkspace(address)
        let reading = workspace.rereadings
        let parsed = try Self.parse(path)
        do {
            let parser = whenParser
            let resolver = PathResolver(workspace) { (text) throws(PathError) in
                do throws(WhenError) {
                    if let tid = try parser.parse(text).transaction() { return tid }
                } catch {
                    throw .when(text, reason: error.problem)
                }
                throw .when(text, reason: "is no point in time")
            }
            return (try resolver.resolve(parsed), workspace, reading)
        } catch {
            throw ShellFailure(error, at: text)
        }
    }

    /// `ADDRESS:/PATH`, where the part before is a service or an address; nil for a path of this database.
    static func foreign(_ text: String, _ environment: Environment) -> (address: String, path: String)? {
        let bytes = Array(text.utf8)
        for index in bytes.indices.dropLast() where bytes[index] == UInt8(ascii: ":") {
            let next = bytes[index + 1]
            guard index > 0, next == UInt8(ascii: "/") || next == UInt8(ascii: "#") else { continue }
            let address = String(decoding: bytes[..<index], as: UTF8.self)
            let isService =
                (try? Services(environment).service(named: address)) ?? nil != nil
                || ((try? ConfigurationAddress(parsing: address)) ?? nil).map { FileKind.exists($0.path) } ?? false
            let isAddress =
                (try? StorageAddress(parsing: address)).map { address in
                    switch address.location {
                    case .server, .servers: true
                    case .path(let path), .socket(let path), .file(let path), .backup(let path): FileKind.exists(path)
                    }
                } ?? false
            if isService || isAddress {
                return (address, String(decoding: bytes[(index + 1)...], as: UTF8.self))
            }
        }
        return nil
    }
}
