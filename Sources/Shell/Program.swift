internal import ArgumentParser
internal import LineEditing
internal import Storages
internal import ZODB

/// The program: words of the command line in, exit status out.
public enum Program {
    public static let version = "0.1.0"

    /// - Parameter arguments: without the program's own name.
    public static func run(_ arguments: [String], environment: Environment = .process) -> Int32 {
        StandardStreams.occupy()
        return Run(arguments, environment).start().rawValue
    }
}

/// One run of the program.
private struct Run {
    private let arguments: [String]
    private let environment: Environment
    private let terminal: Terminal

    init(_ arguments: [String], _ environment: Environment) {
        self.arguments = arguments
        self.environment = environment
        terminal = Terminal(environment)
    }

    func start() -> ExitCode {
        guard let first = arguments.first else {
            Diagnostics.write(Self.usage + "\n")
            return .usage
        }
        let rest = Array(arguments.dropFirst())
        switch first {
        case "--version", "-V":
            return write("zeoshell \(Program.version)\n")
        case "--help", "-h":
            return write(Self.usage + "\n\n" + HelpText.overview() + "\n")
        case ConnectCommand.name, "open":
            return connect(rest)
        default:
            if let (command, rest) = CommandTable.find(leading: arguments) {
                if let editing = command as? any EditingCommand.Type { return oneShotEdit(editing, rest) }
                return oneShot(command, rest)
            }
            // An address, then a command with its words, as people say it too: zeoshell Data.fs pack --days 7.
            if let (command, words) = CommandTable.find(leading: rest), command.scope == .anywhere, isAddress(first),
                !first.hasPrefix("-")
            {
                if let editing = command as? any EditingCommand.Type { return oneShotEdit(editing, [first] + words) }
                return oneShot(command, [first] + words)
            }
            return isAddress(first) ? connect(arguments) : tell(Self.unknown(first), command: nil)
        }
    }

    private static let usage = """
        zeoshell ADDRESS                      look around in a ZODB: HOST:PORT, a socket, a Data.fs, a URI
        zeoshell COMMAND ADDRESS [ARGUMENT]…  one command: zeoshell ls db1:8800 /Plone; or the address first
        zeoshell connect ADDRESS -c COMMAND   commands in order; -f FILE or standard input: a script
        zeoshell help [COMMAND]               what there is
        """

    private func isAddress(_ word: String) -> Bool {
        if word.hasPrefix("-") { return true }
        if (try? Services(environment).service(named: word)) != nil { return true }
        guard let address = try? StorageAddress(parsing: word) else { return word.contains(":") || word.contains("/") }
        _ = address
        return true
    }

    private static func unknown(_ word: String) -> ShellFailure {
        let failure = Suggestions.unknown(word, word)
        return ShellFailure.usage(
            "'\(word)' is neither a command nor an address", advice: failure.advice)
    }

    private func write(_ text: String) -> ExitCode {
        do {
            try Output.write(Array(text.utf8), to: 1)
            return .done
        } catch {
            return error is Output.Closed ? .done : tell(error, command: nil)
        }
    }

    private func tell(_ error: any Error, command: String?) -> ExitCode {
        let failure = ShellFailure(error)
        Diagnostics.write(failure, command: command, format: CommandRunner.format(in: arguments) ?? .plain)
        return failure.exitCode
    }

    // MARK: One command

