internal import ArgumentParser
internal import ServerConfiguration
internal import ZConfig

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The options of `runzeo`, and what this server has beyond them.
struct ServingOptions: ParsableArguments {
    @Option(
        name: [.customShort("C"), .customLong("configure")],
        help: ArgumentHelp("Configuration file, as runzeo takes it.", valueName: "file"))
    var configuration: String?

    @Option(
        name: [.customShort("a"), .customLong("address")], parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Where to listen: PORT, HOST:PORT, [IPv6]:PORT, or the path of a Unix socket with a '/' in it. May be repeated.",
            valueName: "address"))
    var addresses: [String] = []

    @Option(
        name: [.customShort("f"), .customLong("filename"), .customLong("file")],
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "A Data.fs to serve; made when there is none. May be repeated: the storages are called 1, 2, …",
            valueName: "file"))
    var filenames: [String] = []

    @Option(
        name: [.customShort("t"), .customLong("timeout")],
        help: ArgumentHelp("How long a client may hold the commit lock, in seconds.", valueName: "seconds"))
    var timeout: String?

    @Option(
        name: [.customShort("m"), .customLong("monitor")],
        help: ArgumentHelp("Where to serve statistics as text, as ZEO did until 4.", valueName: "address"))
    var monitor: String?

    @Option(
        name: .customLong("pid-file"),
        help: ArgumentHelp("File for the number of the process.", valueName: "file"))
    var pidFile: String?

    @Option(
        name: .customLong("blob-dir"),
        help: ArgumentHelp("Directory for the blobs of the one file given by -f.", valueName: "directory"))
    var blobDirectory: String?

    @Flag(
        name: .customLong("msgpack"),
        help: "Speak msgpack with clients, as the key of this name: clients before ZEO 5.1 cannot come then.")
    var usesMessagePack = false

    @Option(
        name: .customLong("threads"),
        help: ArgumentHelp("How many threads answer clients.", valueName: "count"))
    var threads = 1

    /// Refused with what to do instead; unknown it would be, too.
    @Option(
        name: [.customShort("X"), .customLong("override")], parsing: .unconditionalSingleValue,
        help: ArgumentHelp(visibility: .hidden))
    var overrides: [String] = []

    @Flag(name: .shortAndLong, help: "Log what helps to find an error, too.")
    var verbose = false

    mutating func validate() throws {
        guard (1...64).contains(threads) else {
            throw ValidationError("--threads: expected a number from 1 to 64, found \(threads)")
        }
        if let override = overrides.first {
            throw ValidationError(
                "-X \(override): runzeo's overrides are not taken; write it into the configuration (a copy of it will do), "
                    + "or use an option: -a, -f, -t, -m, --pid-file, --msgpack")
        }
    }

    /// - Throws: `ExitCode` 2, after what is wrong was written to standard error.
    func settings() throws -> ServerSettings {
        var parsed = ServerOptions()
        parsed.configurationPath = configuration
        parsed.addresses = addresses
        parsed.filenames = filenames
        parsed.timeout = timeout
        parsed.monitorAddress = monitor
        parsed.pidFile = pidFile
        parsed.blobDirectory = blobDirectory
        do throws(SettingsError) {
            var settings = try ServerSettings.parse(parsed, host: .system(environment: ProcessEnvironment.variables()))
            if usesMessagePack { settings.usesMessagePack = true }
            return settings
        } catch {
            StandardError.write("zeoserver: \(error)\n")
            if case .usage = error.reason { StandardError.write("See 'zeoserver --help'.\n") }
            throw ExitCode(ProgramExit.usage)
        }
    }
}
