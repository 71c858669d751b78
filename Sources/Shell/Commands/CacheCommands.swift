internal import ArgumentParser
internal import ClientCache
internal import Storages
internal import ZODB

struct CacheStatCommand: ShellCommand {
    static let name = "cache stat"
    static let summary = "explain client cache files of any generation"
    static let synopsis = "[--objects | --hot] [--top N] [--against ADDRESS] FILE…"
    static let group = CommandGroup.server
    static let scope = CommandScope.withoutStorage
    static let operands: [OperandKind] = [.file]
    static let discussion = """
        Of a .zec file of zeoshell or of a Zope client, of ZODB 3.3 to ZEO 6, and of the two files that a client of Zope 2.7 and
        before has (either may be named): what it is consistent with, what is in it, whether a process has it open, and where it
        is damaged. Nothing is changed, and a file in use may be looked at.

        The classes that take the most are listed; --objects lists objects, the largest first, --hot those that were written
        last: new, or read lately and copied forward. The age is that part of the ring which was written since.

        --against asks a server whether it would keep the cache at the next connection, and what of it, by a rehearsal with a
        copy.

        Exit codes: 1 when something is damaged, or with --against when the cache would not be used.
        """
    static let examples = [
        CommandExample("cache stat var/zeo-1.zec", "what it is"),
        CommandExample("cache stat --hot --top 5 var/zeo-1.zec", "what is used most"),
        CommandExample("cache stat --against db1:8800 site.zec", "would it be kept, and why"),
    ]

    @Flag(name: .customLong("objects"), help: "List objects, the largest first.") var listsObjects = false
    @Flag(name: .customLong("hot"), help: "List objects, the last written first.") var listsHot = false
    @Option(help: ArgumentHelp("How many to list (20); 0: all.", valueName: "n")) var top = 20
    @Option(help: ArgumentHelp("The server that it is the cache of.", valueName: "address")) var against: String?
    @Option(
        name: .customLong("storage"), help: ArgumentHelp("With --against: which of its storages.", valueName: "name"))
    var storageName: String?
    @Argument(help: "The cache file.") var files: [String]

    func validate() throws {
        if listsObjects, listsHot { throw ValidationError("--objects and --hot exclude each other") }
        if top < 0 { throw ValidationError("--top takes a number from 0 up") }
        if files.isEmpty { throw ValidationError("a file is missing") }
        if files.count > 1, listsObjects || listsHot || against != nil {
            throw ValidationError("--objects, --hot and --against take one file")
        }
    }

    func run(in session: Session) throws -> Report {
        let surveys = try files.map { try CacheNames.survey($0) }
        guard let survey = surveys.first, surveys.count == 1 else { return CacheReports.list(surveys) }
        var report = CacheReports(survey, at: session.interruption)
        if let against {
            let address = try StorageAddress(parsing: against)
            var options = OpeningOptions(clientLabel: Identity.label(session.environment))
            options.storageName = storageName
            report.prospect = try cacheProspect(
                of: files[0], at: address, options: options, scratch: session.environment["TMPDIR"] ?? "/var/tmp",
                interruption: session.interruption)
        }
        let limit = top == 0 ? Int.max : top
        return try listsObjects || listsHot ? report.objects(hot: listsHot, limit) : report.classes(limit)
    }
}

struct CacheClearCommand: ShellCommand {
    static let name = "cache clear"
    static let summary = "empty a client cache file"
    static let synopsis = "FILE"
    static let group = CommandGroup.server
    static let isJob = true
    static let scope = CommandScope.withoutStorage
    static let operands: [OperandKind] = [.file]
    static let discussion = """
        The file stays, as large as it is, and holds nothing; what is in a cache is on the server too. A file that a process
        has open, or that is no cache, is not touched.
        """
    static let examples = [CommandExample("cache clear site.zec", "begin anew")]

    @Argument(help: "The cache file.") var file: String

    func run(in session: Session) throws -> Report {
        // Before a lock file is made beside it.
        _ = try CacheNames.survey(file)
        do {
            try CacheFile.clear(file)
        } catch .locked(let holder) {
            throw ShellFailure(
                "locked", .environment, at: file, "a process has the cache open: \(holder)",
                advice: "end that client first")
        }
        return Report(
            .result("\(file): emptied", [Report.Field("file", .text(file)), Report.Field("revisions", .integer(0))]))
    }
}

/// Files that are said to be caches.
private enum CacheNames {
    /// - Throws: `ShellFailure` for what is none, with what was meant instead.
    static func survey(_ path: String) throws -> CacheSurvey {
        func failure(_ code: String, _ exitCode: ExitCode, _ what: String, _ advice: String) -> ShellFailure {
            ShellFailure(code, exitCode, at: path, what, advice: advice)
        }
        let place = "a client cache is a file NAME.zec: the one that --cache named, or zeo-1.zec in a Zope's var"
        switch FileKind(ofPath: path) {
        case .file: break
        case .directory: throw failure("io", .environment, "that is a directory", place)
        case .socket, .other: throw failure("io", .environment, "that is no regular file", place)
        case .missing(2): throw failure("io", .environment, "there is no such file", place)
        case .missing(let number): throw StorageError.io(path, errno: number)
        }
        do {
            return try CacheSurvey(of: path)
        } catch .unsupported {
            throw failure(
                "unsupported", .refused, "no client cache: it begins with none of ZEC0 to ZEC3; it was not touched",
                place)
        }
    }
}
