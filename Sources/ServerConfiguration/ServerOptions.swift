public import ZConfig

/// What the command line of `runzeo` can say. What it says wins over the file.
///
///     [-C FILE] [-a ADDRESS]… [-f FILE]… [-t SECONDS] [-m ADDRESS] [--pid-file FILE]
///
/// Source: ZEO 6.2, `ZEO/runzeo.py`; `-m` until ZEO 4. Beyond it: `-a` may be repeated, and `blobDirectory` is ours.
public struct ServerOptions: Hashable, Sendable {
    /// `-C`, `--configure`.
    public var configurationPath: String?
    /// `-a`, `--address`: several listen all.
    public var addresses: [String] = []
    /// `-f`, `--filename`: the files become the storages `1`, `2`, …; those of the file are not opened then.
    public var filenames: [String] = []
    /// `-t`, `--timeout`: `transaction-timeout`, in seconds.
    public var timeout: String?
    /// `-m`, `--monitor`.
    public var monitorAddress: String?
    /// `--pid-file`.
    public var pidFile: String?
    /// Blobs of the one file that `filenames` has.
    public var blobDirectory: String?

    public init() {}
}

extension ServerSettings {
    /// The settings of a file.
    ///
    /// - Throws: `SettingsError` with the line it is about.
    public static func parse(path: String, host: ConfigurationHost) throws(SettingsError) -> ServerSettings {
        var options = ServerOptions()
        options.configurationPath = path
        return try parse(options, host: host)
    }

    /// The settings of a command line, and of the file that it names.
    ///
    /// - Throws: `SettingsError`, with the line it is about when that is in a file.
    public static func parse(_ options: ServerOptions, host: ConfigurationHost) throws(SettingsError) -> ServerSettings
    {
        let addresses = try options.addresses.map { (text) throws(SettingsError) in
            try option("-a", text, .bindingAddress)
        }
        let storages = try options.fileStorages()
        var settings: ServerSettings
        if let path = options.configurationPath {
            var reader = SettingsReader(host: host)
            settings = try reader.server(try SettingsReader.document(path, host), hasStorages: !storages.isEmpty)
            if !addresses.isEmpty { settings.addresses = addresses }
            if !storages.isEmpty { settings.storages = storages }
        } else {
            guard !addresses.isEmpty else {
                throw SettingsError(.usage("no address to listen at; use -a or -C"), at: nil)
            }
            guard !storages.isEmpty else { throw SettingsError(.usage("no storage to serve; use -f or -C"), at: nil) }
            settings = ServerSettings(addresses: addresses, storages: storages)
            settings.usesMessagePack = SettingsReader.environmentWantsMessagePack(host)
            settings.pidFile = SettingsReader.instancePIDFile(host)
        }
        if let text = options.timeout {
            settings.transactionTimeout = try option("-t", text, .float.filter("a time in seconds") { $0 > 0 })
        }
        if let text = options.monitorAddress { settings.monitorAddress = try option("-m", text, .bindingAddress) }
        if let path = options.pidFile { settings.pidFile = path }
        return settings
    }

    private static func option<Value>(
        _ name: String, _ text: String, _ type: ValueType<Value>
    ) throws(SettingsError) -> Value {
        do throws(ValueError) {
            return try type(text)
        } catch {
            throw SettingsError(.value(key: name, error), at: nil)
        }
    }
}

extension ServerOptions {
    fileprivate func fileStorages() throws(SettingsError) -> [NamedStorage] {
        if blobDirectory != nil, filenames.count != 1 {
            throw SettingsError(.usage("a directory for blobs belongs to one file (-f)"), at: nil)
        }
        return filenames.enumerated().map { index, path in
            var file = FileStorageSettings(path: path)
            file.blobDirectory = blobDirectory
            return NamedStorage(name: "\(index + 1)", storage: .file(file))
        }
    }
}
