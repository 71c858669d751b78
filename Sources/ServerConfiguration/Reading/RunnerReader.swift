public import ZConfig

extension SettingsReader {
    /// `<runner>`, and `<environment>` beside it.
    mutating func runner(
        _ section: ConfigurationSection, environment: ConfigurationSection?
    ) throws(SettingsError) -> RunnerSettings {
        var reader = try SectionReader(section)
        var runner = RunnerSettings(program: try reader.required("program", .words))
        runner.socketName = try reader.value("socket-name", host.pathBelowExistingDirectory) ?? runner.socketName
        runner.isDaemon = try reader.value("daemon", .boolean) ?? runner.isDaemon
        runner.directory = try reader.value("directory", host.directoryInExistingDirectory)
        runner.backoffLimit = try reader.value("backoff-limit", .integer) ?? runner.backoffLimit
        runner.forever = try reader.value("forever", .boolean) ?? runner.forever
        runner.exitCodes = try reader.value("exit-codes", .integers) ?? runner.exitCodes
        runner.startTestProgram = try reader.value("start-test-program", .words)
        runner.startTimeout = try reader.value("start-timeout", .integer) ?? runner.startTimeout
        runner.stopTimeout = try reader.value("stop-timeout", .integer) ?? runner.stopTimeout
        runner.user = try reader.text("user")
        runner.umask = try reader.value("umask", .octal) ?? runner.umask
        runner.hangsAround = try reader.value("hang-around", .boolean) ?? runner.hangsAround
        runner.defaultsToInteractive = try reader.value("default-to-interactive", .boolean) ?? true
        runner.logFile = try reader.text("logfile", host.pathInExistingDirectory)
        runner.transcript = try reader.text("transcript", host.pathInExistingDirectory)
        runner.prompt = try reader.text("prompt")
        // Nothing is said about them: every instance that mkzeoinst made has them.
        for key in ["python", "zdrun"] { _ = try reader.has(key) }
        if let log = try reader.section("eventlog", "logger") { runner.log = try self.log(log) }
        try reader.finish()
        if let environment { runner.environment = try variables(environment) }
        return runner
    }

    /// Names in their case, unlike the keys of every other section.
    private func variables(_ section: ConfigurationSection) throws(SettingsError) -> [String: String] {
        var variables: [String: String] = [:]
        for key in section.keys {
            guard variables.updateValue(key.value, forKey: key.key) == nil else {
                let first = section.keys.first { $0.key == key.key }?.location ?? key.location
                throw SettingsError(.repeatedKey(key.key, first: first), at: key.location)
            }
        }
        if let inside = section.sections.first {
            throw SettingsError(.unknownSection(inside.type, in: "<environment>", nearest: nil), at: inside.location)
        }
        return variables
    }
}

extension RunnerSettings {
    /// The `<runner>` of a file, whatever else is in it: of a `zeo.conf`, or of the `zeoctl.conf` that ZODB 3.2 has for it
    /// alone. Nil when there is none.
    ///
    /// - Throws: `SettingsError` with the line it is about.
    public static func read(path: String, host: ConfigurationHost) throws(SettingsError) -> RunnerSettings? {
        let document = try SettingsReader.document(path, host)
        var reader = try SectionReader(document.root)
        var settings = SettingsReader(host: host)
        let environment = try reader.section("environment")
        let log = try reader.section("eventlog")
        guard let section = try reader.section("runner") else { return nil }
        var runner = try settings.runner(section, environment: environment)
        if runner.log == nil, let log { runner.log = try settings.log(log) }
        return runner
    }
}
