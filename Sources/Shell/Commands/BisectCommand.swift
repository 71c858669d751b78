internal import ArgumentParser
internal import ObjectGraph
internal import ZODB

struct BisectCommand: ShellCommand {
    static let name = "bisect"
    static let summary = "find the transaction after which a command answers otherwise"
    static let synopsis = "[--good WHEN] [--bad WHEN] [--path PATH] -- COMMAND"
    static let group = CommandGroup.history
    static let operands: [OperandKind] = [.command, .other]
    static let discussion = """
        The command is run on states of the past, half of what is left each time. Exit code 0 means good, as with git; no match,
        a missing object, and what else is wrong with the data mean bad. In quotes it may have a pipe, whose exit code
        then counts; there 125 means that nothing can be told. What says nothing about the data, such as wrong usage
        or a lost connection, ends the search.
        --good is a time when it was as it should be, by default the oldest transaction; --bad one when it no longer was,
        by default now. Both are tried first. What did not exist yet in the oldest was not good there: then a good state is
        looked for from the bad one backwards, in steps that double. With --path only transactions that wrote that object are looked at.
        """
    static let examples = [
        CommandExample("bisect --good 1w -- cat /Plone/news", "since when is it gone?"),
        CommandExample("bisect -- 'get /Plone/.title | grep -qx Intranet'", "who renamed it?"),
        CommandExample("bisect --path /acl_users -- 'users | grep -q admin'", "who took the admin away?"),
    ]

    @Option(help: ArgumentHelp("When it was good.", valueName: "when")) var good: String?
    @Option(help: ArgumentHelp("When it was bad.", valueName: "when")) var bad: String?
    @Option(
        name: .customLong("path"), help: ArgumentHelp("Only transactions that wrote this object.", valueName: "path"))
    var object: String?
    @Argument(parsing: .postTerminator, help: "A command that looks.") var command: [String] = []

    func run(in session: Session) throws -> Report {
        guard !command.isEmpty else {
            throw ShellFailure.usage("the command is missing", advice: "bisect -- get /Plone/.title")
        }
        guard session.stagedCount == 0 else {
            throw ShellFailure(
                "staged", .refused, "with edits staged the past cannot be looked at",
                advice: "'commit' or 'abort' first")
        }
        let line = command.count == 1 ? command[0] : command.map(Words.quoted).joined(separator: " ")
        let candidates = try candidates(session)
        guard let last = candidates.last, let first = candidates.first else {
            throw ShellFailure("no-such-transaction", .data, "no transactions lie between", advice: "'log' lists them")
        }
        guard let probe = session.probe else { throw ShellFailure.usage("makes no sense here") }
        if let before = try goodTransaction(session) {
            try require(.good, line, probe, at: before, option: "--good")
            try require(.bad, line, probe, at: last, option: "--bad")
            return try search(candidates, line, probe, session)
        }
        if try Self.verdict(try probe(line, first)).0 == .good {
            try require(.bad, line, probe, at: last, option: "--bad")
            return try search(Array(candidates.dropFirst()), line, probe, session)
        }
        try require(.bad, line, probe, at: last, option: "--bad")
        let (good, bad) = try lookBack(candidates, line, probe, session)
        return try search(Array(candidates[(good + 1)...bad]), line, probe, session)
    }

    /// Looks for a good state from the last one backwards, in steps that double.
    /// - Returns: the positions of a good one, and of a bad one behind it.
    private func lookBack(
        _ candidates: [TransactionID], _ line: String, _ probe: Prober, _ session: Session
    ) throws -> (good: Int, bad: Int) {
        var bad = candidates.count - 1
        var step = 1
        var count = 0
        while bad > 0 {
            try session.interruption.check()
            let index = max(0, bad - step)
            session.progress.update("looking for a good state", count, "states")
            count += 1
            if try Self.verdict(try probe(line, candidates[index])).0 == .good { return (index, bad) }
            (bad, step) = (index, step * 2)
        }
        throw ShellFailure(
            "no-turn", .negative, at: candidates[0].hex,
            "bad in the oldest transaction, and in each of \(counted(count, "state")) between it and the last",
            advice: "--good WHEN names a time when it was good")
    }

    private typealias Prober = Session.Prober