    private func oneShot<Command: ShellCommand>(_ type: Command.Type, _ words: [String]) -> ExitCode {
        let signals = Signals(endsAtSecondInterrupt: true)
        let session = session(.oneShot, signals)
        let runner = CommandRunner(session: session, signals: signals)
        defer { session.close() }
        do {
            if Help.isAsked(words) {
                return try runner.run(HelpCommand.parse([Command.name]), try OutputOptions.none)
            }
            switch type.scope {
            case .sessionOnly:
                throw ShellFailure.usage(
                    "makes sense only within a session", advice: "zeoshell connect ADDRESS -c '\(Command.name) …'")
            case .withoutStorage:
                let parsed = try ArgumentErrors.translated(Alone<Command>.self, words) {
                    try Alone<Command>.parse(words)
                }
                session.progress.begin(runner.progressStyle(parsed.output))
                return try alone(parsed.job) { try runner.run(parsed.command, parsed.output) }
            case .anywhere:
                let parsed = try ArgumentErrors.translated(OneShot<Command>.self, words) {
                    try OneShot<Command>.parse(words)
                }
                session.progress.begin(runner.progressStyle(parsed.output))
                session.line = Self.line(Command.name, words, address: parsed.address)
                return try alone(parsed.job) {
                    if Command.needsOpenStorage {
                        try session.connect(parsed.address, parsed.connection)
                    } else {
                        try session.aim(at: parsed.address, parsed.connection)
                    }
                    return try runner.run(parsed.command, parsed.output)
                }
            }
        } catch {
            if let text = Command.failureLine(ShellFailure(error)) {
                _ = write(text + "\n")
                return Command.failureCode ?? ShellFailure(error).exitCode
            }
            let code = runner.tell(error, command: Command.name, format: CommandRunner.format(in: words))
            return Command.failureCode ?? code
        }
    }

    /// Stages, and commits what was staged or nothing.
    private func oneShotEdit<Command: EditingCommand>(_ type: Command.Type, _ words: [String]) -> ExitCode {
        if Help.isAsked(words) { return oneShot(type, words) }
        let signals = Signals(endsAtSecondInterrupt: true)
        let session = session(.oneShot, signals)
        let runner = CommandRunner(session: session, signals: signals)
        defer { session.close() }
        do {
            let parsed = try ArgumentErrors.translated(OneShotEdit<Command>.self, words) {
                try OneShotEdit<Command>.parse(type.arranged(words))
            }
            session.progress.begin(runner.progressStyle(parsed.output))
            session.line = Self.line(Command.name, words, address: parsed.address)
            return try alone(parsed.job) {
                try session.connect(parsed.address, parsed.connection)
                let (command, options) = (parsed.command, parsed.command.editing)
                if Command.answers {
                    let code = try runner.run(command, parsed.output)
                    guard session.stagedCount > 0 else { return code }
                }
                return try runner.run(named: Command.name, parsed.output) {
                    if !Command.answers { _ = try command.run(in: session) }
                    let choices = CommitChoices(options.isConfirmed, nil, parsed.commit)
                    return try Committer(session: session, choices: choices).commitStaged()
                }
            }
        } catch {
            return runner.tell(error, command: Command.name, format: CommandRunner.format(in: words))
        }
    }

    /// Does something as the one run of its name, where it has one.
    private func alone(_ job: JobOptions, _ body: () throws -> ExitCode) throws -> ExitCode {
        guard let name = job.single else { return try body() }
        let line = arguments.map(Words.quoted).joined(separator: " ")
        let lock = try SingleRun(name, environment, line: line)
        return try withExtendedLifetime(lock, body)
    }

    /// The command as it would be typed at a prompt, for the transaction's description.
    private static func line(_ name: String, _ words: [String], address: String) -> String {
        var words = words
        if let index = words.firstIndex(of: address) { words.remove(at: index) }
        words.removeAll { $0 == "--rw" || $0 == "-y" || $0 == "--yes" }
        return ([name] + words.map(Words.quoted)).joined(separator: " ")
    }

    // MARK: A session

