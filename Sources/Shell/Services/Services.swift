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
    public var storage: String?
    public var blobDirectory: String?
    /// Commits want the name typed.
    public var isProduction = false
    public var readOnly = ReadOnly.default
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
            guard let bytes = try FilePaths.readIfPresent(path) else { continue }
            for service in try Self.parse(String(decoding: bytes, as: UTF8.self), file: path) {
                services[service.name] = service
            }
        }
    }

    func service(named name: String) -> Service? { services[name] }

    /// Whoever gives the address of a service means the service, and its rules hold, however the address is spelled. Of
    /// several services at one address the strictest rules hold.
    func service(at address: StorageAddress) -> Service? {
        let places = Self.places(address)
        let found = names.compactMap { services[$0] }.filter { service in
            guard let other = try? StorageAddress(parsing: service.address) else { return false }
            // One server of several is enough.
            guard !Self.places(other).isDisjoint(with: places) else { return false }
            guard case .server? = address.location.members.first else { return true }
            return (address.storageName ?? "1") == (service.storage ?? other.storageName ?? "1")
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

    // MARK: Parsing

    static func parse(_ text: String, file: String) throws -> [Service] {
        var services: [Service] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = String(line).trimmed
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            func failure(_ what: String) -> ShellFailure {
                ShellFailure("services", .usage, at: "\(file):\(index + 1)", what, advice: "see 'help services'")
            }
            if line.hasPrefix("["), line.hasSuffix("]") {
                services.append(Service(name: String(line.dropFirst().dropLast()).trimmed))
                continue
            }
            guard let equals = line.firstIndex(of: "=") else { throw failure("neither [NAME] nor KEY = VALUE") }
            guard !services.isEmpty else { throw failure("a key before the first [NAME]") }
            let value = String(line[line.index(after: equals)...]).trimmed
            if let what = set(String(line[..<equals]).trimmed, value, &services[services.count - 1]) {
                throw failure(what)
            }
        }
        for service in services where service.address.isEmpty {
            throw ShellFailure("services", .usage, at: file, "[\(service.name)] has no address")
        }
        return services
    }

    /// - Returns: what is wrong.
    private static func set(_ key: String, _ value: String, _ service: inout Service) -> String? {
        switch key {
        case "address": service.address = value
        case "storage": service.storage = value
        case "blobs": service.blobDirectory = value.hasPrefix("shared:") ? String(value.dropFirst(7)) : value
        case "env":
            switch value.lowercased() {
            case "production": service.isProduction = true
            case "", "staging", "development", "test": service.isProduction = false
            default: return "env is production, staging, development or test, not '\(value)'"
            }
        case "readonly":
            guard let rule = Service.ReadOnly(rawValue: value) else {
                return "readonly is default, always or never, not '\(value)'"
            }
            service.readOnly = rule
        default: return "unknown key '\(key)': there are address, storage, blobs, env and readonly"
        }
        return nil
    }
}

extension Session {
    /// Opens what a text names: a service, else an address.
    func connect(_ text: String, _ connection: ConnectionOptions) throws {
        let (address, options, service) = try destination(text, connection)
        do {
            try open(address, options, service: service)
            noteConnection()
        } catch  where service?.name == text {
            throw ShellFailure(error, at: text)
        }
    }

    /// Takes note of what a text names, and opens nothing: `openAimed` does, if anybody wants it.
    func aim(at text: String, _ connection: ConnectionOptions) throws {
        let (address, options, _) = try destination(text, connection)
        aim(at: address, options)
    }

    private func destination(
        _ text: String, _ connection: ConnectionOptions
    ) throws -> (StorageAddress, OpeningOptions, Service?) {
        var options = connection.opening(environment)
        let services = try Services(environment)
        guard let service = services.service(named: text) else {
            var address = try StorageAddress(parsing: text)
            address.storageName = address.storageName ?? options.storageName
            let service = services.service(at: address)
            if let service, options.isWritable, !options.isOverlay { try Self.requireWritable(service) }
            try connection.trust.apply(to: &options, for: address, in: self)
            return (address, options, service)
        }
        if options.isWritable, !options.isOverlay { try Self.requireWritable(service) }
        if service.readOnly == .never { options.isWritable = true }
        options.storageName = options.storageName ?? service.storage
        options.blobDirectory = options.blobDirectory ?? service.blobDirectory
        do {
            let address = try StorageAddress(parsing: service.address)
            try connection.trust.apply(to: &options, for: address, in: self)
            return (address, options, service)
        } catch {
            throw ShellFailure(error, at: text)
        }
    }

    static func requireWritable(_ service: Service) throws {
        guard service.readOnly == .always else { return }
        throw ShellFailure(
            "read-only", .refused, at: service.name, "the services file says readonly = always",
            advice: "whoever keeps that file can change it")
    }
}
