internal import ArgumentParser
internal import CommandReference
internal import ZODB
internal import ZODBFile

struct CompletionCommand: ShellCommand {
    static let name = "completion"
    static let summary = "write a completion script for bash, zsh or fish"
    static let synopsis = "bash | zsh | fish"
    static let group = CommandGroup.shell
    static let scope = CommandScope.withoutStorage
    static let operands: [OperandKind] = [.words(SystemShell.allCases.map(\.rawValue))]
    static let discussion = """
        Commands, options, their values, files, and the names of services; it is made from the same declarations as help.
        To have it in every shell:
          bash  zeoshell completion bash > ~/.local/share/bash-completion/completions/zeoshell
          zsh   zeoshell completion zsh > ~/.zfunc/_zeoshell    with fpath+=~/.zfunc before compinit
          fish  zeoshell completion fish > ~/.config/fish/completions/zeoshell.fish
        """
    static let examples = [
        CommandExample("source <(zeoshell completion bash)", "in this bash, at once"),
        CommandExample("zeoshell completion fish | source", "in this fish"),
    ]

    enum SystemShell: String, CaseIterable, ExpressibleByArgument { case bash, zsh, fish }

    @Argument(help: "Which shell it is for.") var shell: SystemShell

    func run(in session: Session) throws -> Report {
        let grammar = CommandGrammar()
        let text =
            switch shell {
            case .bash: BashScript.text(grammar)
            case .zsh: ZshScript.text(grammar)
            case .fish: FishScript.text(grammar)
            }
        return Report(.bytes(ArrayCursor([Array(text.utf8)])))
    }
}

struct ManCommand: ShellCommand {
    static let name = "man"
    static let summary = "write pages of the manual, for man(1)"
    static let synopsis = "[COMMAND | --all DIRECTORY]"
    static let group = CommandGroup.shell
    static let scope = CommandScope.withoutStorage
    static let operands: [OperandKind] = [.command]
    static let discussion = """
        Without a command the page zeoshell(1). The pages are made from the same declarations as help; --all writes them all,
        zeoshell.1, zeoshell-ls.1 and so on, into a directory that is made where it is missing.
        """
    static let examples = [
        CommandExample("zeoshell man ls | man -l -", "the page of ls"),
        CommandExample("zeoshell man --all ~/.local/share/man/man1", "all pages where man finds them"),
    ]

    @Argument(help: "The command.") var command: [String] = []
    @Option(help: ArgumentHelp("Write all pages into this directory.", valueName: "directory")) var all: String?

    func validate() throws {
        if all != nil, !command.isEmpty { throw ValidationError("--all means every command") }
    }

    func run(in session: Session) throws -> Report {
        if let all {
            let pages = ManualPages.all()
            try Directories.make(all)
            for page in pages {
                let file = try NewFile(beside: "\(all)/\(page.name).\(page.section)")
                try file.write(Array(page.roff(version: ManualPages.version).utf8))
                try file.finish(replacing: true)
            }
            return .message("\(counted(pages.count, "page")) in \(all)")
        }
        guard !command.isEmpty else { return Self.report(ManualPages.overview()) }
        guard let (type, rest) = CommandTable.find(leading: command), rest.isEmpty else {
            throw Suggestions.unknown(command[0], command.joined(separator: " "))
        }
        return Self.report(ManualPages.page(of: type))
    }

    private static func report(_ page: ManualPage) -> Report {
        Report(.bytes(ArrayCursor([Array(page.roff(version: ManualPages.version).utf8)])))
    }
}
