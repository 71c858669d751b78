internal import ArgumentParser
internal import ObjectGraph
internal import ZODB

/// What a line answers at one moment of the past, its output thrown away.
struct Probe {
    /// 0: yes. Of a line with a pipe the exit status of what stands behind it, else the command's.
    var status: Int32
    /// What it complained about; nil when it did not.
    var complaint: String?
}

extension CommandRunner {
    /// Runs a line of a command that only looks, and shows nothing of it.
    /// - Throws: what says nothing about the data: wrong usage, a lost connection, an interruption.
    func probe(_ text: String, at tid: TransactionID) throws -> Probe {
        let line = try Words.split(text) { [session] in session.variable($0) }
        let words = try Translation.words(line.words, in: session)
        guard let name = words.first, line.system == nil else {
            throw ShellFailure.usage("'\(text)' is no command of zeoshell", advice: "-- 'get PATH | grep -q TEXT'")
        }
        guard let type = CommandTable.find(name) else { throw Suggestions.unknown(name, text) }
        guard type.scope == .anywhere, type != BisectCommand.self else {
            throw ShellFailure.usage("'\(name)' does not look at the past", advice: "a command such as get, ls, find")
        }
        let (place, previous, path, past) = (session.place, session.previous, session.path, session.past)
        session.past = tid
        defer { (session.place, session.previous, session.path, session.past) = (place, previous, path, past) }
        do {
            return try probe(type, Array(words.dropFirst()), line)
        } catch {
            let failure = ShellFailure(error)
            switch failure.exitCode {
            case .data, .negative:
                return Probe(status: failure.exitCode.rawValue, complaint: failure.message(command: name))
            default: throw failure
            }
        }
    }

    private func probe<Command: ShellCommand>(
        _ type: Command.Type, _ arguments: [String], _ line: InputLine
    ) throws -> Probe {
        let parsed = try ArgumentErrors.translated(Prompted<Command>.self) { try Prompted<Command>.parse(arguments) }
        let child = try line.pipe.map { try Child("{ \($0)\n} >/dev/null") }
        let report = try parsed.command.run(in: session)
        let output = Output { bytes in try child?.write(bytes) }
        do {
            _ = try rendering(parsed.output, isTerminal: false).write(report, to: output)
            try output.flush()
        } catch is Output.Closed {
            // The reader has seen enough.
        }
        let conclusion = report.conclusion()
        if let failure = conclusion.failures.last {
            _ = child?.wait()
            throw failure
        }
        if let child { return Probe(status: child.wait(), complaint: nil) }
        return Probe(status: conclusion.isNegative ? ExitCode.negative.rawValue : 0, complaint: nil)
    }
}
