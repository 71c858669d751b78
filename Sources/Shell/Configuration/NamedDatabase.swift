internal import Storages
internal import ZODB

/// What a text names: a service, a database of a zope.conf or zeo.conf, or an address, with all that is said about it.
struct NamedDatabase {
    var address: StorageAddress
    /// The entry of the services file that it is called by, or whose address it is.
    var service: Service?
    /// Whether it was called by the service's name.
    var isNamed = false
    /// What the service says, then what the file or the address says.
    var layers: [SettingsLayer] = []
    /// Where it is said that nothing is to be written.
    var readOnlyAt: String?
    /// What should be told to somebody who asks.
    var remarks: [String] = []

    /// Which of a server's storages, where that is said.
    var storage: String? {
        address.storageName ?? layers.lazy.compactMap { $0.text("storage") }.first
    }

    /// The address with the storage that is meant.
    fileprivate var known: StorageAddress {
        var known = address
        known.storageName = storage
        return known
    }

    /// A server, as far as the text tells.
    var isServer: Bool {
        if case .backup = address.location { return false }
        // At the other end of a tunnel a path is a socket.
        return address.dataFile == nil || layers.contains { $0.text("ssh") != nil }
    }

    /// - Throws: `ShellFailure` when it is said somewhere that nothing is to be written.
    func requireWritable() throws {
        if let service { try Session.requireWritable(service) }
        guard let readOnlyAt else { return }
        throw ShellFailure(
            "read-only", .refused, at: readOnlyAt, "this says that nothing is to be written",
            advice: "without --rw it can be read; its address itself can be written to")
    }

    var mayWrite: Bool {
        if case .backup = address.location { return false }
        return readOnlyAt == nil && service?.readOnly != .always
    }
}

/// Finds what texts name.
struct NamedDatabases {
    let services: Services
    private let environment: Environment

    /// - Throws: `ShellFailure` for a services file that is wrong.
    init(_ environment: Environment) throws {
        self.init(try Services(environment), environment)
    }

    init(_ services: Services, _ environment: Environment) {
        (self.services, self.environment) = (services, environment)
    }

    /// - Throws: `ShellFailure`, or `AddressError` when it is nothing of all that.
    func find(_ text: String) throws -> NamedDatabase {
        guard let service = services.service(named: text) else {
            var found = try unnamed(text)
            found.service = services.service(at: found.known, environment)
            return found
        }
        do {
            var found = try place(service.address)
            found.isNamed = true
            found.layers.insert(service.settings, at: 0)
            found.service = services.service(at: found.known, named: service, environment)
            return found
        } catch {
            throw ShellFailure(error, at: text)
        }
    }

    /// What is no service's name; who mistyped one is told of those there are.
    private func unnamed(_ text: String) throws -> NamedDatabase {
        do {
            return try place(text)
        } catch var error as AddressError {
            // Of the form of a name, and no file.
            let isName = error.text == text && !text.contains { ":/,.[".contains($0) }
            guard isName, let advice = services.advice(for: text) else { throw error }
            error.problem += " nor a service"
            error.advice = "\(advice); \(error.advice)"
            throw error
        }
    }

    /// What is no service's name.
    /// - Parameter waits: for a configuration that comes out of a pipe.
    func place(_ text: String, depth: Int = 0, waits: Bool = true) throws -> NamedDatabase {
        let environment = environment
        if let configuration = try ConfigurationAddress(parsing: text) {
            let storage: ConfiguredStorage
            do {
                (_, storage) = try configuration.resolved(
                    isInterrupted: { !waits || Signals.wasInterrupted }, variable: { environment[$0] })
            } catch {
                if Signals.wasInterrupted { throw StorageError.interrupted }
                throw error
            }
            var found = NamedDatabase(address: try storage.address())
            found.layers = [try SettingsLayer(storage.settings)]
            (found.readOnlyAt, found.remarks) = (storage.readOnlyAt, storage.remarks)
            return found
        }
        if let base = try DemoAddress(parsing: text)?.base {
            guard depth < 10 else { throw ShellFailure.usage("demo:(…) lies around itself too often") }
            var found = try place(base, depth: depth + 1, waits: waits)
            var overlay = SettingsLayer()
            overlay.set("overlay", "yes", origin: "demo:")
            found.layers.insert(overlay, at: 0)
            return found
        }
        let address = try StorageAddress(parsing: text)
        var found = NamedDatabase(address: address)
        found.layers = [try SettingsLayer(address.settings)]
        if address.isReadOnly { found.readOnlyAt = "read_only in the address" }
        return found
    }
}
