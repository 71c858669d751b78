internal import LineEditing
internal import ZODB

/// Reads lines and runs them, until there are no more or `quit`.
final class REPL {
    private let session: Session
    private let runner: CommandRunner
    private let signals: Signals?
    private let editor: any LineEditor
    private let style: Style
    private let isUTF8: Bool

    init(session: Session, runner: CommandRunner, signals: Signals?, editor: any LineEditor, isUTF8: Bool) {
        self.session = session
        self.runner = runner
        self.signals = signals
        self.editor = editor
        self.isUTF8 = isUTF8
        let usesColor = session.terminal.usesColor(
            session.settings.color, isTerminal: session.terminal.outputIsTerminal)
        style = Style(usesColor: usesColor && !session.terminal.isDumb)
        session.history = { [unowned editor] in editor.history }
    }

    /// An editor fit for the terminal, and whether text is UTF-8 on it.
    static func editor(_ session: Session, _ signals: Signals) -> (editor: any LineEditor, isUTF8: Bool) {
        let isUTF8 = Terminal.useUTF8()
        if session.terminal.outputIsTerminal, !session.terminal.isDumb {
            let path = session.environment.stateDirectory().map { $0 + "/zeoshell/history" }
            let editor = LibeditEditor(historyPath: path, patience: patience(session.environment), events: signals) {
                line, cursor, deadline in
                signals.limited(until: deadline) {
                    Completion(session).completions(line, cursor)
                }
            }
            if let editor { return (editor, isUTF8) }
        }
        return (PlainLineReader(showsPrompt: session.terminal.outputIsTerminal, events: signals), isUTF8)
    }

    /// How long a completion may take: `$ZEOSHELL_COMPLETION_TIME` in seconds, for slow lines. By default less than the 150 ms
    /// that a person may be kept waiting, because whoever is told to stop takes a moment to hear it.
    private static func patience(_ environment: Environment) -> Duration {
        guard let text = environment["ZEOSHELL_COMPLETION_TIME"], let seconds = Double(text), seconds > 0, seconds < 1e6
        else { return .milliseconds(100) }
        return .seconds(seconds)
    }

    /// - Returns: 0, or 143 when the program was told to end.
    func run(_ startup: StartupLines? = nil) -> ExitCode {
        let banner = Banner.lines(session)
        session.progress.clear()
        for line in banner { Diagnostics.write(TerminalText.escaped(line) + "\n") }
        startup?.run(runner)
        while !session.isFinished {
            if signals?.isTerminated == true { return .terminated }
            do {
                guard let line = try nextLine() else {
                    Diagnostics.write("\n")
                    guard mayLeave() else { continue }
                    return .done
                }
                editor.remember(Self.withoutTrailingSpace(line))
                _ = runner.run(line: line)
            } catch {
                switch error {
                case .cancelled: continue
                case .terminated: return .terminated
                case .io(let number):
                    return runner.tell(StorageError.io("reading a line", errno: number), command: nil, format: nil)
                }
            }
        }
        return .done
    }

    /// Ctrl-D with edits staged: asked first.
    private func mayLeave() -> Bool {
        do {
            try session.confirmLeaving()
            return true
        } catch {
            _ = runner.tell(error, command: nil, format: nil)
            return false
        }
    }

    private static func withoutTrailingSpace(_ line: String) -> String {
        String(line[..<(line.lastIndex { $0 != " " }.map { line.index(after: $0) } ?? line.startIndex)])
    }

    /// A line, and those that continue it.
    private func nextLine() throws(LineEditingError) -> String? {
        runner.tellRemarks()
        lookForNews()
        if let remark = session.ageOfEdits() { Diagnostics.write(remark + "\n") }
        signals?.clear()
        var prompt = Prompt(session, isUTF8: isUTF8).text(style)
        var text = ""
        while let line = try editor.readLine(prompt: prompt) {
            text += line
            guard Words.continues(text) else { return text }
            text.removeLast()
            prompt = isUTF8 ? "… › " : "... > "
        }
        return text.isEmpty ? nil : text
    }

    /// Says so when others committed; a lost connection shows in the prompt.
    private func lookForNews() {
        guard let fresh = try? session.poll(), !fresh.isEmpty else { return }
        let count = fresh.count == 1 ? "1 transaction" : "\(fresh.count) transactions"
        let objects = Set(fresh.flatMap(\.oids)).count
        if !session.transaction.conflicts.isEmpty {
            let staged = counted(session.transaction.conflicts.count, "staged object")
            Diagnostics.write(
                "others changed \(staged): a commit would conflict; 'status' lists them, 'retry' re-applies\n")
        }
        Diagnostics.write(
            "others committed \(count) (\(objects) object\(objects == 1 ? "" : "s")); 'refresh' looks at the new state\n"
        )
    }
}

