internal import ArgumentParser
internal import ServerConfiguration
internal import ZConfig

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Which server a command is about.
struct InstanceOptions: ParsableArguments {
    @Option(
        name: [.customShort("C"), .customLong("configure")],
        help: ArgumentHelp(
            "Configuration of the server; by default etc/zeo.conf or zeo.conf of the working directory.",
            valueName: "file"))
    var configuration: String?

    /// - Throws: `ExitCode` 2, after what is wrong was written to standard error.
    func path() throws -> String {
        if let configuration { return configuration }
        let usual = ["etc/zeo.conf", "zeo.conf"]
        guard let path = usual.first(where: { !FileAccess.isMissing($0) }) else {
            StandardError.write("zeoserver: there is neither etc/zeo.conf nor zeo.conf here; use -C FILE\n")
            throw ExitCode(ProgramExit.usage)
        }
        return path
    }

    private static var host: ConfigurationHost { .system(environment: ProcessEnvironment.variables()) }

    /// - Throws: `ExitCode` 2, after what is wrong was written to standard error.
    func settings() throws -> (path: String, settings: ServerSettings) {
        let path = try path()
        do throws(SettingsError) {
            return (path, try ServerSettings.parse(path: path, host: Self.host))
        } catch {
            StandardError.write("zeoserver: \(error)\n")
            throw ExitCode(ProgramExit.usage)
        }
    }

    /// A server that is to be found: what is wrong in its configuration is said, and does not matter otherwise.
    /// - Throws: `ExitCode` 2 when it cannot be read, after that was written to standard error.
    func instance() throws -> Instance {
        let path = try path()
        do throws(SettingsError) {
            do throws(SettingsError) {
                return Instance(
                    configuration: path, landmarks: .init(try ServerSettings.parse(path: path, host: Self.host)))
            } catch {
                let landmarks = try ServerLandmarks(path: path, host: Self.host)
                StandardError.write("zeoserver: warning: \(error)\n")
                return Instance(configuration: path, landmarks: landmarks)
            }
        } catch {
            StandardError.write("zeoserver: \(error)\n")
            throw ExitCode(ProgramExit.usage)
        }
    }
}

/// A command about a server in the background; what goes wrong is said, and ends the program.
protocol InstanceCommand: ParsableCommand {
    var options: InstanceOptions { get }
    func act(on instance: Instance) throws(InstanceError)
}

extension InstanceCommand {
    func run() throws {
        let instance = try options.instance()
        do throws(InstanceError) {
            try act(on: instance)
        } catch {
            StandardError.write("zeoserver: \(error)\n")
            throw ExitCode(error.exitCode)
        }
    }

    /// Nothing is to be started that would end at once, and nothing stopped for it.
    fileprivate func check() throws(InstanceError) {
        let settings: ServerSettings
        do {
            settings = try options.settings().settings
        } catch {
            // It was said.
            throw .wrong(["the configuration is wrong"])
        }
        let problems = ConfigurationCheck(settings).run().problems
        guard problems.isEmpty else { throw .wrong(problems) }
    }

    fileprivate func start(_ instance: Instance) throws(InstanceError) {
        let (process, log) = try instance.start()
        print("started, process \(process)" + (log.map { "; its log: \($0)" } ?? ""))
    }
}

struct StartCommand: InstanceCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", _superCommandName: ServerProgram.name,
        abstract: "Start the server in the background and wait until it answers.")
    @OptionGroup var options: InstanceOptions

    func act(on instance: Instance) throws(InstanceError) {
        let running = try instance.settle { process in
            print("process \(process) runs and does not answer: waiting for it to end, or to begin")
            fflush(nil)
        }
        if let running { return print("already running, process \(running)") }
        try start(instance)
    }
}

struct StopCommand: InstanceCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", _superCommandName: ServerProgram.name,
        abstract: "End the server when its commits have ended, and wait for that.")
    @OptionGroup var options: InstanceOptions
    @Flag(help: "Though the data of a file that was removed, renamed or replaced may be lost.") var force = false

    func act(on instance: Instance) throws(InstanceError) {
        if !force { try instance.requireSafeEnd("stop") }
        print(try instance.stop() ? "stopped" : instance.notRunning)
    }
}

