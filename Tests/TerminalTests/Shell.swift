import Foundation
import TestSupport

/// A shell on a terminal, with a home directory of its own.
final class Shell {
    let home = FileManager.default.temporaryDirectory.appending(path: "terminal-\(UUID().uuidString)")
    private(set) var terminal: PseudoTerminal

    static let prompt = "zope5.fs / FILE ›"

    init(
        _ file: String = SampleData.path("fs/zope5.fs"), arguments: [String] = [], environment: [String: String] = [:],
        rows: Int = 24,
        columns: Int = 80, home: URL? = nil
    ) throws {
        let home = home ?? self.home
        let basic = [
            "HOME": home.path, "XDG_STATE_HOME": home.appending(path: "state").path, "TERM": "vt100", "TZ": "UTC",
            "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "ZEOSHELL_COMPLETION_TIME": "60",
        ]
        // A busy machine's server may take longer to greet than a person would wait.
        let patience = file.hasPrefix("127.0.0.1:") ? ["--timeout", "60"] : []
        terminal = try PseudoTerminal(
            BuiltProgram.zeoshell.url.path, [file] + arguments + patience,
            environment: basic.merging(environment) { $1 }, rows: rows, columns: columns)
    }

    deinit { try? FileManager.default.removeItem(at: home) }

    var historyFile: URL { home.appending(path: "state/zeoshell/history") }

    func waitForPrompt(_ prompt: String = Shell.prompt) throws { try terminal.waitForLine(prompt) }
}
