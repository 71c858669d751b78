internal import ArgumentParser

/// ArgumentParser's errors as ours.
enum ArgumentErrors {
    /// - Throws: `ShellFailure` with exit code 2 for words that cannot be read.
    static func translated<Command: ParsableCommand, Result>(
        _ type: Command.Type, _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try body()
        } catch {
            let text = Command.message(for: error).split(separator: "\n").map(\.trimmed).joined(separator: " ")
            let name = Command._commandName.split(separator: " ").last.map(String.init) ?? Command._commandName
            throw ShellFailure.usage(lowercasedFirst(text), advice: "see 'help \(name)'")
        }
    }

    private static func lowercasedFirst(_ text: String) -> String {
        text.prefix(1).lowercased() + text.dropFirst()
    }
}

enum Help {
    /// Whether the words ask for help: `--help` or `-h` before any `--`.
    static func isAsked(_ arguments: [String]) -> Bool {
        arguments.prefix { $0 != "--" }.contains { $0 == "--help" || $0 == "-h" }
    }
}