struct RestartCommand: InstanceCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart", _superCommandName: ServerProgram.name,
        abstract: "Check the configuration, then stop and start the server.")
    @OptionGroup var options: InstanceOptions
    @Flag(help: "Though the data of a file that was removed, renamed or replaced may be lost.") var force = false

    func act(on instance: Instance) throws(InstanceError) {
        if !force { try instance.requireSafeEnd("restart") }
        try check()
        _ = try instance.stop()
        try start(instance)
    }
}

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", _superCommandName: ServerProgram.name,
        abstract: "Say whether the server runs; exits with 0 if so, with 3 if not, with 1 if in danger.")
    @OptionGroup var options: InstanceOptions

    func run() throws {
        let instance = try options.instance()
        let found: Instance.Found?
        do throws(InstanceError) {
            found = try instance.find()
        } catch {
            StandardError.write("zeoserver: \(error)\n")
            throw ExitCode(error.exitCode)
        }
        guard let found else {
            print(instance.notRunning)
            throw ExitCode(ProgramExit.stopped)
        }
        let lost = instance.lostFiles(of: found.process)
        guard lost.isEmpty else {
            for file in lost { print("running, but do not stop it: \(file)") }
            throw ExitCode(ProgramExit.failure)
        }
        report(found, instance)
    }

    private func report(_ found: Instance.Found, _ instance: Instance) {
        var text = "running, process \(found.process)" + (instance.isAnswering ? "" : ", but it does not answer yet")
        if let file = found.dataFile {
            let pidFile = instance.landmarks.pidFile.map { "its pid file \($0) is not there or another's" }
            text += "; \(pidFile ?? "no 'pid-filename' is set"), it was found by its lock on \(file)"
        }
        print(text)
    }
}

struct ReopenCommand: InstanceCommand {
    static let configuration = CommandConfiguration(
        commandName: "reopen", _superCommandName: ServerProgram.name,
        abstract: "Have the server open its log files again, after they were renamed.")
    @OptionGroup var options: InstanceOptions

    func act(on instance: Instance) throws(InstanceError) {
        guard let process = try instance.find()?.process, try instance.signal(process, SIGHUP) else {
            throw .stopped(instance.notRunning)
        }
    }
}

extension Instance {
    fileprivate var notRunning: String {
        let place = relativePIDFile.map {
            "; 'pid-filename' is relative to the directory that the server was started in: looked for \($0)"
        }
        return "not running" + (place ?? "")
    }
}

struct LogtailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logtail", _superCommandName: ServerProgram.name,
        abstract: "Show the end of the log and what is added to it, until Ctrl-C.")
    @OptionGroup var options: InstanceOptions
    @Option(name: [.customShort("n"), .long], help: "How many lines of what is there already.") var lines = 20
    @Flag(name: .customLong("no-follow"), help: "End with the last line.") var ends = false

    func run() throws {
        let instance = try options.instance()
        guard let path = instance.logFile else {
            StandardError.write("zeoserver: \(instance.configuration) names no log file\n")
            throw ExitCode(ProgramExit.usage)
        }
        guard LogTail(path).show(lines: max(0, lines), follows: !ends) else {
            StandardError.write("zeoserver: \(path): \(String(cString: strerror(errno)))\n")
            throw ExitCode(ProgramExit.failure)
        }
    }
}

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", _superCommandName: ServerProgram.name, abstract: "Run the server in the foreground.",
        aliases: ["fg", "foreground"])
    @OptionGroup var options: InstanceOptions

    func run() throws {
        let (path, settings) = try options.settings()
        // Parsed, for its options have their values from the parser alone.
        var serving = try ServingOptions.parse([])
        serving.configuration = path
        throw ExitCode(ServerRun(settings, serving).run())
    }
}

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", _superCommandName: ServerProgram.name,
        abstract: "Check the configuration, and say what would be served. Nothing is written.",
        discussion: """
            Exit codes: 0 it can be served, 2 the configuration is wrong, 1 anything else keeps it from being served. A \
            server that runs is not disturbed.
            """)
    @OptionGroup var options: InstanceOptions

    func run() throws {
        let (path, settings) = try options.settings()
        var result = ConfigurationCheck(settings).run()
        addRunning(&result, Instance(configuration: path, landmarks: .init(settings)))
        for line in result.lines { print(line) }
        for warning in settings.warnings { print("warning: \(warning)") }
        guard result.problems.isEmpty else {
            for problem in result.problems { StandardError.write("zeoserver: \(problem)\n") }
            throw ExitCode(result.exitCode)
        }
        print("\(path) can be served")
    }

    /// What a server that runs already has to do with it.
    private func addRunning(_ result: inout ConfigurationCheck.Result, _ instance: Instance) {
        // A pid file that cannot be read was found by then.
        guard let process = (try? instance.find())?.process else { return }
        for file in instance.lostFiles(of: process) {
            result.add("do not stop the server: \(file)", ProgramExit.failure)
        }
        for file in instance.landmarks.dataFiles
        where FileAccess.isMissing(file) && LostFile.isServed(file, by: process) == false {
            StandardError.write(
                "zeoserver: warning: \(file) does not exist, and process \(process), which runs, serves another file: "
                    + "with this configuration clients would see a new, empty database\n")
        }
    }
}
