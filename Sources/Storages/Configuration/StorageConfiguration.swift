internal import ServerConfiguration
internal import ZConfig

/// The databases that a configuration file names: a `zope.conf` of any Zope, a `zeo.conf`, or a file of `<zodb>` sections
/// as zodburi takes it.
///
/// Only what leads to a storage is read; other sections and keys may be whatever they like. Nothing is opened, and nothing
/// that a path names need exist.
///
/// Source: Zope 2.7 to 5, `zopeschema.xml`; ZODB 3.2 to 6, `component.xml`; ZEO 5 and 6, `component.xml`.
public struct StorageConfiguration: Hashable, Sendable {
    /// `zope.conf`, as it was given.
    public let path: String
    /// In the order of the file.
    public let databases: [ConfiguredDatabase]

    /// - Parameters:
    ///   - isOffline: the files of a `zeo.conf` are meant, not the server that has them.
    ///   - isInterrupted: asked while the file is a pipe, and waited for; then it cannot be read.
    ///   - variable: the environment, for `$(NAME)` and `~`.
    /// - Throws: `AddressError`, its text being the line it is about: `etc/zope.conf:12`.
    public init(
        _ path: String, isOffline: Bool = false, isInterrupted: @escaping @Sendable () -> Bool = { false },
        variable: @escaping @Sendable (String) -> String?
    ) throws(AddressError) {
        self.path = path
        let host = ConfigurationHost.system(isInterrupted: isInterrupted, variable: variable)
        let document: ConfigurationDocument
        do throws(ConfigurationError) {
            document = try ConfigurationDocument(path: host.expandingTilde(path), host: host)
        } catch {
            throw AddressError("\(error.location)", "\(error.reason)", advice: Self.advice(error))
        }
        databases = try DatabaseReader(host: host, isOffline: isOffline).databases(document)
        guard !databases.isEmpty else {
            throw AddressError(
                path, "no database in it: neither <zodb_db> nor <zodb>, nor <zeo> with a storage",
                advice: "a zope.conf or a zeo.conf is meant")
        }
    }

    private static func advice(_ error: ConfigurationError) -> String {
        switch error.reason {
        case .substitution(.unsetVariable(let name), _): "set it for this run: \(name)=… zeoshell …"
        case .unreadable where error.location.line > 0: "%include takes a file, relative to the one that it stands in"
        case .unreadable: "give the path of a zope.conf or a zeo.conf"
        default: "Zope or ZEO would not start with it either"
        }
    }

    /// The database of this name; without one the only one there is, else the one called `main`, else the one mounted at
    /// `/`, else the one that can be opened at all; of a server's storages the one called `1`.
    /// - Throws: `AddressError` with the names there are.
    public func database(_ name: String?) throws(AddressError) -> ConfiguredDatabase {
        if let name {
            guard let found = databases.first(where: { $0.name == name.lowercased() }) else {
                throw AddressError(path, "no database named '\(name)' in it", advice: "there are: \(list)")
            }
            return found
        }
        if databases.count == 1 { return databases[0] }
        if let main = databases.first(where: { $0.name == "main" || $0.name == "1" }) { return main }
        if let root = databases.first(where: { $0.mountPoints.contains("/") }) { return root }
        let openable = databases.filter { if case .storage = $0.content { true } else { false } }
        guard openable.count == 1 else {
            throw AddressError(path, "\(databases.count) databases in it", advice: "choose one with --db NAME: \(list)")
        }
        return openable[0]
    }

    /// `main (/), temporary (/temp_folder)`
    private var list: String {
        databases.map { database in
            database.mountPoints.isEmpty
                ? database.name : "\(database.name) (\(database.mountPoints.joined(separator: ", ")))"
        }.joined(separator: ", ")
    }
}

extension ConfigurationAddress {
    /// What it stands for.
    /// - Throws: `AddressError` with the line that says what cannot be used.
    public func resolved(
        isInterrupted: @escaping @Sendable () -> Bool = { false },
        variable: @escaping @Sendable (String) -> String?
    ) throws(AddressError) -> (database: ConfiguredDatabase, storage: ConfiguredStorage) {
        let configuration = try StorageConfiguration(
            path, isOffline: isOffline, isInterrupted: isInterrupted, variable: variable)
        let found = try configuration.database(database)
        switch found.content {
        case .storage(let storage): return (found, storage)
        case .unsupported(let error): throw error
        }
    }
}
