internal import ArgumentParser

/// ArgumentParser's errors as ours.
enum ArgumentErrors {
    /// - Parameter words: what is read.
    /// - Throws: `ShellFailure` with exit code 2 for words that cannot be read.
    static func translated<Command: ParsableCommand, Result>(
        _ type: Command.Type, _ words: [String] = [], _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try body()
        } catch {
            let text = Command.message(for: error).split(separator: "\n").map(\.trimmed).joined(separator: " ")
            let name = Command._commandName.split(separator: " ").last.map(String.init) ?? Command._commandName
            throw ShellFailure.usage(
                negativeValue(text, words) ?? lowercasedFirst(betterGuess(text)), advice: "see 'help \(name)'")
        }
    }

    /// What begins with a minus is taken for an option, and the value before it is then missing: of a negative number that
    /// is not what is wrong.
    private static func negativeValue(_ text: String, _ words: [String]) -> String? {
        guard text.hasPrefix("Missing value for") else { return nil }
        for (option, value) in zip(words, words.dropFirst()) where text.contains("'\(option) <") {
            guard value.hasPrefix("-"), value.dropFirst().first?.isNumber == true else { continue }
            return "\(option) \(value): it takes no negative value"
        }
        return nil
    }

    /// The parser always knows a word that is meant, however far it is from the one that was typed.
    private static func betterGuess(_ text: String) -> String {
        let parts = text.split(separator: "'", omittingEmptySubsequences: false).map(String.init)
        guard text.hasPrefix("Unknown option '--"), parts.count >= 3 else { return text }
        let typed = String(parts[1].dropFirst(2))
        let guess = parts.count >= 5 ? [String(parts[3].drop { $0 == "-" })] : []
        if !Suggestions.nearest(typed, among: guess).isEmpty { return text }
        let unknown = "Unknown option '--\(typed)'"
        let formats = Suggestions.nearest(typed, among: OutputFormat.allCases.map(\.rawValue))
        if let format = formats.first { return "\(unknown). Did you mean '-o \(format)'?" }
        if !Suggestions.nearest(typed, among: ["read-only", "readonly"]).isEmpty {
            return "\(unknown): without --rw nothing is written"
        }
        return unknown
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
