internal import ArgumentParser
internal import CommandReference

/// The pages of the manual: zeoshell(1), and one for each command, made of what the commands declare.
enum ManualPages {
    static let version = "zeoshell \(Program.version)"

    /// `zeoshell-backup-verify`
    static func name(of command: any ShellCommand.Type) -> String {
        "zeoshell-" + command.name.map { $0 == " " ? "-" : String($0) }.joined()
    }

    static func all() -> [ManualPage] { [overview()] + CommandTable.all.map(page) }

    static func overview() -> ManualPage {
        var page = ManualPage(
            name: "zeoshell", section: 1, summary: "look around in, mend and back up a ZODB database, live or in a file"
        )
        page.add("Synopsis", [.verbatim(Program.usage)])
        page.add(
            "Description",
            [
                .paragraph(
                    "zeoshell reads, explains and edits the objects of a ZODB database: over ZEO from a server of any "
                        + "generation, or from a Data.fs. No Python is needed, and nothing of the database is executed."
                ),
                .paragraph("Each command is described on a page of its own: zeoshell-ls(1) is that of ls."),
            ])
        for group in CommandGroup.allCases {
            let members = CommandTable.all.filter { $0.group == group }
            page.add("Commands: \(group.rawValue)", members.map { .item(term: $0.name, $0.summary) })
        }
        page.add(options: OptionSection.all(in: ConnectOptions.helpMessage(columns: OptionSection.columns)))
        for topic in HelpTopic.allCases { page.add("On \(topic.rawValue)", blocks(topic.text)) }
        page.add("Environment", environment)
        page.add("Files", files)
        page.add("See also", [.paragraph("zeoserver(8)")])
        return page
    }

    static func page(of command: any ShellCommand.Type) -> ManualPage {
        var page = ManualPage(name: name(of: command), section: 1, summary: command.summary)
        let synopsis = command.synopsis.isEmpty ? "" : " " + command.synopsis
        var lines: [String] = []
        if command.scope != .withoutStorage { lines.append("\(command.name)\(synopsis)") }
        if command.scope == .anywhere { lines.append("zeoshell \(command.name) ADDRESS\(synopsis)") }
        if command.scope == .withoutStorage || command == ConnectCommand.self {
            lines.append("zeoshell \(command.name)\(synopsis)")
        }
        page.add("Synopsis", [.verbatim(lines.joined(separator: "\n"))])
        var blocks: [ManualPage.Block] = []
        blocks += Self.blocks(command.discussion)
        if !command.aliases.isEmpty {
            blocks.append(.paragraph("Also called " + command.aliases.joined(separator: ", ") + "."))
        }
        page.add("Description", blocks)
        page.add(options: CommandGrammar.sections(of: command))
        page.add("Examples", command.examples.map { .example($0.line, $0.meaning) })
        let related = CommandTable.all.filter { $0.group == command.group && $0.name != command.name }
        page.add(
            "See also",
            [.paragraph((["zeoshell(1)"] + related.map { name(of: $0) + "(1)" }).joined(separator: ", "))])
        return page
    }

    /// Text that help shows as it stands: prose, which man breaks to fit the screen, and lists, whose lines are indented.
    private static func blocks(_ text: String) -> [ManualPage.Block] {
        var blocks: [ManualPage.Block] = []
        var lines: [Substring] = []
        func end() {
            guard let first = lines.first else { return }
            let text = lines.joined(separator: "\n")
            blocks.append(first.hasPrefix(" ") ? .verbatim(text) : .paragraph(text))
            lines = []
        }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty || lines.first.map({ $0.hasPrefix(" ") != line.hasPrefix(" ") }) ?? false { end() }
            if !line.isEmpty { lines.append(line) }
        }
        end()
        return blocks
    }

    private static var environment: [ManualPage.Block] {
        var blocks = Setting.all.map { setting -> ManualPage.Block in
            let isSecret = setting.kind == .secret
            let text = isSecret ? "A secret that would be asked for." : "As the option --\(setting.name)."
            return .item(term: setting.variable, text)
        }
        blocks += [
            .item(term: "ZEOSHELL_SERVICES", "The user's services file, in place of the usual one."),
            .item(term: "ZEOSHELL_VAR_name", "$name in lines and scripts."),
            .item(term: "ZEOSHELL_PAGER, PAGER", "What shows answers longer than the screen."),
            .item(term: "ZEOSHELL_COMPLETION_TIME", "How long a completion at the prompt may take, in seconds."),
            .item(term: "NO_COLOR, CLICOLOR_FORCE", "No colours, or colours everywhere."),
        ]
        return blocks
    }

    private static let files: [ManualPage.Block] = [
        .item(
            term: "$XDG_CONFIG_HOME/zeoshell/config, /etc/zeoshell/config",
            "Settings, by the names of the long options."),
        .item(term: "$XDG_CONFIG_HOME/zeoshell/services, /etc/zeoshell/services", "Databases that have names."),
        .item(term: "$XDG_CONFIG_HOME/zeoshell/rc", "Commands that an interactive session begins with."),
        .item(term: "$XDG_STATE_HOME/zeoshell/history", "What was typed; mode 0600."),
        .item(term: "$XDG_STATE_HOME/zeoshell/journal", "What was committed from this machine; mode 0600."),
    ]
}
