internal import ArgumentParser

/// A command that stages edits. At the prompt and in scripts they stay staged until `commit`; alone after an address the
/// command commits what it staged, or nothing.
protocol EditingCommand: ShellCommand {
    var editing: EditOptions { get }
    /// What it says is worth reading even where a commit follows at once, or nothing is staged.
    static var answers: Bool { get }
    /// Stages. What throws leaves no trace.
    func edit(_ session: Session) throws -> Report
}

extension EditingCommand {
    static var group: CommandGroup { .change }
    static var answers: Bool { false }

    func run(in session: Session) throws -> Report { try session.edit(editing) { try edit(session) } }
}

/// The options of every command that stages edits.
struct EditOptions: ParsableArguments {
    @Flag(name: [.customShort("y"), .customLong("yes")], help: "Answer its questions with yes.")
    var isConfirmed = false

    @Option(
        name: .customLong("expect"),
        help: ArgumentHelp("Fail, and do nothing, unless exactly so many objects change.", valueName: "n"))
    var expected: Int?
}

/// The options of every command that commits.
struct CommitOptions: ParsableArguments {
    @Flag(name: [.customShort("y"), .customLong("yes")], help: "Do not ask; production asks all the same.")
    var isConfirmed = false

    @Option(
        name: .customLong("expect"),
        help: ArgumentHelp("Fail, and do nothing, unless exactly so many objects change.", valueName: "n"))
    var expected: Int?

    @OptionGroup var what: CommitDescription
}

/// What `zeoshell set ADDRESS …` has besides the options of `set`.
struct CommitDescription: ParsableArguments {
    @Option(
        name: [.customShort("m"), .customLong("message")],
        help: ArgumentHelp("What the transaction says of itself; the commands when left out.", valueName: "text"))
    var message: String?

    @Option(
        name: .customLong("yes-on"),
        help: ArgumentHelp("Do not ask if the database is called so, production included.", valueName: "name"))
    var confirmedName: String?

    @Flag(name: .customLong("dry-run"), help: "Go as far as the vote, which finds conflicts; write nothing.")
    var isDryRun = false
}

/// What a commit is told by options, however they were given.
struct CommitChoices {
    var isConfirmed = false
    var expected: Int?
    var message: String?
    var confirmedName: String?
    var isDryRun = false

    init() {}

    init(_ options: CommitOptions) { self.init(options.isConfirmed, options.expected, options.what) }

    init(_ isConfirmed: Bool, _ expected: Int?, _ what: CommitDescription) {
        (self.isConfirmed, self.expected) = (isConfirmed, expected)
        (message, confirmedName, isDryRun) = (what.message, what.confirmedName, what.isDryRun)
    }
}
