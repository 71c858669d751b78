internal import ArgumentParser
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Runs commands and shows what they answer: the one way from words to output, for the prompt, scripts and one-shots.
final class CommandRunner {
    let session: Session
    private let signals: Signals?
    /// The last line was not done, whatever its exit code.
    private(set) var hasFailed = false

    init(session: Session, signals: Signals?) {
        self.session = session
        self.signals = signals
        session.probe = { [unowned self] line, tid in try self.probe(line, at: tid) }
    }

    /// Runs a line as typed, errors told on standard error.
    func run(line text: String) -> ExitCode {
        var command: String?
        var format: OutputFormat?
        hasFailed = false
        session.line = text.trimmed
        do {
            let line = try Words.split(text) { [session] in session.variable($0) }
            if let system = line.system { return runSystem(system) }
            guard !line.words.isEmpty else { return .done }
            session.inputLine = line
            let words = try Translation.words(line.words, in: session)
            guard let name = words.first else { return .done }
            command = name
            format = Self.format(in: Array(words.dropFirst()))
            guard let (type, arguments) = CommandTable.find(leading: words) else {
                command = nil
                throw Suggestions.unknown(name, text)
            }
            command = type.name
            return try run(type, arguments, line)
        } catch {
            return tell(error, command: command, format: format ?? session.settings.format)
        }
    }

    private func run<Command: ShellCommand>(
        _ type: Command.Type, _ arguments: [String], _ input: InputLine
    ) throws -> ExitCode {
        if Help.isAsked(arguments) {
            let help = Report.document(HelpText.document(of: type, width: session.terminal.size.columns))
            return try show(help, try OutputOptions.none, input, command: type.name, readsStorage: false)
        }
        let line = try session.prompted(type, arguments)
        return try run(line.command, line.output, input)
    }

    /// Runs a command whose words have been read.
    func run(_ command: some ShellCommand, _ options: OutputOptions, _ line: InputLine = InputLine()) throws -> ExitCode
    {
        let type = type(of: command)
        return try run(named: type.name, isJob: type.isJob, readsStorage: type.readsStorage, options, line) {
            try command.run(in: session)
        }
    }

    /// Runs what answers with a report, and shows that.
    func run(
        named name: String, isJob: Bool = false, readsStorage: Bool = true, _ options: OutputOptions,
        _ line: InputLine = InputLine(), _ body: () throws -> Report
    ) throws -> ExitCode {
        let start = ContinuousClock.now
        signals?.clear()
        session.progress.begin(progressStyle(options))
        defer {
            session.progress.clear()
            if session.settings.showsTiming {
                let time = start.duration(to: .now).components
                let seconds = Double(time.seconds) + Double(time.attoseconds) / 1e18
                Diagnostics.write("time: \(CellText.duration(seconds))\n")
            }
        }
        tellRemarks(isQuiet: isQuiet(options), format: options.format)
        let report = try body()
        return try show(report, options, line, command: name, isJob: isJob, readsStorage: readsStorage)
    }

    /// Says what is to be said of the storage, whatever is done with it.
    func tellRemarks(isQuiet: Bool = false, format: OutputFormat? = nil) {
        let format = format ?? session.settings.format ?? .plain
        for remark in session.remarks() where !isQuiet || remark.severity == .warning {
            Diagnostics.write(remark, command: nil, format: format)
        }
    }

    private func isQuiet(_ options: OutputOptions) -> Bool { options.isQuiet || session.settings.isQuiet }

    func progressStyle(_ options: OutputOptions) -> Progress.Style {
        let isQuiet = isQuiet(options) && options.progress == nil
        return switch options.progress ?? (isQuiet ? .none : session.settings.progress) {
        case .json: .json
        case .none: .none
        case .auto: session.terminal.errorIsTerminal && !session.terminal.isDumb ? .line : .waits
        }
    }

    private func runSystem(_ command: String) -> ExitCode {
        guard !command.isEmpty else { return .done }
        let status = Child.run(command)
        if status == 130 { endEcho() }
        signals?.clear()
        return status == 0 ? .done : .negative
    }

    // MARK: Showing

    private func show(
        _ report: Report, _ options: OutputOptions, _ line: InputLine, command: String, isJob: Bool = false,
        readsStorage: Bool
    ) throws -> ExitCode {
        let target = try Target(line, session: session, usesPager: !report.isLive)
        var rendering = rendering(options, isTerminal: target.isTerminal)
        if report.isLive, options.limit == nil { rendering.limit = nil }
        if let screen = report.screen, target.isTerminal, session.terminal.inputIsTerminal, !session.terminal.isDumb,
            rendering.format == .table, options.fields == nil, options.limit == nil
        {
            let code = try screen(rendering.style, rendering.zone)
            hasFailed = code == .interrupted || code == .terminated
            return code
        }
        let progress = session.progress
        let isQuiet = isQuiet(options)
        var result: [UInt8]? = isQuiet && isJob ? [] : nil
        let output = Output(isUnbuffered: target.isTerminal) { bytes in
            progress.clear()
            if result == nil { try target.write(bytes) } else { result? += bytes }
        }
        do {
            let omission = try rendering.write(report, to: output)
            try output.flush()
            let conclusion = report.conclusion()
            if let result, conclusion.isNegative || !conclusion.failures.isEmpty { try target.write(result) }
            try target.finish()
            // Who tells by a code of its own knows of servers that are away.
            if readsStorage, conclusion.exitCode == nil { session.noteAnswer() }
            // Who asked for so many rows knows.
            let told = options.limit == nil && session.settings.limit == nil && !isQuiet ? omission : .none
            return conclude(conclusion, told, rendering.format, command: command, isQuiet: isQuiet)
        } catch is Output.Closed {
            // The reader has had enough, or Ctrl-C was for both.
            try target.finish()
            guard session.interruption.isRaised else { return .done }
            hasFailed = true
            endEcho()
            return .interrupted
        } catch {
            try? output.flush()
            try? target.finish()
            throw error
        }
    }

