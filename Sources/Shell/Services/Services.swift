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
}

/// The services files: `/etc/zeoshell/services`, and the user's own, whose entries come first.
///
///     [prod]
///     address = db1.example.org:8800
///     env = production
struct Services {
    private var services: [String: Service] = [:]

    /// - Throws: `ShellFailure` for a file that cannot be read or understood: to take half of it for all would be wrong.
    init(_ environment: Environment) throws {
        var paths = ["/etc/zeoshell/services"]
        if let path = environment["ZEOSHELL_SERVICES"] {
            paths.append(path)
        } else if let directory = environment.configurationDirectory() {
            paths.append(directory + "/zeoshell/services")
        }
        for path in paths {
            guard let file = try SettingsFile(path, kind: "services") else { continue }
            for service in try ServiceReader(file: file, environment: environment).services() {
                services[service.name] = service
            }
        }
    }

    func service(named name: String) -> Service? { services[name] }

    /// Whoever gives the address of a service means the service, and its rules hold, however the address is spelled. Of
    /// several services at one address the strictest rules hold.
    func service(at address: StorageAddress, _ environment: Environment) -> Service? {
        let places = Self.places(address)
        let found = services.values.sorted { $0.name < $1.name }.filter { service in
            guard let other = try? NamedDatabases(self, environment).place(service.address) else { return false }
            // One server of several is enough.
            guard !Self.places(other.address).isDisjoint(with: places) else { return false }
            guard case .server? = address.location.members.first else { return true }
            let storage = service.settings.text("storage") ?? other.storage
            return (address.storageName ?? "1") == (storage ?? "1")
        }
        guard var service = found.first(where: \.isProduction) ?? found.first else { return nil }
        if found.contains(where: { $0.readOnly == .always }) { service.readOnly = .always }
        return service
    }

    private static func places(_ address: StorageAddress) -> Set<StorageAddress.Location> {
        Set(address.location.members.map(canonical))
    }

    /// One spelling of a place: files and sockets without links, relative parts and schemes, this machine by one name.
    private static func canonical(_ location: StorageAddress.Location) -> StorageAddress.Location {
        switch location {
        case .server(let host, let port):
            let host = host.lowercased()
            return .server(host: ["localhost", "127.0.0.1", "::1"].contains(host) ? "localhost" : host, port: port)
        case .path(let path), .socket(let path), .file(let path):
            return .path(FilePaths.resolved(path))
        case .servers(let servers): return .servers(servers.map(canonical))
        case .backup(let path): return .backup(FilePaths.resolved(path))
        }
    }

    var names: [String] { services.keys.sorted() }
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
            found.service = destinations.services.service(at: found.address, environment)
        }
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

    private static func login(_ settings: EffectiveSettings?) -> Login? {
        settings?.login.map { Login(user: $0.user, password: $0.password, realm: $0.realm) }
    }

    static func requireWritable(_ service: Service) throws {
        guard service.readOnly == .always else { return }
        throw ShellFailure(
            "read-only", .refused, at: service.name, "the services file says readonly = always",
            advice: "whoever keeps that file can change it")
    }
}
