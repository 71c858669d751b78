public import ArgumentParser

/// One command of the shell. One declaration serves the prompt, `zeoshell NAME ADDRESS …`, help and completion.
///
/// A new command is one file, and one line in `CommandTable`. Options for output (`-o`, `--fields`, …) are added to
/// every command by those who run it; a command declares only what is its own, and answers with a value.
public protocol ShellCommand: ParsableArguments {
    static var name: String { get }
    /// Other names.
    static var aliases: [String] { get }
    /// One line, for the list of commands: `list the children of an object`.
    static var summary: String { get }
    /// What follows the name: `[-l] [PATH…]`; empty for nothing.
    static var synopsis: String { get }
    /// More to know, in paragraphs; empty when the summary says it all.
    static var discussion: String { get }
    static var group: CommandGroup { get }
    static var examples: [CommandExample] { get }
    static var scope: CommandScope { get }
    /// What the operands are, for completion; the last is that of all further ones.
    static var operands: [OperandKind] { get }
    /// Its answer only tells what it did: with `--quiet` nothing is said when all went well.
    static var isJob: Bool { get }
    /// Whether the storage is opened before it runs, alone after an address: what looks at damage, or at servers that do
    /// not answer, opens it itself.
    static var needsOpenStorage: Bool { get }
    /// Whether its answer tells of the open storage: of a server that is away, what its cache has.
    static var readsStorage: Bool { get }
    /// The exit code of every error, for those whose exit codes have meanings of their own.
    static var failureCode: ExitCode? { get }
    /// How an error is told on standard output, for those whose readers look at nothing else; nil: on standard error.
    static func failureLine(_ failure: ShellFailure) -> String?

    func run(in session: Session) throws -> Report
}

extension ShellCommand {
    public static var aliases: [String] { [] }
    public static var synopsis: String { "" }
    public static var discussion: String { "" }
    public static var examples: [CommandExample] { [] }
    public static var scope: CommandScope { .anywhere }
    public static var operands: [OperandKind] { [] }
    public static var isJob: Bool { false }
    public static var needsOpenStorage: Bool { true }
    public static var readsStorage: Bool { scope != .withoutStorage && group != .shell }
    public static var failureCode: ExitCode? { nil }
    public static func failureLine(_ failure: ShellFailure) -> String? { nil }

    static var names: [String] { [name] + aliases }

    /// The words, so that a value that begins with a minus is not taken for an option.
    static func arranged(_ words: [String]) -> [String] {
        guard operands.last == .value, !words.contains("--"),
            let index = words.lastIndex(where: { $0.hasPrefix("-") && Double($0) != nil })
        else { return words }
        var words = words
        let value = words.remove(at: index)
        return words + ["--", value]
    }
}

/// Where a command stands in the help.
public enum CommandGroup: String, CaseIterable, Sendable {
    case move, look, search, change, transaction, history, server, backup, shell
}

/// A line to type, and what it does.
public struct CommandExample: Hashable, Sendable {
    public var line: String
    public var meaning: String

    public init(_ line: String, _ meaning: String) {
        self.line = line
        self.meaning = meaning
    }
}

/// Where a command may be used.
public enum CommandScope: Sendable {
    /// At the prompt, in scripts, and alone after an address.
    case anywhere
    /// Only where there is a session that goes on.
    case sessionOnly
    /// It needs no storage: `zeoshell help`.
    case withoutStorage
}

/// What an operand names.
public enum OperandKind: Hashable, Sendable {
    case path
    /// A point in time, or a transaction.
    case when
    case command
    case helpTopic
    /// A file of this machine.
    case file
    /// A service, or an address.
    case address
    /// One of a few words.
    case words([String])
    /// A value to store; the last operand.
    case value
    case other
}

/// How a command's words are read at the prompt: the command's own options, and those for output.
struct Prompted<Command: ShellCommand>: ParsableCommand {
    @OptionGroup var command: Command
    @OptionGroup(title: "Output options") var output: OutputOptions

    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: Command.name, abstract: Command.summary)
    }
}

/// The same for a command that stages edits and, alone after an address, commits them.
struct OneShotEdit<Command: EditingCommand>: ParsableCommand {
    @Argument(help: "HOST:PORT, a socket, a Data.fs, a URI, or a service.") var address: String
    @OptionGroup var command: Command
    @OptionGroup(title: "Commit options") var commit: CommitDescription
    @OptionGroup(title: "Output options") var output: OutputOptions
    @OptionGroup(title: "Connection options") var connection: ConnectionOptions
    @OptionGroup(title: "Job options") var job: JobOptions

    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "zeoshell " + Command.name, abstract: Command.summary)
    }
}

/// How a command's words are read after `zeoshell`: the address first.
struct OneShot<Command: ShellCommand>: ParsableCommand {
    @Argument(help: "HOST:PORT, a socket, a Data.fs, or a URI.") var address: String
    @OptionGroup var command: Command
    @OptionGroup(title: "Output options") var output: OutputOptions
    @OptionGroup(title: "Connection options") var connection: ConnectionOptions
    @OptionGroup(title: "Job options") var job: JobOptions

    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "zeoshell " + Command.name, abstract: Command.summary)
    }
}

/// A command line that names what to connect to.
protocol ConnectingCommand: ParsableCommand {
    var address: String { get }
    var connection: ConnectionOptions { get }
}

extension OneShot: ConnectingCommand {}
extension OneShotEdit: ConnectingCommand {}
extension ConnectOptions: ConnectingCommand {}

/// The same for a command that needs no storage.
struct Alone<Command: ShellCommand>: ParsableCommand {
    @OptionGroup var command: Command
    @OptionGroup(title: "Output options") var output: OutputOptions
    @OptionGroup(title: "Job options") var job: JobOptions

    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "zeoshell " + Command.name, abstract: Command.summary)
    }
}
