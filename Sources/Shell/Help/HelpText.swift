internal import ArgumentParser

/// The text of help, made of what the commands declare.
enum HelpText {
    static func document(of command: any ShellCommand.Type, width: Int) -> Report.Document {
        let text = text(of: command, width: width)
        return Report.Document(title: command.name, text: text, json: JSONText.string(text))
    }

    private static func text<Command: ShellCommand>(of command: Command.Type, width: Int) -> String {
        var lines = ["\(command.name): \(command.summary)", ""]
        let synopsis = command.synopsis.isEmpty ? "" : " " + command.synopsis
        lines.append("  \(command.name)\(synopsis)")
        if command.scope == .anywhere { lines.append("  zeoshell \(command.name) ADDRESS\(synopsis)") }
        if !command.aliases.isEmpty { lines += ["", "Also: " + command.aliases.joined(separator: ", ")] }
        if !command.discussion.isEmpty { lines += ["", command.discussion] }
        if !command.examples.isEmpty {
            let room = command.examples.map(\.line.count).max() ?? 0
            lines += ["", "Examples"]
            lines += command.examples.map { example in
                "  " + example.line + String(repeating: " ", count: room - example.line.count + 3) + example.meaning
            }
        }
        lines += options(of: command, width: width)
        let namesakes = namesakes(of: command)
        if !namesakes.isEmpty { lines += ["", "See also: " + namesakes.joined(separator: ", ")] }
        let related = CommandTable.all.filter {
            $0.group == command.group && $0.name != command.name && !namesakes.contains($0.name)
        }.map { $0.name }
        if !related.isEmpty { lines += ["", "Related: " + related.joined(separator: ", ")] }
        lines += ["", "Exit codes and output formats: help output"]
        return lines.joined(separator: "\n")
    }

    /// Commands of two words that share one with this: `cache stat` for `stat`.
    private static func namesakes(of command: any ShellCommand.Type) -> [String] {
        let words = command.name.split(separator: " ")
        return CommandTable.all.filter { other in
            let others = other.name.split(separator: " ")
            guard other.name != command.name, others.count + words.count > 2 else { return false }
            return others.contains { words.contains($0) }
        }.map { $0.name }
    }

    /// The option lists, as ArgumentParser writes them, without what stands before them.
    private static func options<Command: ShellCommand>(of command: Command.Type, width: Int) -> [String] {
        let columns = max(60, min(width, 100))
        var sections = Self.sections(of: Prompted<Command>.helpMessage(includeHidden: false, columns: columns))
        // The command's own first; ArgumentParser puts them last.
        var order = ["Arguments", "Options", "Connection options", "Output options"]
        if command is any EditingCommand.Type {
            let title = "Where the command stands alone, zeoshell \(command.name) ADDRESS …, and commits what it did"
            sections += Self.sections(of: CommitHelp.helpMessage(includeHidden: false, columns: columns))
                .filter { $0[0] == "Commit options" }.map { [title] + $0.dropFirst() }
            order.insert(title, at: 2)
        }
        return order.flatMap { name in sections.first { $0[0] == name }.map { [""] + $0 } ?? [] }
    }

    /// The lists of a help message, each with its heading first.
    private static func sections(of help: String) -> [[String]] {
        var sections: [[String]] = []
        for line in help.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            let isHeading = line.hasSuffix(":") && !line.hasPrefix(" ")
            if isHeading {
                sections.append([line.prefix(1) + line.dropFirst().dropLast().lowercased()])
            } else if !line.trimmed.isEmpty, !sections.isEmpty {
                sections[sections.count - 1].append(line)
            }
        }
        return sections
    }

    /// The options of a command, as they are typed, for completion: `--limit`, `-l`.
    static func optionNames<Command: ShellCommand>(of command: Command.Type) -> [String] {
        var names: Set<String> = []
        let help = Prompted<Command>.helpMessage(includeHidden: false, columns: 200)
        for line in help.split(separator: "\n") where line.hasPrefix("  -") {
            for part in line.dropFirst(2).split(separator: " ") {
                guard part.hasPrefix("-") else { break }
                for name in part.split(separator: "/") { names.insert(String(name.prefix { $0 != "," })) }
                if !part.hasSuffix(",") { break }
            }
        }
        return names.sorted()
    }

    /// A line of the overview. Commands of two words are told with the first of theirs: `backup verify` with `backup`.
    private struct Entry {
        var name: String
        var summary: String
        var group: CommandGroup
        var others: [String] = []

        static var all: [Entry] {
            var entries: [Entry] = []
            for command in CommandTable.all {
                let words = command.name.split(separator: " ").map(String.init)
                if words.count > 1, let index = entries.firstIndex(where: { $0.name == words[0] }) {
                    entries[index].others.append(words[1])
                } else if words.count > 1 {
                    entries.append(
                        Entry(name: words[0], summary: command.summary, group: command.group, others: [words[1]]))
                } else {
                    entries.append(Entry(name: words[0], summary: command.summary, group: command.group))
                }
            }
            return entries
        }

        var text: String {
            guard !others.isEmpty else { return summary }
            let others = others.joined(separator: ", ")
            return CommandTable.find(name) != nil ? "\(summary); also: \(others)" : "\(others): \(summary)"
        }
    }

    /// One screen: the commands by group.
    static func overview() -> String {
        let commands = Entry.all
        let room = commands.map { $0.name.count }.max() ?? 0
        let headingRoom = (CommandGroup.allCases.map(\.rawValue.count).max() ?? 0) + 2
        var lines: [String] = []
        for group in CommandGroup.allCases {
            let members = commands.filter { $0.group == group }
            guard !members.isEmpty else { continue }
            for (index, command) in members.enumerated() {
                let heading = index == 0 ? group.rawValue : ""
                let padding = String(repeating: " ", count: headingRoom - heading.count)
                let gap = String(repeating: " ", count: room - command.name.count + 2)
                lines.append(heading + padding + command.name + gap + command.text)
            }
        }
        lines += [
            "!CMD runs a command of the system; CMD | CMD pipes to one; > FILE writes to a file.",
            "help CMD explains a command; topics: \(HelpTopic.allCases.map(\.rawValue).joined(separator: ", "))",
        ]
        return lines.joined(separator: "\n")
    }
}

/// The options that an editing command has besides its own when it commits by itself.
private struct CommitHelp: ParsableCommand {
    @OptionGroup(title: "Commit options") var commit: CommitDescription
}
