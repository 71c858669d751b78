internal import ArgumentParser
internal import Verification
internal import ZODB
internal import ZODBFile

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
        Of a damaged Data.fs everything is written that can be read, behind the damage too; then the exit code is 7.
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
    ) throws {
        if isPlain {
            try dump(storage, range, session, PlainDumpWriter(to: sink))
        } else {
            try dump(storage, range, session, DumpWriter(isHashOnly: isHashOnly, to: sink))
        }
    }

    private func dump(
        _ storage: any TransactionLogStorage, _ range: TransactionRange, _ session: Session,
        _ writer: some DumpingVisitor
    ) throws {
        var writer = writer
        let progress = session.progress
        do {
            try storage.visitInOrder(
                from: range.first, through: range.last, &writer, interruption: session.interruption
            ) { progress.update("dumping", $0, "records") }
            try writer.finish()
        } catch {
            guard case .corrupt(let place, let reason) = error, storage is FileStorage else { throw error }
            // What lies behind the damage is found by a survey of the whole file.
            var readable = try ReadableTransactions(ofFileAt: storage.name, interruption: session.interruption)
            let (complete, excluded) = writer.dropTransaction()
            try readable.visit(
                from: range.first, through: range.last, droppingFirst: complete, excluding: excluded, &writer)
            try writer.finish()
            throw Self.loss(readable, place, "\(reason)")
        }
    }

    private static func loss(_ readable: ReadableTransactions, _ place: String, _ what: String) -> ShellFailure {
        let (bytes, places) = readable.lost
        var parts: [String] = []
        if bytes > 0 {
            parts.append("\(counted(bytes, "byte")) in \(counted(places, "place")), which are no whole transactions")
        }
        if readable.lostRecords > 0 { parts.append("\(counted(readable.lostRecords, "record")) without data") }
        let left = parts.isEmpty ? "" : "; everything was written but \(parts.joined(separator: " and "))"
        return ShellFailure(
            "corrupt", .data, at: place, what + left, advice: "'verify' tells what is damaged and what to do")
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
