internal import ArgumentParser
internal import Storages
internal import ZODB

/// The words of a command that connects.
struct ConnectionWords {
    /// As they were typed, with an address in place of `-C`.
    var typed: [String]
    /// Those that what is set stands for, then those that were typed.
    var all: [String]
}

extension Session {
    /// Puts what is set before the words that were typed, so that these hold.
    /// - Parameter read: the address that a parser finds in words.
    /// - Throws: what `read` throws; `ShellFailure` when what is set cannot be used.
    func connectionWords(
        _ words: [String], _ read: ([String]) throws -> String
    ) throws -> ConnectionWords {
        var typed = words
        if let (address, rest) = try SourceOptions.take(from: words) { typed = [address] + rest }
        let text = try read(typed)
        // What is no address is told when it is to be opened.
        let destination = try? NamedDatabases(environment).find(text)
        try interruption.check()
        let settings = try EffectiveSettings(environment, words: typed, destination: destination)
        asked = SetUp(text: text, settings: settings)
        let isServer = destination?.isServer ?? true || settings.layers[0].text("ssh") != nil
        let set = settings.words(isServer: isServer, mayWrite: destination?.mayWrite ?? true)
        guard !set.isEmpty else { return ConnectionWords(typed: typed, all: typed) }
        do {
            _ = try read(set + typed)
        } catch {
            let failure = ShellFailure(error)
            throw ShellFailure(
                "config", .usage, "what is set cannot be used: \(failure.what)",
                advice: "'zeoshell config --show-origin \(Words.quoted(text))' tells where it is set")
        }
        return ConnectionWords(typed: typed, all: set + typed)
    }

    /// What the words of a line at the prompt say, and what is set says for them.
    func prompted<Command: ShellCommand>(_ type: Command.Type, _ arguments: [String]) throws -> Prompted<Command> {
        func line(_ words: [String]) throws -> Prompted<Command> {
            try ArgumentErrors.translated(Prompted<Command>.self, words) {
                try Prompted<Command>.parse(type.arranged(words))
            }
        }
        guard type == ConnectCommand.self else { return try line(arguments) }
        let words = try connectionWords(arguments) { (try line($0).command as? ConnectCommand)?.place(in: self) ?? "" }
        return try line(words.all)
    }

    /// Takes what is set for showing answers.
    /// - Throws: `ShellFailure` for a file or a variable that is wrong.
    func takeSettings() throws {
        settings.apply(try EffectiveSettings(environment))
        for warning in ProgramVariables.unknown(environment) { Diagnostics.write("zeoshell: warning: \(warning)\n") }
    }

    /// What holds for a database.
    struct SetUp {
        /// What it is called by: a service, an address.
        var text: String
        var settings: EffectiveSettings
    }
}
