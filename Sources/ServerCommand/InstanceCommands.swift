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
    func instance() throws -> Instance {
        guard let path = configuration ?? ["etc/zeo.conf", "zeo.conf"].first(where: { access($0, F_OK) == 0 }) else {
            StandardError.write("zeoserver: there is neither etc/zeo.conf nor zeo.conf here; use -C FILE\n")
            throw ExitCode(ProgramExit.usage)
        }
        do throws(SettingsError) {
            let host = ConfigurationHost.system(environment: ProcessEnvironment.variables())
            return Instance(configuration: path, settings: try ServerSettings.parse(path: path, host: host))
        } catch {
            StandardError.write("zeoserver: \(error)\n")
            throw ExitCode(ProgramExit.usage)
        }
    }
}

/// Does something with an instance; what goes wrong is said, and ends the program.
private func attempt(_ body: () throws(InstanceError) -> Void) throws {
    do throws(InstanceError) {
        try body()
    } catch {
        StandardError.write("zeoserver: \(error)\n")
        throw ExitCode(error.exitCode)
    }
}

struct StartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", _superCommandName: ServerProgram.name,
        abstract: "Start the server in the background and wait until it answers.")
    @OptionGroup var options: InstanceOptions

    func run() throws {
        let instance = try options.instance()
        try attempt { () throws(InstanceError) in
            if let process = instance.process { return print("already running, process \(process)") }
            print("started, process \(try instance.start())")
        }
    }
}

struct StopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", _superCommandName: ServerProgram.name,
        abstract: "End the server when its commits have ended, and wait for that.")
    @OptionGroup var options: InstanceOptions

    func run() throws {
        let instance = try options.instance()
        try attempt { () throws(InstanceError) in
            print(try instance.stop() ? "stopped" : "not running")
        }
    }
}

struct RestartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart", _superCommandName: ServerProgram.name, abstract: "Stop, then start.")
    @OptionGroup var options: InstanceOptions

    func run() throws {
        let instance = try options.instance()
        try attempt { () throws(InstanceError) in
            _ = try instance.stop()
            print("started, process \(try instance.start())")
        }
    }
}

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", _superCommandName: ServerProgram.name,
        abstract: "Say whether the server runs; exits with 0 if so, with 3 if not.")
    @OptionGroup var options: InstanceOptions

    func run() throws {
        let instance = try options.instance()
        guard let process = instance.process else {
            print("not running")
            throw ExitCode(ProgramExit.stopped)
        }
        print("running, process \(process)" + (instance.isAnswering ? "" : ", but it does not answer yet"))
    }
}

struct ReopenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reopen", _superCommandName: ServerProgram.name,
        abstract: "Have the server open its log files again, after they were renamed.")
    @OptionGroup var options: InstanceOptions

    func run() throws {
        let instance = try options.instance()
        guard let process = instance.process else {
            StandardError.write("zeoserver: not running\n")
            throw ExitCode(ProgramExit.stopped)
        }
        kill(process, SIGHUP)
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
        let instance = try options.instance()
        var serving = ServingOptions()
        serving.configuration = instance.configuration
        throw ExitCode(ServerRun(instance.settings, serving).run())
    }
}
