internal import ArgumentParser
internal import CommandReference

/// What may be typed after `zeoshell`, for the system's shells: made of the command table, as help is.
struct CommandGrammar {
    struct Command {
        /// One word or two: `backup verify`.
        var name: String
        var summary: String
        /// Whether an address comes before its operands.
        var wantsAddress: Bool
        var operands: [OperandKind]
        /// Its own; those that many have are not repeated.
        var options: [OptionEntry]
        /// Of the shared ones, which it has.
        var sections: [String]
    }

    private(set) var commands: [Command] = []
    /// By title: `Output options`.
    private(set) var shared: [OptionSection] = []

    private static let sharedTitles = ["Output options", "Connection options", "Job options", "Commit options"]

    init() {
        commands = CommandTable.all.map { Self.command($0) }
        for title in Self.sharedTitles {
            guard let type = CommandTable.all.first(where: { Self.sections(of: $0).contains { $0.title == title } })
            else { continue }
            shared += Self.sections(of: type).filter { $0.title == title }
        }
    }

    private static func command(_ type: any ShellCommand.Type) -> Command {
        let sections = sections(of: type)
        return Command(
            name: type.name, summary: type.summary,
            wantsAddress: type.scope == .anywhere || type == ConnectCommand.self,
            operands: type == ConnectCommand.self ? [] : type.operands,
            options: sections.filter { !sharedTitles.contains($0.title) }.flatMap(\.entries).filter {
                $0.names != ["-h", "--help"]
            },
            sections: sections.map(\.title).filter(sharedTitles.contains))
    }

    static func sections(of type: any ShellCommand.Type) -> [OptionSection] {
        OptionSection.all(in: help(of: type))
    }

    /// The help of the command as it is typed after `zeoshell`.
    private static func help<Command: ShellCommand>(of type: Command.Type) -> String {
        let columns = OptionSection.columns
        if let editing = type as? any EditingCommand.Type { return editHelp(of: editing) }
        if type == ConnectCommand.self {
            return ConnectOptions.helpMessage(includeHidden: false, columns: columns)
        }
        return type.scope == .anywhere
            ? OneShot<Command>.helpMessage(includeHidden: false, columns: columns)
            : Alone<Command>.helpMessage(includeHidden: false, columns: columns)
    }

    private static func editHelp<Command: EditingCommand>(of type: Command.Type) -> String {
        OneShotEdit<Command>.helpMessage(includeHidden: false, columns: OptionSection.columns)
    }

    /// Those that make sense after `zeoshell`.
    var typable: [Command] {
        let found = commands.filter { command in
            command.wantsAddress || CommandTable.find(command.name)?.scope == .withoutStorage
        }
        return (found + Self.leaders(found)).sorted { $0.name < $1.name }
    }

    /// First words that are no commands by themselves: `cache` of `cache stat`. Nothing but a second word follows them.
    private static func leaders(_ commands: [Command]) -> [Command] {
        let names = Set(commands.map(\.name))
        let pairs = commands.map { $0.name.split(separator: " ").map(String.init) }.filter { $0.count == 2 }
        return Dictionary(grouping: pairs) { $0[0] }.filter { !names.contains($0.key) }.map { name, pairs in
            Command(
                name: name, summary: pairs.map { $0[1] }.joined(separator: ", "), wantsAddress: false, operands: [],
                options: [], sections: [])
        }
    }

    func options(of command: Command) -> [OptionEntry] {
        command.options + shared.filter { command.sections.contains($0.title) }.flatMap(\.entries)
    }
}

extension OptionEntry {
    /// What follows it.
    enum Value: Hashable {
        case choices([String]), file, directory, other
    }

    /// nil for a switch.
    var value: Value? {
        guard let placeholder else { return nil }
        if !choices.isEmpty { return .choices(choices) }
        switch placeholder {
        case "directory", "dir": return .directory
        case _ where placeholder.hasPrefix("file") || placeholder.hasSuffix("file") || placeholder == "path":
            return .file
        default: return .other
        }
    }
}
