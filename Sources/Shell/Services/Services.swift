internal import ArgumentParser
internal import Storages
internal import ZODB

/// A database that has a name: an entry of a services file.
public struct Service: Hashable, Sendable {
    public enum ReadOnly: String, Sendable {
        /// Unless `--rw` or `mode rw` is said.
        case `default`
        /// Whatever is said.
        case always
        /// Writable from the start.
        case never
    }

    public var name: String
    /// As it would be typed: `db1:8800`.
    public var address = ""
    /// Commits want the name typed.
    public var isProduction = false
    public var readOnly = ReadOnly.default
    /// What an option might say as well: `storage`, `ssh`, `cert`.
    var settings = SettingsLayer()
    /// Commands that run when a session with it begins.
    var initLines: [StartupLines.Line] = []
    /// Where it stands: `/etc/zeoshell/services:3`
    public var place = ""
    /// Another service of the same database that says `env = production`, where this one does not.
    var productionRule: Rule?
    /// Another service of the same database that says `readonly = always`, where this one does not.
    var readOnlyRule: Rule?

    /// A service whose rule holds for another one, too.
    struct Rule: Hashable, Sendable {
        var name: String
        var place: String

        init(_ service: Service) { (name, place) = (service.name, service.place) }
    }

    /// It demands something that others of its database have to keep.
    fileprivate var hasRules: Bool { isProduction || readOnly == .always }
}

/// The services files: `/etc/zeoshell/services`, and the user's own, whose entries come first.
///
///     [prod]
///     address = db1.example.org:8800
///     env = production
struct Services {
    private var services: [String: Service] = [:]
    /// The files that were looked for, the system's first.
    private(set) var files = ["/etc/zeoshell/services"]

    /// - Throws: `ShellFailure` for a file that cannot be read or understood: to take half of it for all would be wrong.
    init(_ environment: Environment) throws {
        if let path = environment["ZEOSHELL_SERVICES"] {
            files.append(path)
        } else if let directory = environment.configurationDirectory() {
            files.append(directory + "/zeoshell/services")
        }
        for path in files {
            guard let file = try SettingsFile(path, kind: "services") else { continue }
            for service in try ServiceReader(file: file, environment: environment).services() {
                services[service.name] = service
            }
        }
    }

    func service(named name: String) -> Service? { services[name] }

    /// The service that holds for an address: the one that was named, else one that has this address, however it is
    /// spelled. Of several services of one database the strictest rules hold.
    ///
    /// Whatever is wrong with another service does not matter here.
    /// - Parameter named: the service that was asked for by its name.
    func service(at address: StorageAddress, named: Service? = nil, _ environment: Environment) -> Service? {
        let databases = NamedDatabases(self, environment)
        let others = services.values.sorted { $0.name < $1.name }.filter { other in
            other.name != named?.name && Self.has(other, address, from: named, databases)
        }
        guard var service = named ?? others.first(where: \.isProduction) ?? others.first else { return nil }
        if !service.isProduction, let other = others.first(where: \.isProduction) {
            service.isProduction = true
            service.productionRule = Service.Rule(other)
        }
        if service.readOnly != .always, let other = others.first(where: { $0.readOnly == .always }) {
            service.readOnly = .always
            service.readOnlyRule = Service.Rule(other)
        }
        return service
    }

    /// Whether a service has this address. A site's configuration is read only for a service with rules of its own, and
    /// never waited for.
    private static func has(
        _ service: Service, _ address: StorageAddress, from named: Service?, _ databases: NamedDatabases
    ) -> Bool {
        // The same address at the ends of two tunnels is two servers.
        if let named, named.settings.text("ssh") != service.settings.text("ssh") { return false }
        guard service.hasRules || !service.address.contains("zconfig:"),
            let other = try? databases.place(service.address, waits: false)
        else { return false }
        let members = address.location.members
        // One server of several is enough.
        guard other.address.location.members.contains(where: { one in members.contains { isSame(one, $0) } }) else {
            return false
        }
        guard case .server? = members.first else { return true }
        let storage = service.settings.text("storage") ?? other.storage
        return (address.storageName ?? "1") == (storage ?? "1")
    }

