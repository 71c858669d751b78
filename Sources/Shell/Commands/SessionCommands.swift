internal import ArgumentParser
internal import Storages

struct QuitCommand: ShellCommand {
    static let name = "quit"
    static let aliases = ["exit"]
    static let summary = "leave (Ctrl-D does too)"
    static let group = CommandGroup.shell
    static let scope = CommandScope.sessionOnly

    func run(in session: Session) throws -> Report {
        try session.confirmLeaving()
        session.isFinished = true
        return .nothing
    }
}

struct HistoryCommand: ShellCommand {
    static let name = "history"
    static let summary = "show the lines entered before"
    static let synopsis = "[N]"
    static let group = CommandGroup.shell
    static let scope = CommandScope.sessionOnly
    static let discussion = """
        Lines are kept in $XDG_STATE_HOME/zeoshell/history, which only you may read. A line that starts with a space is
        not kept. Ctrl-R searches, the arrow keys go back and forth.
        """
    static let operands: [OperandKind] = [.other]

    @Argument(help: "How many of the newest lines.") var count: Int?

    func run(in session: Session) throws -> Report {
        let lines = session.history()
        let shown = lines.indices.suffix(max(0, count ?? 100))
        return .table(
            [Report.Column("number", tone: .dim), Report.Column("line", isFlexible: true)],
            shown.map { [.integer($0 + 1), .text(lines[$0])] })
    }
}

struct SourceCommand: ShellCommand {
    static let name = "source"
    static let summary = "run the lines of a file"
    static let synopsis = "FILE"
    static let group = CommandGroup.shell
    static let scope = CommandScope.sessionOnly
    static let discussion = """
        One command a line; '# ' begins a comment, a backslash at the end of a line joins the next. It stops at the first
        error. From the system's shell: zeoshell connect ADDRESS -f FILE
        """
    static let operands: [OperandKind] = [.file]

    @Argument(help: "The script.") var file: String

    func run(in session: Session) throws -> Report {
        try session.runScript?(file)
        return .nothing
    }
}

struct TimingCommand: ShellCommand {
    static let name = "timing"
    static let summary = "tell how long each command takes"
    static let synopsis = "[on | off]"
    static let group = CommandGroup.shell
    static let scope = CommandScope.sessionOnly
    static let operands: [OperandKind] = [.other]

    @Argument(help: "on or off; the other of the two when left out.") var state: String?

    func run(in session: Session) throws -> Report {
        switch state {
        case nil: session.settings.showsTiming.toggle()
        case "on": session.settings.showsTiming = true
        case "off": session.settings.showsTiming = false
        default: throw ShellFailure.usage("timing is on or off", advice: "timing on")
        }
        return .message("timing is \(session.settings.showsTiming ? "on" : "off")")
    }
}

struct SetOptionCommand: ShellCommand {
    static let name = "set-option"
    static let summary = "choose how answers are shown, for this session"
    static let synopsis = "[NAME VALUE]"
    static let group = CommandGroup.shell
    static let scope = CommandScope.sessionOnly
    static let operands: [OperandKind] = [.other]
    static let examples = [
        CommandExample("set-option output vertical", "a line a value, as \\x does"),
        CommandExample("set-option output auto", "table on the screen, plain in pipes"),
        CommandExample("set-option color never", "also: auto, always"),
        CommandExample("set-option utc on", "times in UTC"),
    ]

    @Argument(help: "output, color or utc.") var option: String?
    @Argument(help: "The value.") var value: String?

    func run(in session: Session) throws -> Report {
        guard let option else {
            let settings = session.settings
            return .record([
                Report.Field("output", .text(settings.format?.rawValue ?? "auto")),
                Report.Field("color", .text(settings.color.rawValue)),
                Report.Field("utc", .text(settings.usesUTC ? "on" : "off")),
                Report.Field("timing", .text(settings.showsTiming ? "on" : "off")),
            ])
        }
        guard let value else { throw ShellFailure.usage("no value for \(option)", advice: "see 'help set-option'") }
        switch option {
        case "output" where value == "auto": session.settings.format = nil
        case "output": session.settings.format = try Self.choice(value, of: OutputFormat.self, option)
        case "color": session.settings.color = try Self.choice(value, of: ColorChoice.self, option)
        case "utc" where value == "on" || value == "off": session.settings.usesUTC = value == "on"
        case "utc": throw ShellFailure.usage("utc is on or off")
        default: throw ShellFailure.usage("no option named '\(option)'", advice: "there are output, color and utc")
        }
        return .nothing
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ value: String, of type: Choice.Type, _ option: String
    ) throws -> Choice {
        guard let choice = Choice(rawValue: value) else {
            let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw ShellFailure.usage("'\(value)' is nothing for \(option)", advice: "there are: \(known)")
        }
        return choice
    }
}

/// `connect` at the prompt; on the command line `ConnectOptions` reads its words.
struct ConnectCommand: ShellCommand {
    static let name = "connect"
    static let aliases = ["open"]
    static let summary = "open a storage: HOST:PORT, a socket, a Data.fs, a URI"
    static let synopsis = "ADDRESS | -C FILE"
    static let group = CommandGroup.shell
    static let scope = CommandScope.sessionOnly
    static let discussion = """
        From the system's shell: zeoshell connect ADDRESS, or just zeoshell ADDRESS, with
          -c COMMAND         run a command and leave; may be repeated
          -f FILE            run the lines of a file and leave; - is standard input
          --set NAME=VALUE   a variable for the lines: $NAME (also from the environment, as ZEOSHELL_VAR_NAME)
          --continue         go on after a line that failed
          --auto-begin       allow changes that no 'begin' precedes
          --no-rc, --rc      leave out what an interactive session begins with; run it before -c and -f, too
        """
    static let operands: [OperandKind] = [.address]
    static let examples = [
        CommandExample("connect db1:8800", "a ZEO server"),
        CommandExample("connect db1:8800,db2:8800", "the first of several servers that will do"),
        CommandExample("connect /srv/zope/Data.fs", "a file, for reading"),
        CommandExample("connect 'zeo://db1:8800?storage=main'", "one of a server's storages, by name"),
        CommandExample("connect -C /srv/zope/etc/zope.conf", "what a Zope site uses: 'help services' tells more"),
    ]

    @Argument(help: "What to open.") var address: String
    @OptionGroup(title: "Connection options") var connection: ConnectionOptions

    func run(in session: Session) throws -> Report {
        try session.connect(place(in: session), connection)
        return Banner.report(session)
    }

    /// At the prompt nobody else expands `~`.
    func place(in session: Session) -> String {
        guard address.hasPrefix("~/"), let home = session.environment["HOME"] else { return address }
        return home + address.dropFirst(1)
    }
}