    private func conclude(
        _ conclusion: Report.Conclusion, _ omission: Rendering.Omission, _ format: OutputFormat, command: String,
        isQuiet: Bool
    ) -> ExitCode {
        switch omission {
        case .none: break
        case .rows(let count): Diagnostics.note("… \(grouped(count)) more: --limit 0 shows all", format: format)
        case .someRows: Diagnostics.note("… there are more: --limit 0 shows all", format: format)
        }
        if conclusion.exitCode == .interrupted { endEcho() }
        for message in conclusion.messages where !isQuiet || message.severity == .warning {
            Diagnostics.write(message, command: command, format: format)
        }
        if !conclusion.failures.isEmpty { hasFailed = true }
        for failure in conclusion.failures {
            Diagnostics.write(failure.advising(in: session.mode), command: command, format: format)
        }
        if let code = conclusion.exitCode {
            // Ctrl-C is for the whole script.
            if code == .interrupted || code == .terminated { hasFailed = true }
            return code
        }
        return conclusion.failures.last?.exitCode ?? (conclusion.isNegative ? .negative : .done)
    }

    /// A screen takes no more than this many rows unless told to.
    private static let screenLimit = 1000

    func rendering(_ options: OutputOptions, isTerminal: Bool) -> Rendering {
        let format = options.format ?? session.settings.format ?? (isTerminal ? .table : .plain)
        let color = options.color ?? session.settings.color
        let limit = options.limit ?? session.settings.limit ?? (isTerminal && format.isForPeople ? Self.screenLimit : 0)
        return Rendering(
            format: format, isTerminal: isTerminal, width: session.terminal.size.columns,
            isWide: options.isWide || session.settings.isWide,
            usesColor: format.isForPeople && session.terminal.usesColor(color, isTerminal: isTerminal),
            zone: options.usesUTC || session.settings.usesUTC ? .utc : .system, fields: options.fields?.names,
            limit: limit == 0 ? nil : limit, isNulSeparated: options.isNulSeparated)
    }

    // MARK: Errors

    /// The terminal has written `^C`, and left the cursor behind it.
    private func endEcho() {
        if session.mode == .interactive, session.terminal.errorIsTerminal { Diagnostics.write("\n") }
    }

    /// Writes the error to standard error.
    func tell(_ error: any Error, command: String?, format: OutputFormat?) -> ExitCode {
        session.progress.clear()
        if error is Output.Closed { return .done }
        hasFailed = true
        var failure = ShellFailure(error)
        if failure.exitCode == .interrupted, signals?.isTerminated == true { failure.exitCode = .terminated }
        if failure.exitCode == .interrupted { endEcho() }
        Diagnostics.write(failure.advising(in: session.mode), command: command, format: format ?? .plain)
        return failure.exitCode
    }

    /// `-o FORMAT` among words that could not be read.
    static func format(in arguments: [String]) -> OutputFormat? {
        for (index, word) in arguments.enumerated() {
            if word == "--" { return nil }
            if word == "-o" || word == "--output" {
                return index + 1 < arguments.count ? OutputFormat(rawValue: arguments[index + 1]) : nil
            }
            for prefix in ["--output=", "-o="] where word.hasPrefix(prefix) {
                return OutputFormat(rawValue: String(word.dropFirst(prefix.count)))
            }
            if word.hasPrefix("-o"), !word.hasPrefix("--"),
                let format = OutputFormat(rawValue: String(word.dropFirst(2)))
            {
                return format
            }
        }
        return nil
    }
}

/// Where a command's output goes: standard output, the pager, a file, or a command of the system's shell.
private final class Target {
    let isTerminal: Bool
    private let pager: Pager?
    private let child: Child?
    private var descriptor: Int32 = 1

    init(_ line: InputLine, session: Session, usesPager: Bool = true) throws {
        isTerminal = line.pipe == nil && line.redirection == nil && session.terminal.outputIsTerminal
        child = try line.pipe.map { try Child($0) }
        let size = session.terminal.size
        pager =
            usesPager && isTerminal && session.mode == .interactive && !session.terminal.isDumb
            ? Pager(command: Pager.command(session.environment), rows: size.rows - 1, columns: size.columns) : nil
        if let redirection = line.redirection {
            let flags = O_WRONLY | O_CREAT | O_CLOEXEC | (redirection.appends ? O_APPEND : O_TRUNC)
            descriptor = open(redirection.path, flags, 0o666)
            guard descriptor >= 0 else { throw ShellFailure(.io(redirection.path, errno: errno)) }
        }
    }

    deinit { if descriptor > 1 { close(descriptor) } }

    func write(_ bytes: [UInt8]) throws {
        if let child {
            try child.write(bytes)
        } else if let pager {
            try pager.write(bytes)
        } else {
            try Output.write(bytes, to: descriptor)
        }
    }

    /// Waits for whoever reads; says when a command of a pipe failed.
    func finish() throws {
        try pager?.finish()
        guard let status = child?.wait(), status == 126 || status == 127 else { return }
        throw ShellFailure("pipe", .environment, "the command after '|' could not be run: exit status \(status)")
    }
}