    private func search(
        _ candidates: [TransactionID], _ line: String, _ probe: Prober, _ session: Session
    ) throws -> Report {
        var search = Bisection(candidates)
        while let tid = search.next {
            try session.interruption.check()
            let left = search.remaining
            let (verdict, complaint) = try Self.verdict(try probe(line, tid))
            let count = "\(counted(left, "transaction")) left, \(counted(search.stepsLeft, "step"))"
            search.note(verdict)
            let zone: LocalTime = session.settings.usesUTC ? .utc : .system
            session.progress.clear()
            Diagnostics.note(
                "\(count): \(tid.hex) \(TimeText.local(tid, zone)) \(Self.word(verdict))"
                    + (complaint.map { " (\($0))" } ?? ""), format: session.settings.format ?? .plain)
        }
        switch search.outcome {
        case .first(let tid)?:
            var report = try ShowCommand.parse([tid.hex]).run(in: session)
            let message = Report.Message("\(tid.hex) is the first after which it is bad")
            report.conclusion = { Report.Conclusion(messages: [message]) }
            return report
        case .oneOf(let tids)?:
            let storage = try session.storage(as: (any TransactionLogStorage).self, to: "list its transactions")
            let rows = MappedTransactions(storage, tids)
            return Report(.table(Report.Table(TransactionText.columns, rows, total: tids.count))) {
                Report.Conclusion(
                    messages: [Report.Message("the first bad one is among these: between them nothing could be told")],
                    isNegative: true)
            }
        case nil: return .nothing
        }
    }

    /// The transactions from the one that is good to the one that is bad, both included, oldest first.
    private func candidates(_ session: Session) throws -> [TransactionID] {
        let end = try bad.map { try tid($0, "--bad", session) } ?? session.at
        let start = try goodTransaction(session)
        var tids: [TransactionID] = []
        /// - Returns: false when all later ones are too old.
        func take(_ tid: TransactionID) throws -> Bool {
            try session.interruption.check()
            if let start, tid <= start { return false }
            if tid <= end, tids.last != tid { tids.append(tid) }
            if tids.count.isMultiple(of: 1000) { session.progress.update("listing", tids.count, "transactions") }
            return true
        }
        if let object {
            let storage = try session.storage(as: (any HistoryStorage).self, to: "tell an object's history")
            let revisions = RevisionCursor(storage, of: try session.place(object).node.oid)
            while let entry = try revisions.next(), try take(entry.transaction.tid) {}
        } else {
            let storage = try session.storage(as: (any TransactionLogStorage).self, to: "list its transactions")
            let log = try storage.transactionLog()
            while let transaction = try log.next(), try take(transaction.tid) {}
        }
        return tids.reversed()
    }

    private func goodTransaction(_ session: Session) throws -> TransactionID? {
        try good.map { try tid($0, "--good", session) }
    }

    private func tid(_ text: String, _ option: String, _ session: Session) throws -> TransactionID {
        guard let tid = try session.whenParser.parse(text).transaction() else {
            throw ShellFailure.usage("\(option) \(text): there is no object whose revisions to count")
        }
        return tid
    }

    private func require(
        _ expected: Bisection.Verdict, _ line: String, _ probe: Prober, at tid: TransactionID, option: String
    ) throws {
        let (verdict, complaint) = try Self.verdict(try probe(line, tid))
        guard verdict != expected else { return }
        throw ShellFailure(
            "no-turn", .negative, at: tid.hex,
            "\(option) is \(Self.word(verdict)), so that there is nothing to search"
                + (complaint.map { ": \($0)" } ?? ""), advice: "\(option) WHEN names another time")
    }

    private static func verdict(_ probe: Probe) throws -> (Bisection.Verdict, String?) {
        switch probe.status {
        case 0: return (.good, nil)
        case 125: return (.skip, nil)
        case 126, 127, 128...:
            throw ShellFailure("pipe", .environment, "the command after '|' ended with exit status \(probe.status)")
        default: return (.bad, probe.complaint)
        }
    }

    private static func word(_ verdict: Bisection.Verdict) -> String {
        switch verdict {
        case .good: "good"
        case .bad: "bad"
        case .skip: "cannot be told"
        }
    }
}

/// Transactions by their tids, as rows.
private final class MappedTransactions: Cursor {
    private let storage: any TransactionLogStorage
    private var tids: [TransactionID]

    init(_ storage: any TransactionLogStorage, _ tids: [TransactionID]) {
        self.storage = storage
        self.tids = tids.reversed()
    }

    func next() throws(StorageError) -> [Cell]? {
        guard let tid = tids.popLast() else { return nil }
        return TransactionText.row(try storage.records(of: tid).transaction)
    }
}
