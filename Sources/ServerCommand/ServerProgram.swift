public import ArgumentParser
internal import ServerConfiguration
internal import ZConfig
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// `zeoserver`: without a subcommand it serves, with the options of Python's `runzeo`.
public struct ServerProgram: ParsableCommand {
    static let name = "zeoserver"

    public static let configuration = CommandConfiguration(
        commandName: name,
        abstract: "Serve ZODB storages to ZEO clients of every generation.",
        usage: """
            zeoserver -C zeo.conf
            zeoserver -f Data.fs -a 8800
            zeoserver <subcommand>
            """,
        discussion: """
            Takes the place of runzeo, with its options and its zeo.conf. It runs in the foreground and logs to standard
            error, unless the configuration says otherwise. SIGTERM ends it, SIGHUP opens its log files again.

            Exit codes: 0 ended as asked, 2 usage or configuration, 1 anything else.
            """,
        version: ServerVersion.text,
        subcommands: [
            InitCommand.self, CheckCommand.self, StartCommand.self, StopCommand.self, RestartCommand.self,
            StatusCommand.self, ReopenCommand.self, LogtailCommand.self, RunCommand.self, PasswdCommand.self,
            CertsCommand.self, ManualCommand.self,
        ])

    @OptionGroup var options: ServingOptions

    public init() {}

    public mutating func run() throws {
        let settings = try options.settings()
        throw ExitCode(ServerRun(settings, options).run())
    }

    /// Runs the command line.
    /// - Returns: the exit code.
    public static func run(_ arguments: [String]) -> Int32 {
        StandardStreams.occupy()
        // Chosen here, and not by the parser: it would take an option of a subcommand, such as -C, for this one's.
        let named = arguments.first.flatMap { name in
            Self.configuration.subcommands.first { $0._commandName == name }
        }
        if named == nil, let word = arguments.first, !word.hasPrefix("-") {
            let names = Self.configuration.subcommands.map { $0._commandName }.joined(separator: ", ")
            StandardError.write("zeoserver: there is no command '\(word)'; there are \(names)\n")
            StandardError.write("See 'zeoserver --help'.\n")
            return ProgramExit.usage
        }
        let type: any ParsableCommand.Type = named ?? Self.self
        do {
            var command = try type.parseAsRoot(named == nil ? arguments : Array(arguments.dropFirst()))
            try command.run()
            return ProgramExit.success
        } catch {
            let text = type.fullMessage(for: error)
            let code = type.exitCode(for: error)
            if code == .success {
                if !text.isEmpty { print(text) }
                return ProgramExit.success
            }
            if !text.isEmpty { StandardError.write(text + "\n") }
            return code == .validationFailure ? ProgramExit.usage : code.rawValue
        }
    }
}

enum ServerVersion {
    static let number = "0.1.0"
    static let text = "zeoserver \(number)"
}

/// How the program ends.
enum ProgramExit {
    static let success: Int32 = 0
    static let failure: Int32 = 1
    /// The command line or the configuration is wrong.
    static let usage: Int32 = 2
    /// `status`: there is no server.
    static let stopped: Int32 = 3
}

enum StandardError {
    static func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = FileWriting.write(bytes, to: STDERR_FILENO)
    }
}
