internal import ZConfig

/// Makes settings of a configuration, and collects what its author should be told.
struct SettingsReader {
    let host: ConfigurationHost
    private(set) var warnings: [ConfigurationWarning] = []

    init(host: ConfigurationHost) { self.host = host }

    mutating func warn(_ text: String, at location: SourceLocation?) {
        warnings.append(ConfigurationWarning(location: location, text: text))
    }

    /// Warns of a key, if it is there, that does nothing.
    mutating func ignore(_ key: String, in reader: inout SectionReader, _ why: String) throws(SettingsError) {
        if try reader.has(key) { warn("'\(key)' has no effect: \(why)", at: reader.location(of: key)) }
    }

    static func document(_ path: String, _ host: ConfigurationHost) throws(SettingsError) -> ConfigurationDocument {
        do throws(ConfigurationError) {
            return try ConfigurationDocument(path: path, host: host)
        } catch {
            throw SettingsError(.syntax(error), at: error.location)
        }
    }

    // MARK: The whole file

    /// - Parameter hasStorages: the command line names storages; the file may do without, and its own are only checked.
    mutating func server(
        _ document: ConfigurationDocument, hasStorages: Bool = false
    ) throws(SettingsError) -> ServerSettings {
        imports(document.imports)
        var reader = try SectionReader(document.root)
        guard let zeo = try reader.section("zeo") else {
            throw SettingsError(.missingSection("a section <zeo>", in: "the configuration"), at: document.root.location)
        }
        let storages = reader.sections(Self.storageTypes.union(Self.unservableStorages.keys))
        let eventlog = try reader.section("eventlog")
        let runner = try reader.section("runner")
        let environment = try reader.section("environment")
        try reader.finish()

        var settings = try self.zeo(zeo)
        guard !storages.isEmpty || hasStorages else {
            let what = "a storage such as <filestorage>"
            throw SettingsError(.missingSection(what, in: "the configuration"), at: document.root.location)
        }
        settings.storages = try named(storages)
        if let eventlog { settings.log = try log(eventlog) }
        if let runner {
            settings.runner = try self.runner(runner, environment: environment)
        } else if let environment {
            warn("<environment> has no effect without <runner>", at: environment.location)
        }
        checkRoles(settings, at: zeo.location)
        settings.warnings = warnings
        return settings
    }

    private mutating func imports(_ imports: [ConfigurationImport]) {
        for one in imports where !Self.knownPackages.contains(one.package) {
            warn("%import \(one.package): sections that this package adds are not known here", at: one.location)
        }
    }

    /// Packages whose sections are known here: those that can be served, and those of which it can be said why not.
    private static let knownPackages: Set<String> = [
        "ZEO", "ZODB", "zdaemon", "ZConfig.components.logger", "ZConfig.components.basic", "zc.zlibstorage",
        "tempstorage",
        "Products.TemporaryFolder", "relstorage", "zc.zrs", "mailinglogger",
    ]
}