    /// Files and sockets are compared without links and relative parts, this machine by one name; schemes do not matter.
    private static func isSame(_ one: StorageAddress.Location, _ other: StorageAddress.Location) -> Bool {
        switch (one, other) {
        case (.server(let host, let port), .server(let otherHost, let otherPort)):
            return port == otherPort && canonical(host) == canonical(otherHost)
        case (.backup(let path), .backup(let otherPath)):
            return FilePaths.resolved(path) == FilePaths.resolved(otherPath)
        default:
            guard let onePath = path(of: one), let otherPath = path(of: other) else { return false }
            return FilePaths.resolved(onePath) == FilePaths.resolved(otherPath)
        }
    }

    private static func canonical(_ host: String) -> String {
        let host = host.lowercased()
        return ["127.0.0.1", "::1"].contains(host) ? "localhost" : host
    }

    private static func path(of location: StorageAddress.Location) -> String? {
        switch location {
        case .path(let path), .socket(let path), .file(let path): path
        case .server, .servers, .backup: nil
        }
    }

    var names: [String] { services.keys.sorted() }

    /// What a word may have been meant to be, that is no service, file or server.
    /// - Returns: `did you mean prod ? services are defined in …`; nil when there are no services.
    func advice(for word: String) -> String? {
        let near = Suggestions.nearest(word, among: names)
        if !near.isEmpty {
            let places = files.joined(separator: ", ")
            return "did you mean \(near.joined(separator: ", ")) ? 'services' lists what \(places) define"
        }
        return names.isEmpty ? nil : "'services' lists the databases that have names, and where they are defined"
    }
}

extension Session {
    /// Opens what a text names: a service, a database of a configuration file, else an address.
    func connect(_ text: String, _ connection: ConnectionOptions) throws {
        let (found, options) = try named(text, connection)
        do {
            try open(found.address, options, service: found.service)
            noteConnection()
        } catch  where found.service?.name == text {
            throw ShellFailure(error, at: text)
        }
        (destination, setUp) = (found, asked)
    }

    /// Takes note of what a text names, and opens nothing: `openAimed` does, if anybody wants it.
    func aim(at text: String, _ connection: ConnectionOptions) throws {
        let (found, options) = try named(text, connection)
        aim(at: found.address, options)
    }

    private func named(
        _ text: String, _ connection: ConnectionOptions
    ) throws -> (NamedDatabase, OpeningOptions) {
        var options = connection.opening(environment)
        options.login = Self.login(asked?.settings)
        let destinations = try NamedDatabases(environment)
        var found = try destinations.find(text)
        if !found.isNamed {
            found.address.storageName = found.address.storageName ?? options.storageName
        }
        var known = found.address
        known.storageName = known.storageName ?? options.storageName
        found.service = destinations.services.service(
            at: known, named: found.isNamed ? found.service : nil, environment)
        if options.isWritable, !options.isOverlay { try found.requireWritable() }
        try connection.trust.apply(to: &options, for: found.address, in: self)
        return (found, options)
    }

    /// How another database is opened for reading alone.
    func reading(_ text: String) throws -> (address: StorageAddress, options: OpeningOptions) {
        let found = try NamedDatabases(environment).find(text)
        let settings = try EffectiveSettings(environment, destination: found)
        let set = settings.words(isServer: found.isServer, mayWrite: false)
        let connection = try ConnectionOptions.parse(set)
        var options = connection.opening(environment)
        options.login = Self.login(settings)
        try connection.trust.apply(to: &options, for: found.address, in: self)
        return (found.address, options)
    }

    private static func login(_ settings: EffectiveSettings?) -> Credentials? {
        settings?.login.map { Credentials(user: $0.user, password: $0.password, realm: $0.realm) }
    }

    static func requireWritable(_ service: Service) throws {
        guard service.readOnly == .always else { return }
        let rule = service.readOnlyRule ?? Service.Rule(service)
        let who = service.readOnlyRule.map { "[\($0.name)], a service of the same database," } ?? "the services file"
        throw ShellFailure(
            "read-only", .refused, at: service.name, "\(who) says readonly = always",
            advice: "whoever keeps \(rule.place) can change it")
    }
}