    private func connect(_ words: [String]) -> ExitCode {
        do {
            if Help.isAsked(words) { return oneShot(HelpCommand.self, [ConnectCommand.name]) }
            let options = try ArgumentErrors.translated(ConnectOptions.self, words) { try ConnectOptions.parse(words) }
            let isInteractive = options.commands.isEmpty && options.file == nil && terminal.inputIsTerminal
            let signals = Signals(endsAtSecondInterrupt: !isInteractive)
            let session = session(isInteractive ? .interactive : .script, signals)
            defer { session.close() }
            try options.apply(to: session)
            let runner = CommandRunner(session: session, signals: signals)
            let scripts = ScriptRunner(
                session: session, runner: runner, signals: signals, continues: options.continues)
            session.runScript = { try scripts.source($0) }
            do {
                session.progress.begin(runner.progressStyle(options.output))
                return try alone(options.job) {
                    try session.connect(options.address, options.connection)
                    if isInteractive {
                        let (editor, isUTF8) = REPL.editor(session, signals)
                        return REPL(session: session, runner: runner, signals: signals, editor: editor, isUTF8: isUTF8)
                            .run()
                    }
                    return try run(options, scripts, signals, session)
                }
            } catch {
                return runner.tell(error, command: ConnectCommand.name, format: options.output.format)
            }
        } catch {
            return tell(error, command: ConnectCommand.name)
        }
    }

    /// The commands of `-c`, then a script.
    private func run(
        _ options: ConnectOptions, _ scripts: ScriptRunner, _ signals: Signals, _ session: Session
    ) throws -> ExitCode {
        var code = try scripts.run(options.commands)
        if code == .done || code == .negative, !session.isFinished {
            if let file = options.file {
                code = try scripts.runFile(file)
            } else if options.commands.isEmpty {
                code = try scripts.run(PlainLineReader(events: signals), name: "standard input")
            }
        }
        return scripts.ended(code)
    }

    private func session(_ mode: Session.Mode, _ signals: Signals) -> Session {
        let progress = Progress { Diagnostics.write($0) }
        let session = Session(
            mode: mode, terminal: terminal, environment: environment, interruption: signals.interruption,
            progress: progress
        ) { address, options, interruption in
            try openStorage(address, options: options, interruption: interruption) {
                if $0.isWait { return progress.wait(for: $0.task, seconds: $0.done) }
                progress.update($0.task, $0.done, $0.unit, of: $0.total)
            }
        }
        if terminal.inputIsTerminal, terminal.errorIsTerminal { session.questions = .atTerminal(signals) }
        return session
    }
}

/// The words after `zeoshell connect`.
struct ConnectOptions: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "zeoshell connect")

    @Argument(help: "HOST:PORT, a socket, a Data.fs, or a URI.") var address: String
    @Option(
        name: [.customShort("c"), .customLong("command")], parsing: .unconditionalSingleValue,
        help: ArgumentHelp("Run a command and leave; may be repeated.", valueName: "command"))
    var commands: [String] = []
    @Option(
        name: [.customShort("f"), .customLong("file")],
        help: ArgumentHelp("Run a script and leave; - is standard input.", valueName: "file"))
    var file: String?
    @Option(
        name: .customLong("set"), help: ArgumentHelp("A variable for the script: $name.", valueName: "name=value"))
    var variables: [String] = []
    @Flag(name: .customLong("continue"), help: "Go on after a line that failed; what it staged is taken back.")
    var continues = false
    @Flag(name: .customLong("auto-begin"), help: "Allow changes that no 'begin' precedes.")
    var beginsByItself = false
    @OptionGroup var output: OutputOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var job: JobOptions

    /// What holds for every command of the session.
    func apply(to session: Session) throws {
        guard output.fields == nil, output.limit == nil, !output.isNulSeparated else {
            throw ShellFailure.usage("--fields, --limit and -0 belong to a command", advice: "-c 'ls --limit 5'")
        }
        session.settings.format = output.format
        if let color = output.color { session.settings.color = color }
        if let progress = output.progress { session.settings.progress = progress }
        session.beginsByItself = beginsByItself
        session.settings.isQuiet = output.isQuiet
        session.settings.usesUTC = output.usesUTC
        session.settings.isWide = output.isWide
        for variable in variables {
            let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw ShellFailure.usage("--set \(variable): no '='", advice: "--set name=value")
            }
            session.variables[String(parts[0])] = String(parts[1])
        }
    }
}
