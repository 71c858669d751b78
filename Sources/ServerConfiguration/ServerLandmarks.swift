public import ZConfig

/// What tells a server that runs: enough to find it, to end it and to read its log.
///
/// Of a configuration that is wrong somewhere it can be had, too: an error in a section about something else must not keep
/// anybody from stopping a server.
public struct ServerLandmarks: Hashable, Sendable {
    public var pidFile: String?
    public var addresses: [SocketAddress] = []
    public var speaksTLS = false
    /// Data files that are locked while the server runs.
    public var dataFiles: [String] = []
    /// Files of its log.
    public var logFiles: [String] = []
    public var runnerLogFile: String?
    public var transcript: String?
    /// Seconds.
    public var startTimeout = 300
    public var stopTimeout = 300

    public init(_ settings: ServerSettings) {
        pidFile = settings.pidFile
        addresses = settings.addresses
        speaksTLS = settings.tls != nil
        dataFiles = settings.storages.flatMap { $0.storage.lockedFiles }
        logFiles = (settings.log?.files ?? []).compactMap { file in
            if case .file(let path) = file.destination { path } else { nil }
        }
        guard let runner = settings.runner else { return }
        runnerLogFile = runner.logFile
        transcript = runner.transcript
        (startTimeout, stopTimeout) = (runner.startTimeout, runner.stopTimeout)
    }

    /// Reads them from a file, and passes over whatever else is wrong in it.
    /// - Throws: `SettingsError` when it cannot be read.
    public init(path: String, host: ConfigurationHost) throws(SettingsError) {
        let root: ConfigurationSection
        do throws(ConfigurationError) {
            root = try ConfigurationDocument(passingOverErrorsIn: path, host: host).root
        } catch {
            throw SettingsError(.syntax(error), at: error.location)
        }
        func value(_ key: String, _ section: ConfigurationSection?) -> String? {
            section?.keys.last { $0.key.lowercased() == key && !$0.value.isEmpty }.map { host.expandingTilde($0.value) }
        }
        let zeo = root.sections.first { $0.type == "zeo" }
        pidFile = value("pid-filename", zeo) ?? SettingsReader.instancePIDFile(host)
        addresses = (zeo?.keys ?? []).filter { $0.key.lowercased() == "address" }.compactMap {
            try? ValueType<SocketAddress>.bindingAddress($0.value)
        }
        speaksTLS = zeo?.sections.contains { $0.type == "ssl" } ?? false
        func files(_ sections: [ConfigurationSection]) -> [String] {
            sections.flatMap { section -> [String] in
                section.type == "filestorage" ? [value("path", section)].compactMap(\.self) : files(section.sections)
            }
        }
        dataFiles = files(root.sections)
        let logs = root.sections.filter { $0.type == "eventlog" }.flatMap(\.sections)
        logFiles = logs.filter { $0.type == "logfile" }.compactMap { value("path", $0) }
            .filter { $0 != "STDOUT" && $0 != "STDERR" }
        let runner = root.sections.first { $0.type == "runner" }
        runnerLogFile = value("logfile", runner)
        transcript = value("transcript", runner)
        stopTimeout = value("stop-timeout", runner).flatMap { Int($0) } ?? stopTimeout
    }
}

extension StorageSettings {
    /// Data files that are opened for writing.
    public var lockedFiles: [String] {
        switch self {
        case .file(let file): file.isReadOnly ? [] : [file.path]
        case .blob(_, let base), .zlib(_, _, let base): base.lockedFiles
        case .demo(let demo): demo.changes?.lockedFiles ?? []
        case .mapping, .temporary: []
        }
    }
}
