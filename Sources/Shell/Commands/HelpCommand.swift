internal import ArgumentParser

struct HelpCommand: ShellCommand {
    static let name = "help"
    static let summary = "explain commands and topics"
    static let synopsis = "[COMMAND | TOPIC]"
    static let group = CommandGroup.shell
    static let scope = CommandScope.withoutStorage
    static let operands: [OperandKind] = [.helpTopic]
    static var examples: [CommandExample] {
        [
            CommandExample("help", "all commands on one screen"),
            CommandExample("help log", "one command: its options, with examples"),
            CommandExample("help paths", "a topic: " + HelpTopic.allCases.map(\.rawValue).joined(separator: ", ")),
        ]
    }

    @Argument(help: "A command or a topic.") var subject: [String] = []

    func run(in session: Session) throws -> Report {
        guard !subject.isEmpty else { return Self.report(HelpText.overview()) }
        let subject = subject.joined(separator: " ")
        if let topic = HelpTopic(rawValue: subject) { return Self.report(topic.text) }
        let words = try Translation.words([subject], in: session)
        guard let name = words.first, let command = CommandTable.find(name) ?? Self.family(name) else {
            throw Suggestions.unknown(subject, subject)
        }
        return .document(HelpText.document(of: command, width: session.terminal.size.columns))
    }

    /// The first command of two words that has this one: `cache stat` for `cache`, `cache clear` for `clear`. Its page names
    /// the others.
    private static func family(_ word: String) -> (any ShellCommand.Type)? {
        CommandTable.all.first { $0.name.split(separator: " ").contains { $0 == word } }
    }

    private static func report(_ text: String) -> Report {
        .document(Report.Document(text: text, json: JSONText.string(text)))
    }
}
