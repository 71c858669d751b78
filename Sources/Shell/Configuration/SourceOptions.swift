internal import ArgumentParser
internal import Storages

/// A configuration file in place of an address.
///
/// `take` finds these options before a parser sees them, and puts the address there that they stand for: the first operand
/// is no address then. They are declared all the same, for help and completion, and so that half of them is an error.
struct SourceOptions: ParsableArguments {
    @Option(
        name: [.customShort("C", allowingJoined: true), .customLong("configure")],
        help: ArgumentHelp("Instead of an address: a zope.conf or zeo.conf that names the database.", valueName: "file")
    )
    var configuration: String?

    @Option(
        name: .customLong("db"),
        help: ArgumentHelp("Which database of that file: main or 1, if it has several.", valueName: "name"))
    var database: String?

    @Flag(name: .customLong("offline"), help: "Of a zeo.conf: open the Data.fs that it names, not its server.")
    var isOffline = false

    func validate() throws {
        if configuration == nil, database != nil || isOffline {
            throw ValidationError("--db and --offline go with -C FILE")
        }
    }

    var address: ConfigurationAddress? {
        configuration.map { ConfigurationAddress(path: $0, database: database, isOffline: isOffline) }
    }

    /// The address that `-C` among words stands for, and the other words; nil when there is no `-C`.
    /// - Throws: `ShellFailure` when the words are not complete.
    static func take(from words: [String]) throws -> (address: String, rest: [String])? {
        let options = words.prefix { $0 != "--" }
        guard options.contains(where: isConfiguration) else { return nil }
        var taken: [String] = []
        var rest: [String] = []
        var index = 0
        while index < options.count {
            let word = options[index]
            index += 1
            switch word {
            case "-C", "--configure", "--db":
                taken.append(word)
                guard index < options.count else {
                    throw ShellFailure.usage("missing value for '\(word)'", advice: "-C FILE")
                }
                // A value may begin with a minus only where it is joined to its option.
                taken.append(options[index])
                index += 1
            case "--offline": taken.append(word)
            case _ where isConfiguration(word) || word.hasPrefix("--db="): taken.append(word)
            default: rest.append(word)
            }
        }
        do {
            guard let address = try SourceOptions.parse(taken).address else { return nil }
            return (address.text, rest + words.dropFirst(options.count))
        } catch {
            throw ShellFailure.usage(SourceOptions.message(for: error), advice: "-C FILE, and --db NAME if need be")
        }
    }

    private static func isConfiguration(_ word: String) -> Bool {
        word == "--configure" || word.hasPrefix("--configure=") || word.hasPrefix("-C")
    }
}
