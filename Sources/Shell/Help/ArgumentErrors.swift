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
            throw ShellFailure.usage(negativeValue(text, words) ?? lowercasedFirst(text), advice: "see 'help \(name)'")
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
