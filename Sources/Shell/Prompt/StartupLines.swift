internal import LineEditing
internal import ZODB

/// What runs before the first prompt: the lines of `$XDG_CONFIG_HOME/zeoshell/rc`, then the `init` lines of the service.
///
/// A line that fails is told with its place, and the next one runs: nobody should be kept from a database by a line that
/// was meant to make it nicer.
struct StartupLines {
    struct Line: Hashable {
        var text: String
        /// `/home/ops/.config/zeoshell/rc:3`
        var place: String
    }

    let lines: [Line]

    /// - Throws: `ShellFailure` when there is a file that cannot be read.
    init(_ environment: Environment, service: Service?) throws {
        lines = try Self.rc(environment) + (service?.initLines ?? [])
    }

    private static let limit = 1 << 20

    private static func rc(_ environment: Environment) throws -> [Line] {
        guard let directory = environment.configurationDirectory() else { return [] }
        let path = directory + "/zeoshell/rc"
        let bytes: [UInt8]
        do {
            guard let found = try FilePaths.readIfPresent(path, limit: limit) else { return [] }
            bytes = found
        } catch {
            throw ShellFailure(error, at: "rc")
        }
        var lines: [Line] = []
        var text = ""
        var start = 0
        for (index, part) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let place = "\(path):\(index + 1)"
            guard let line = String(validating: part, as: UTF8.self), !line.utf8.contains(0) else {
                throw ShellFailure("rc", .usage, at: place, "not text", advice: "--no-rc starts without it")
            }
            if text.isEmpty { start = index + 1 }
            text += line
            if Words.continues(text) {
                text.removeLast()
                continue
            }
            if !text.trimmed.isEmpty { lines.append(Line(text: text, place: "\(path):\(start)")) }
            text = ""
        }
        if !text.trimmed.isEmpty { lines.append(Line(text: text, place: "\(path):\(start)")) }
        return lines
    }

    /// Runs them. Ctrl-C ends them, `quit` the session.
    func run(_ runner: CommandRunner) {
        for line in lines where !runner.session.isFinished {
            let code = runner.run(line: line.text)
            guard runner.hasFailed else { continue }
            Diagnostics.write("zeoshell: \(TerminalText.escaped(line.place)): this line failed; the session goes on\n")
            if code == .interrupted || code == .terminated { break }
        }
    }
}
