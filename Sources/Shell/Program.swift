internal import ArgumentParser
internal import LineEditing
internal import Storages
internal import ZODB

/// The program: words of the command line in, exit status out.
public enum Program {
    public static let version = "0.1.0"

    static let usage = """
        zeoshell ADDRESS                      look around in a ZODB: HOST:PORT, a socket, a Data.fs, a URI
        zeoshell COMMAND ADDRESS [ARGUMENT]…  one command: zeoshell ls db1:8800 /Plone; or the address first
        zeoshell connect ADDRESS -c COMMAND   commands in order; -f FILE or standard input: a script
        zeoshell … -C zope.conf …             what a site's configuration names in place of an address
        zeoshell help [COMMAND]               what there is
        """

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
            Diagnostics.write(Program.usage + "\n")
            return .usage
        }
        if first.hasPrefix("-C") || first.hasPrefix("--configure") { return startConfigured() }
        return start(arguments)
    }

    /// `-C FILE` first: the words are those after the address that it stands for.
    private func startConfigured() -> ExitCode {
        do {
            guard let (address, rest) = try SourceOptions.take(from: arguments) else { return connect(arguments) }
            return start([address] + rest)
        } catch {
            return tell(error, command: nil)
        }
    }

    private func start(_ arguments: [String]) -> ExitCode {
        let first = arguments[0]
        let rest = Array(arguments.dropFirst())
        switch first {
        case "--version", "-V":
            return write("zeoshell \(Program.version)\n")
        case "--help", "-h":
            return write(Program.usage + "\n\n" + HelpText.overview() + "\n")
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
            return isAddress(first) ? connect(arguments) : tell(unknown(first), command: nil)
        }
    }

    private func isAddress(_ word: String) -> Bool {
        if word.hasPrefix("-") { return true }
        if (try? Services(environment).service(named: word)) != nil { return true }
        guard let address = try? StorageAddress(parsing: word) else { return word.contains(":") || word.contains("/") }
        _ = address
        return true
    }

    private func unknown(_ word: String) -> ShellFailure {
        let services = try? Services(environment)
        let isNearService = !Suggestions.nearest(word, among: services?.names ?? []).isEmpty
        return ShellFailure.usage(
            "'\(word)' is neither a command, a service nor an address",
            advice: isNearService ? services?.advice(for: word) : Suggestions.unknown(word, word).advice)
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
        var failure = ShellFailure(error)
        if failure.exitCode == .interrupted, Signals.wasToldToEnd { failure.exitCode = .terminated }
        Diagnostics.write(
            failure.advising(in: .oneShot), command: command, format: CommandRunner.format(in: arguments) ?? .plain)
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
            if type != HelpCommand.self { try session.takeSettings() }
            switch type.scope {
            case .sessionOnly:
                throw ShellFailure.usage(
                    "makes sense only within a session", advice: "zeoshell connect ADDRESS -c '\(Command.name) …'")
            case .withoutStorage:
                session.typedWords = words
                let parsed = try ArgumentErrors.translated(Alone<Command>.self, words) {
                    try Alone<Command>.parse(words)
                }
                session.progress.begin(runner.progressStyle(parsed.output))
                return try alone(parsed.job) { try runner.run(parsed.command, parsed.output) }
            case .anywhere:
                let (parsed, typed) = try parsed(OneShot<Command>.self, words, session)
                session.progress.begin(runner.progressStyle(parsed.output))
                session.line = Self.line(Command.name, typed, address: parsed.address)
                return try alone(parsed.job) {
                    if Command.needsOpenStorage {
                        try session.connect(parsed.address, parsed.connection)
                    } else {
                        try session.aim(at: parsed.address, parsed.connection)
                    }
                    return session.exitCode(try runner.run(parsed.command, parsed.output))
                }
            }
        } catch {
            if let text = Command.failureLine(ShellFailure(error)) {
                _ = write(text + "\n")
                return Command.failureCode ?? ShellFailure(error).exitCode
            }
            let format = CommandRunner.format(in: words) ?? session.settings.format
            let code = runner.tell(error, command: Command.name, format: format)
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
            try session.takeSettings()
            let (parsed, typed) = try parsed(OneShotEdit<Command>.self, words, session, arranged: type.arranged)
            session.progress.begin(runner.progressStyle(parsed.output))
            session.line = Self.line(Command.name, typed, address: parsed.address)
            return try alone(parsed.job) {
                try session.connect(parsed.address, parsed.connection)
                let (command, options) = (parsed.command, parsed.command.editing)
                if Command.answers {
                    let code = try runner.run(command, parsed.output)
                    guard session.stagedCount > 0 else { return session.exitCode(code) }
                }
                return try runner.run(named: Command.name, parsed.output) {
                    if !Command.answers { _ = try command.run(in: session) }
                    let choices = CommitChoices(options.isConfirmed, nil, parsed.commit)
                    return try Committer(session: session, choices: choices).commitStaged()
                }
            }
        } catch {
            let format = CommandRunner.format(in: words) ?? session.settings.format
            return runner.tell(error, command: Command.name, format: format)
        }
    }

    /// What the words say, and what is set says for them.
    /// - Returns: the words without those that stand for settings, too.
    private func parsed<Line: ConnectingCommand>(
        _ type: Line.Type, _ words: [String], _ session: Session, arranged: @escaping ([String]) -> [String] = { $0 }
    ) throws -> (line: Line, typed: [String]) {
        func line(_ words: [String]) throws -> Line {
            try ArgumentErrors.translated(type, words) { try type.parse(arranged(words)) }
        }
        let words = try session.connectionWords(words) { try line($0).address }
        return (try line(words.all), words.typed)
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
            let plain = try SourceOptions.take(from: words).map { [$0.address] + $0.rest } ?? words
            let typed = try ArgumentErrors.translated(ConnectOptions.self, plain) { try ConnectOptions.parse(plain) }
            let isInteractive = typed.commands.isEmpty && typed.file == nil && terminal.inputIsTerminal
            let signals = Signals(endsAtSecondInterrupt: !isInteractive)
            let session = session(isInteractive ? .interactive : .script, signals)
            defer { session.close() }
            try session.takeSettings()
            let options = try parsed(ConnectOptions.self, plain, session).line
            try options.apply(to: session)
            let runner = CommandRunner(session: session, signals: signals)
            let scripts = ScriptRunner(
                session: session, runner: runner, signals: signals, continues: options.continues)
            session.runScript = { try scripts.source($0) }
            do {
                session.progress.begin(runner.progressStyle(options.output))
                return try alone(options.job) {
                    try session.connect(options.address, options.connection)
                    let startup = startup(options, session, runner)
                    if isInteractive {
                        let (editor, isUTF8) = REPL.editor(session, signals)
                        return REPL(session: session, runner: runner, signals: signals, editor: editor, isUTF8: isUTF8)
                            .run(startup)
                    }
                    startup?.run(runner)
                    return try run(options, scripts, signals, session)
                }
            } catch {
                return runner.tell(error, command: ConnectCommand.name, format: session.settings.format)
            }
        } catch {
            return tell(error, command: ConnectCommand.name)
        }
    }

    /// What runs first; nil for nothing. A file that cannot be read is told of, and keeps nobody out.
    private func startup(_ options: ConnectOptions, _ session: Session, _ runner: CommandRunner) -> StartupLines? {
        guard !options.skipsStartup, session.mode == .interactive || options.wantsStartup else { return nil }
        do {
            return try StartupLines(environment, service: session.service)
        } catch {
            _ = runner.tell(error, command: nil, format: session.settings.format)
            return nil
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

    @Argument(help: "HOST:PORT, a socket, a Data.fs, a URI, or a service.") var address: String
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
    @Flag(name: .customLong("no-rc"), help: "Run neither the rc file nor the init lines of a service.")
    var skipsStartup = false
    @Flag(name: .customLong("rc"), help: "Run them before -c and -f, too, which they are not by themselves.")
    var wantsStartup = false
    @OptionGroup(title: "Output options") var output: OutputOptions
    @OptionGroup(title: "Connection options") var connection: ConnectionOptions
    @OptionGroup(title: "Job options") var job: JobOptions

    func validate() throws {
        if skipsStartup, wantsStartup { throw ValidationError("--rc and --no-rc contradict each other") }
    }

    /// What holds for every command of the session.
    func apply(to session: Session) throws {
        guard output.fields == nil, output.limit == nil, !output.isNulSeparated else {
            throw ShellFailure.usage("--fields, --limit and -0 belong to a command", advice: "-c 'ls --limit 5'")
        }
        if let format = output.format { session.settings.format = format }
        if let color = output.color { session.settings.color = color }
        if let progress = output.progress { session.settings.progress = progress }
        session.beginsByItself = beginsByItself
        if output.isQuiet { session.settings.isQuiet = true }
        if output.usesUTC { session.settings.usesUTC = true }
        if output.isWide { session.settings.isWide = true }
        for variable in variables {
            let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw ShellFailure.usage("--set \(variable): no '='", advice: "--set name=value")
            }
            session.variables[String(parts[0])] = String(parts[1])
        }
    }
}