/// Runs the lines of a script, up to the first error.
struct ScriptRunner {
    let session: Session
    let runner: CommandRunner
    let signals: Signals?

    /// How deep scripts may call each other with `source`.
    private static let deepest = 20
    private let depth: Int
    /// Errors do not end the script.
    private let continues: Bool

    init(session: Session, runner: CommandRunner, signals: Signals?, continues: Bool = false, depth: Int = 0) {
        self.session = session
        self.runner = runner
        self.signals = signals
        self.continues = continues
        self.depth = depth
    }

    /// Runs lines given on the command line, up to the first error.
    /// - Returns: the last one's code, or that of the error.
    func run(_ lines: [String]) throws -> ExitCode {
        var worst: ExitCode?
        var last = ExitCode.done
        for line in lines where !session.isFinished {
            last = runner.run(line: line)
            guard runner.hasFailed else { continue }
            if !goesOn(after: last) { return last }
            worst = last
        }
        return worst ?? last
    }

    /// Ctrl-C and SIGTERM end a script, whatever it wants.
    private func goesOn(after code: ExitCode) -> Bool { continues && code != .interrupted && code != .terminated }

    /// The end of all lines. Edits that are still staged are forgotten, and that is an error: a missing `commit` would
    /// otherwise go unnoticed.
    func ended(_ code: ExitCode) -> ExitCode {
        let code = session.exitCode(code)
        let wasTried = session.transaction.triedLineCount == session.transaction.lines.count
        let count = session.forgetEdits()
        // Whoever tried them last, and wrote nothing, wanted no more.
        guard count > 0, !wasTried else { return code }
        let what = "\(counted(count, "staged object")) forgotten: nothing was committed"
        guard !runner.hasFailed, code == .done || code == .negative || code == .away else {
            Diagnostics.write("zeoshell: \(what)\n")
            return code
        }
        let failure = ShellFailure(
            "not-committed", .scriptStopped, "the end was reached with no commit: \(what)",
            advice: "end with 'commit', or with 'abort'")
        return runner.tell(failure, command: nil, format: session.settings.format)
    }

    /// - Parameter name: what messages call the script.
    /// - Returns: the last command's code where all went well; for an error 3, or the code of wrong usage, of an
    ///   interruption, or of what trying again may cure: a conflict, a lost connection.
    func run(_ reader: any LineEditor, name: String) throws -> ExitCode {
        var number = 0
        var last = ExitCode.done
        var worst: ExitCode?
        session.runScript = { [self] path in try source(path) }
        while !session.isFinished, let (text, start) = try nextLine(reader, &number) {
            last = runner.run(line: text)
            guard runner.hasFailed else { continue }
            guard !goesOn(after: last) else {
                worst = Self.stopped(last)
                continue
            }
            Diagnostics.write("zeoshell: \(TerminalText.escaped(name)):\(start): stopped here\n")
            return Self.stopped(last)
        }
        return worst ?? last
    }

    private static func stopped(_ code: ExitCode) -> ExitCode {
        switch code {
        case .usage, .negative, .connection, .conflict, .interrupted, .terminated: code
        default: .scriptStopped
        }
    }

    private func nextLine(_ reader: any LineEditor, _ number: inout Int) throws -> (String, Int)? {
        var text = ""
        let start = number + 1
        do {
            while let line = try reader.readLine(prompt: "") {
                number += 1
                text += line
                guard Words.continues(text) else { return (text, start) }
                text.removeLast()
            }
        } catch LineEditingError.cancelled {
            throw StorageError.interrupted
        } catch LineEditingError.terminated {
            throw StorageError.interrupted
        } catch LineEditingError.io(let number) {
            throw StorageError.io("reading the script", errno: number)
        }
        return text.isEmpty ? nil : (text, start)
    }

    /// Runs a file's lines.
    /// - Throws: `ShellFailure` when the file cannot be read or the script stopped.
    func source(_ path: String) throws {
        guard depth < Self.deepest else {
            throw ShellFailure("script", .scriptStopped, at: path, "scripts call each other too deeply")
        }
        let inner = ScriptRunner(
            session: session, runner: runner, signals: signals, continues: continues, depth: depth + 1)
        defer { session.runScript = { [self] path in try source(path) } }
        let code = try inner.runFile(path)
        if code != .done, code != .negative { throw ShellFailure("script", code, at: path, "the script stopped") }
    }

    func runFile(_ path: String) throws -> ExitCode {
        let file = try ScriptFile(path)
        return try run(
            PlainLineReader(descriptor: file.descriptor, events: signals), name: path == "-" ? "standard input" : path)
    }
}
