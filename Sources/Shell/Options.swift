public import ArgumentParser
internal import Storages

/// The options that every command has: how to write its answer.
struct OutputOptions: ParsableArguments {
    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("How to write the answer.", valueName: "format"))
    var format: OutputFormat?

    @Option(help: ArgumentHelp("Columns to show, in order: a,b,c.", valueName: "names"))
    var fields: FieldList?

    @Option(help: ArgumentHelp("How many rows to show; 0: all.", valueName: "n"))
    var limit: Int?

    @Flag(name: [.customShort("0"), .customLong("null")], help: "Write paths alone, each followed by a NUL.")
    var isNulSeparated = false

    @Flag(name: .customLong("utc"), help: "Show times in UTC.")
    var usesUTC = false

    @Flag(name: .customLong("wide"), help: "Do not cut columns to the screen.")
    var isWide = false

    @Option(help: ArgumentHelp("When to use colours.", valueName: "when"))
    var color: ColorChoice?

    @Option(
        help: ArgumentHelp("How to tell, on standard error, how far the work is.", valueName: "how"))
    var progress: ProgressChoice?

    @Flag(
        name: [.customShort("q"), .customLong("quiet")],
        help: "Say nothing but what was asked for and what is wrong: no remarks, no progress, no result of a job.")
    var isQuiet = false

    /// Nothing asked for.
    static var none: OutputOptions {
        get throws { try OutputOptions.parse([]) }
    }

    func validate() throws {
        if let limit, limit < 0 { throw ValidationError("--limit takes a number from 0 up") }
    }
}

/// For commands that a scheduler starts.
struct JobOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Do nothing while another run with this name is under way: exit code 9.", valueName: "name"))
    var single: JobName?
}

/// How to reach the storage. Each option is a setting, too: `Setting.all` has its name.
struct ConnectionOptions: ParsableArguments {
    @OptionGroup var source: SourceOptions

    @Option(name: .customLong("storage"), help: ArgumentHelp("Which of the server's storages (1).", valueName: "name"))
    var storageName: String?

    @Option(help: ArgumentHelp("How long to wait for a server (10; 5 for its greeting).", valueName: "seconds"))
    var timeout: Double?

    @Option(
        name: .customLong("blob-dir"), help: ArgumentHelp("Where a Data.fs keeps its blobs.", valueName: "directory"))
    var blobDirectory: String?

    @Flag(name: .customLong("rw"), help: "Allow changes; without it nothing can be written.")
    var allowsWriting = false

    @Flag(
        name: .customLong("overlay"),
        help: "Keep changes apart, in memory, until the session ends: nothing is written to the storage.")
    var isOverlay = false

    @OptionGroup var trust: TrustOptions
    @OptionGroup var cache: CacheOptions
    @OptionGroup var reach: ReachOptions

    func validate() throws {
        if let timeout, !(timeout > 0 && timeout < 1e6) {
            throw ValidationError("--timeout takes seconds, more than 0")
        }
    }

    /// What the options say; a service may say more.
    func opening(_ environment: Environment = .process) -> OpeningOptions {
        var options = OpeningOptions(
            storageName: storageName, timeout: timeout, blobDirectory: blobDirectory, isWritable: allowsWriting,
            isOverlay: isOverlay, clientLabel: Identity.label(environment))
        options.cache = cache.settings
        reach.apply(to: &options)
        return options
    }
}

/// `a,b,c`
struct FieldList: ExpressibleByArgument {
    var names: [String]

    init?(argument: String) {
        names = argument.split(separator: ",").map(String.init)
        if names.isEmpty { return nil }
    }
}

/// `--progress`
enum ProgressChoice: String, CaseIterable, ExpressibleByArgument { case auto, json, none }

extension OutputFormat: ExpressibleByArgument {}
extension ColorChoice: ExpressibleByArgument {}
