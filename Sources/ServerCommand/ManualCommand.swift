internal import ArgumentParser
internal import CommandReference

/// `zeoserver man`: the page zeoserver(8), made of what the commands declare.
struct ManualCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "man", abstract: "Write the page zeoserver(8) of the manual, for man(1).",
        discussion: "zeoserver man | man -l -")

    func run() { print(Self.page().roff(version: ServerVersion.text), terminator: "") }

    static func page() -> ManualPage {
        let program = ServerProgram.configuration
        var page = ManualPage(name: ServerProgram.name, section: 8, summary: "serve ZODB storages to ZEO clients")
        page.add("Synopsis", [.verbatim(program.usage ?? ServerProgram.name)])
        page.add(
            "Description", program.discussion.split(separator: "\n\n").map { .paragraph(String($0)) })
        page.add(options: Self.sections(of: ServerProgram.self))
        for command in program.subcommands {
            let configuration = command.configuration
            var blocks: [ManualPage.Block] = [.paragraph(configuration.abstract)]
            if !configuration.discussion.isEmpty { blocks.append(.verbatim(configuration.discussion)) }
            for entry in Self.sections(of: command).flatMap(\.entries) where !entry.names.contains("--help") {
                let value = entry.placeholder.map { " \($0)" } ?? ""
                blocks.append(.item(term: entry.names.joined(separator: ", ") + value, entry.help))
            }
            page.add("zeoserver \(command._commandName)", blocks)
        }
        page.add(
            "Environment",
            [
                .item(term: "ZEO_MSGPACK", "Not empty: msgpack is spoken, as with the key of that name."),
                .item(term: "INSTANCE_HOME", "Where the file for the number of the process is by default."),
            ])
        page.add("See also", [.paragraph("zeoshell(1)")])
        return page
    }

    private static func sections(of command: any ParsableCommand.Type) -> [OptionSection] {
        OptionSection.all(in: command.helpMessage(includeHidden: false, columns: OptionSection.columns))
    }
}
