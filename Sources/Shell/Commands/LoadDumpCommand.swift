internal import ArgumentParser
internal import Storages
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

struct LoadDumpCommand: ShellCommand {
    static let name = "load-dump"
    static let summary = "make a Data.fs of a dump, or append a dump to one"
    static let synopsis = "[--append] [--python 2|3] TARGET [DUMP]"
    static let group = CommandGroup.history
    static let scope = CommandScope.withoutStorage
    static let operands: [OperandKind] = [.file, .file]
    static let isJob = true
    static let discussion = """
        Reads what 'dump' or 'zodb dump' has written, from standard input when no file is named, and compares every
        record with its hash. Transactions keep their tids. A new file appears when it is whole, or not at all, and none
        is made of a dump without a transaction; an existing one is touched with --append only, and its last transaction
        must be older than the first of the dump: each transaction is then written as a whole.
        A dump does not say which Python wrote the records: --python 2 makes a file for Python 2.
        """
    static let examples = [
        CommandExample("zeoshell load-dump copy.fs all.zdump", "a database of a dump"),
        CommandExample("zeoshell dump db1:8800 | zeoshell load-dump copy.fs", "a copy of what a server serves"),
        CommandExample("zeoshell load-dump --append copy.fs since.zdump", "bring a copy up to date"),
    ]

    @Flag(name: .customLong("append"), help: "Append to a file that is there.") var appends = false
    @Option(help: ArgumentHelp("Which Python a new file is for (3).", valueName: "2|3")) var python = 3
    @Argument(help: "A Data.fs.") var target: String
    @Argument(help: "The dump; - or nothing: standard input.") var dump = "-"

    func validate() throws {
        if PythonGeneration(rawValue: python) == nil { throw ValidationError("--python takes 2 or 3") }
    }

    func run(in session: Session) throws -> Report {
        guard session.mode == .oneShot else {
            throw ShellFailure.usage(
                "it opens a database of its own", advice: "from the system's shell: zeoshell load-dump TARGET DUMP")
        }
        if let address = try? StorageAddress(parsing: target), address.dataFile == nil {
            throw ShellFailure.usage(
                "\(target) is no Data.fs: a dump is loaded into a file",
                advice: "make a file, and have a server serve it; a server takes no transactions of the past")
        }
        if !appends, FileKind.exists(target) {
            throw ShellFailure(
                "exists", .environment, at: target, "there is a file already",
                advice: "--append adds to it; or give another name")
        }
        let input = try InputFile(dump)
        var reader = DumpReader(input.name) { () throws(StorageError) in try input.read() }
        var restoration = DumpRestoration()
        let progress = session.progress
        let report = { (done: Int) in progress.update("loading", done, "bytes", of: input.size) }
        if appends {
            try append(from: &reader, &restoration, session, report)
        } else {
            let generation = PythonGeneration(rawValue: python) ?? .python3
            let file = try NewDataFile(target, for: generation, interruption: session.interruption)
            try restoration.restore(
                from: &reader, into: file.storage, interruption: session.interruption, progress: report)
            // Half of a pipe that failed, most likely; a database without a root object is of no use to anybody.
            guard restoration.transactionCount > 0 else {
                throw ShellFailure(
                    "empty-dump", .data, at: input.name, "no transaction in it: was the dump made?",
                    advice: "no file was made; 'dump' says why when it fails")
            }
            try file.finish()
        }
        return result(restoration)
    }

    private func append(
        from reader: inout DumpReader, _ restoration: inout DumpRestoration, _ session: Session,
        _ progress: (Int) -> Void
    ) throws {
        let options = OpeningOptions(isWritable: true)
        let storage = try openStorage(
            StorageAddress(.file(target)), options: options, interruption: session.interruption
        ) { _ in }
        defer { storage.close() }
        guard let restorable = storage as? any RestorableStorage else {
            throw ShellFailure("unsupported", .refused, at: target, "a dump cannot be loaded into this storage")
        }
        do {
            try restoration.restore(
                from: &reader, into: restorable, interruption: session.interruption, progress: progress)
        } catch {
            guard restoration.transactionCount > 0 else { throw error }
            var failure = ShellFailure(error)
            failure.advice =
                "\(counted(restoration.transactionCount, "transaction")) before it were written, the last is "
                + restoration.last.hex
            throw failure
        }
    }

    private func result(_ restoration: DumpRestoration) -> Report {
        let line =
            "\(target): \(counted(restoration.transactionCount, "transaction")) and "
            + "\(counted(restoration.recordCount, "record")) loaded"
        let last = restoration.last
        return Report(
            .result(
                line,
                [
                    Report.Field("file", .text(target)),
                    Report.Field("transactions", .integer(restoration.transactionCount)),
                    Report.Field("records", .integer(restoration.recordCount)),
                    Report.Field("last_tid", title: "last tid", last == .none ? .none : .tid(last)),
                ]))
    }
}

/// A file, or standard input, read from its beginning to its end.
private final class InputFile {
    let name: String
    /// nil when it is no file.
    let size: Int?
    private let descriptor: Int32
    private var chunk = [UInt8](repeating: 0, count: 256 << 10)

    init(_ path: String) throws(StorageError) {
        name = path == "-" ? "standard input" : path
        descriptor = try FilePaths.openToRead(path)
        var status = stat()
        size = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
    }

    deinit { if descriptor > 0 { close(descriptor) } }

    /// The next bytes; none at the end.
    func read() throws(StorageError) -> [UInt8] {
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count >= 0 { return Array(chunk[..<count]) }
            guard errno == EINTR else { throw .io(name, errno: errno) }
            if Signals.wasToldToEnd { throw .interrupted }
        }
    }
}
