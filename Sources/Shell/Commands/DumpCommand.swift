internal import ArgumentParser
internal import ZODB

struct DumpCommand: ShellCommand {
    static let name = "dump"
    static let summary = "write transactions as text, for zodbtools and load-dump"
    static let synopsis = "[--plain | --hash-only] [--since WHEN] [--until WHEN] [FIRST..LAST]"
    static let group = CommandGroup.history
    static let discussion = """
        The format of 'zodb dump' (zodbtools, NEO/go): text, with the bytes of each record as they are, and a hash of
        them. Written twice it is the same, byte for byte, so dumps can be compared; --hash-only is enough for that.
        FIRST and LAST are tids or points in time, and either may be left out.
        --plain lists transactions and records for people, in the words of Python's fsdump.
        The contents of blobs are in files of their own, and not in a dump. Over the network the extensions of
        transactions are pickled anew.
        """
    static let examples = [
        CommandExample("zeoshell dump Data.fs > all.zdump", "everything, for zodb restore or load-dump"),
        CommandExample("dump --since yesterday --plain", "what was written, a line a record"),
        CommandExample("dump 040d271ce85dac99.. --hash-only | sha1sum", "whether two copies are the same since then"),
    ]

    @Flag(name: .customLong("plain"), help: "A line for each record: oid, size, class.") var isPlain = false
    @Flag(name: .customLong("hash-only"), help: "Hashes of the records, without their data.") var isHashOnly = false
    @Option(help: ArgumentHelp("Not what is older.", valueName: "when")) var since: String?
    @Option(help: ArgumentHelp("Not what is newer.", valueName: "when")) var until: String?
    @Argument(help: ArgumentHelp("Transactions from the first to the last.", valueName: "first..last"))
    var span: String?

    func validate() throws {
        if isPlain, isHashOnly { throw ValidationError("--plain and --hash-only exclude each other") }
        if span != nil, since != nil || until != nil {
            throw ValidationError("a range and --since or --until exclude each other")
        }
    }

    func run(in session: Session) throws -> Report {
        let storage = try session.storage(as: (any TransactionLogStorage).self, to: "list its transactions")
        let range = try range(session)
        return Report(
            .stream { write in
                // What the reader of the output does is no error of the storage.
                var failure: (any Error)?
                let sink: DumpWriter.Sink = { (bytes) throws(StorageError) in
                    do {
                        try write(bytes)
                    } catch {
                        failure = error
                        throw .interrupted
                    }
                }
                do {
                    try dump(storage, range, session, to: sink)
                } catch {
                    if let failure { throw failure }
                    throw error
                }
            })
    }

    private func dump(
        _ storage: any TransactionLogStorage, _ range: TransactionRange, _ session: Session,
        to sink: @escaping DumpWriter.Sink
    ) throws(StorageError) {
        let progress = session.progress
        let report = { (count: Int) in progress.update("dumping", count, "records") }
        if isPlain {
            var writer = PlainDumpWriter(to: sink)
            try storage.visitInOrder(
                from: range.first, through: range.last, &writer, interruption: session.interruption, progress: report)
            try writer.finish()
        } else {
            var writer = DumpWriter(isHashOnly: isHashOnly, to: sink)
            try storage.visitInOrder(
                from: range.first, through: range.last, &writer, interruption: session.interruption, progress: report)
            try writer.finish()
        }
    }

    private func range(_ session: Session) throws -> TransactionRange {
        guard let span else { return try TransactionRange(since: since, until: until, session) }
        let ends = span.split(separator: ".", omittingEmptySubsequences: false)
        // `a..b`; a point in time may hold single points.
        guard let middle = ends.indices.dropFirst().dropLast().first(where: { ends[$0].isEmpty }) else {
            throw ShellFailure.usage("'\(span)' is no range of transactions", advice: "FIRST..LAST, FIRST.. or ..LAST")
        }
        let first = ends[..<middle].joined(separator: ".")
        let last = ends[(middle + 1)...].joined(separator: ".")
        return try TransactionRange(
            since: first.isEmpty ? nil : first, until: last.isEmpty ? nil : last, session)
    }
}
