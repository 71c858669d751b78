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
            let editor = LibeditEditor(historyPath: path, events: signals) { line, cursor, deadline in
                signals.limited(until: deadline) {
                    Completion(session).completions(line, cursor)
                }
            }
            if let editor { return (editor, isUTF8) }
        }
        return (PlainLineReader(showsPrompt: session.terminal.outputIsTerminal, events: signals), isUTF8)
    }

    /// - Returns: 0, or 143 when the program was told to end.
    func run() -> ExitCode {
        let banner = Banner.lines(session)
        session.progress.clear()
        for line in banner { Diagnostics.write(TerminalText.escaped(line) + "\n") }
        while !session.isFinished {
            if signals?.isTerminated == true { return .terminated }
            do {
                guard let line = try nextLine() else {
                    Diagnostics.write("\n")
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

    private static func withoutTrailingSpace(_ line: String) -> String {
        String(line[..<(line.lastIndex { $0 != " " }.map { line.index(after: $0) } ?? line.startIndex)])
    }

    /// A line, and those that continue it.
    private func nextLine() throws(LineEditingError) -> String? {
        lookForNews()
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

    init(session: Session, runner: CommandRunner, signals: Signals?, depth: Int = 0) {
        self.session = session
        self.runner = runner
        self.signals = signals
        self.depth = depth
    }

    /// - Parameter name: what messages call the script.
    /// - Returns: the last command's code where all went well; for an error 3, or the code of wrong usage or of an
    ///   interruption.
    func run(_ reader: any LineEditor, name: String) throws -> ExitCode {
        var number = 0
        var last = ExitCode.done
        session.runScript = { [self] path in try source(path) }
        while !session.isFinished, let (text, start) = try nextLine(reader, &number) {
            last = runner.run(line: text)
            guard last != .done, last != .negative else { continue }
            Diagnostics.write("zeoshell: \(TerminalText.escaped(name)):\(start): stopped here\n")
            return Self.stopped(last)
        }
        return last
    }

    private static func stopped(_ code: ExitCode) -> ExitCode {
        switch code {
        case .usage, .interrupted, .terminated: code
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
        let inner = ScriptRunner(session: session, runner: runner, signals: signals, depth: depth + 1)
        defer { session.runScript = { [self] path in try source(path) } }
        let code = try inner.runFile(path)
        if code != .done, code != .negative { throw ShellFailure("script", code, at: path, "the script stopped") }
    }

    func runFile(_ path: String) throws -> ExitCode {
        let file = try ScriptFile(path)
        return try run(PlainLineReader(descriptor: file.descriptor, events: signals), name: path)
    }
}
