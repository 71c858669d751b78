internal import ArgumentParser
internal import ObjectGraph
internal import Storages
internal import ZODB

struct UndoCommand: ShellCommand {
    static let name = "undo"
    static let summary = "take back transactions, or tell what that would do"
    static let synopsis = "TID… | last [--explain] [-m TEXT] [-y] [--dry-run]"
    static let group = CommandGroup.history
    static let operands: [OperandKind] = [.when]
    static let discussion = """
        Writes one transaction, which makes every object that the named ones changed what it was before; 'undo' of that
        transaction brings everything back. First it is shown what would change, and it asks. Several are undone
        together, the newest first. 'last' is the transaction that zeoshell committed last to this database, an undo
        included.
        When a later transaction changed the same object, that is in the way, unless the two changes can be merged:
        counters, and different keys of a BTree. Then the smallest set of transactions is named that can be undone
        together. What was packed cannot be undone. To bring back one object and leave the others: 'revert'.
        With --explain nothing is written, and none of this needs --rw; exit code 1 when it would not succeed.
        """
    static let examples = [
        CommandExample("undo 040d271ce85dac99 --explain", "which objects, what in them, would it work?"),
        CommandExample("undo 040d271ce85dac99", "show, ask, undo"),
        CommandExample("undo last -y", "the last thing that zeoshell did here"),
        CommandExample("undo 040d271ce85dac99 040d271b00000000", "both, in one transaction"),
    ]

    @Flag(help: "Tell what it would do, and do nothing.") var explain = false
    @OptionGroup var options: CommitOptions
    @Argument(help: "Transactions by their tids, or 'last'.") var transactions: [String]

    func run(in session: Session) throws -> Report {
        let tids = try transactions.map { try Self.tid($0, session) }
        if explain { return try UndoExplanation(tids, session).report() }
        try requirePossible(session)
        let choices = CommitChoices(options)
        let explanation = try UndoExplanation(tids, session)
        let plan = explanation.plan
        guard plan.succeeds else { throw failure(plan, explanation) }
        if let expected = choices.expected, expected != plan.effects.count {
            throw ShellFailure.unexpected(plan.effects.count, expected)
        }
        guard !plan.effects.isEmpty else { return .message("it changed no object: there is nothing to undo") }
        if !choices.isDryRun { try ask(explanation, choices, session) }
        let workspace = try session.workspace
        let objects = try explanation.journalObjects(workspace)
        let line = "undo " + plan.transactions.map(\.tid.hex).joined(separator: " ")
        let result = try Committer(session: session, choices: choices).run(
            objects, lines: [line], defaultDescription: line
        ) { (metadata, isDryRun) throws(CommitFailure) in
            try workspace.undo(tids, metadata, dryRun: isDryRun)
        }
        if result.tid != nil { try session.committed(at: workspace.basis) }
        return report(result)
    }

    static func tid(_ text: String, _ session: Session) throws -> TransactionID {
        if text == "last" {
            guard let journal = session.journal else {
                throw ShellFailure(
                    "no-journal", .data, at: text, "there is no journal: nobody knows what zeoshell did last",
                    advice: "'log' lists transactions by their tids")
            }
            let (address, service) = (session.address?.description, session.service?.name)
            let entry = try journal.entries().last { entry in
                entry.end == .committed && (entry.address == address || service != nil && entry.service == service)
            }
            guard let tid = entry?.tid else {
                throw ShellFailure(
                    "no-such-transaction", .data, at: text, "the journal knows of no commit to this database",
                    advice: "'log' lists transactions by their tids")
            }
            return tid
        }
        guard case .transaction(let tid)? = try? session.whenParser.parse(text) else {
            throw ShellFailure.usage(
                "'\(text)' is no transaction", advice: "a tid has 16 hexadecimal digits: 'log' lists them")
        }
        return tid
    }

    private func requirePossible(_ session: Session) throws {
        try session.requireWritable()
        if session.stagedCount > 0 {
            throw ShellFailure(
                "staged", .refused,
                "\(counted(session.stagedCount, "object")) staged: an undo is a transaction of its own",
                advice: "'commit' or 'abort' first")
        }
        guard let storage = try session.storage as? any UndoableStorage, storage.supportsUndo else {
            throw ShellFailure(
                "unsupported", .refused, at: session.databaseName, "this storage cannot undo",
                advice: "'revert PATH@WHEN' brings back single objects")
        }
        try session.resolveDoubt()
    }

    private func failure(_ plan: UndoPlan, _ explanation: UndoExplanation) -> ShellFailure {
        let tids = plan.transactions.map(\.tid.hex).joined(separator: " ")
        var failure = ShellFailure(
            "undo-failed", .conflict, at: plan.transactions.first?.tid.hex ?? transactions.first,
            "cannot be undone: " + explanation.obstacles.joined(separator: "; "),
            advice: "'undo --explain \(tids)' tells more")
        if case .together(let together)? = plan.remedy {
            failure.advice =
                "together with what is in the way it can: undo " + together.map(\.hex).joined(separator: " ")
        }
        if !plan.obstacles.isEmpty { failure.exitCode = .data }
        return failure
    }

    private func ask(_ explanation: UndoExplanation, _ choices: CommitChoices, _ session: Session) throws {
        let isAsked = session.questions != nil && (!choices.isConfirmed || session.service?.isProduction == true)
        if isAsked, choices.confirmedName == nil {
            session.progress.clear()
            let rows = max(12, session.terminal.size.rows - 6)
            let text = try explanation.text(lineLimit: rows)
            Diagnostics.write(TerminalText.escaped(text, keepsLines: true) + "\n")
        }
        let count = explanation.plan.transactions.count
        let what = count == 1 ? "this transaction" : "these \(count) transactions"
        try Confirmation(session: session).requireForDatabase("Undo \(what) on \(session.databaseName)?", choices) {
            let size = session.terminal.size
            let pager = Pager(
                command: Pager.command(session.environment), rows: size.rows - 1, columns: size.columns)
            let text = try explanation.text(lineLimit: .max)
            try pager.write(Array((TerminalText.escaped(text, keepsLines: true) + "\n").utf8))
            try pager.finish()
        }
    }

    private func report(_ result: CommitResult) -> Report {
        let count = counted(result.objectCount, "object")
        let text =
            result.tid.map { "committed \($0.hex): \(count) as before — undo with: undo \($0.hex)" }
            ?? "dry run: it could be undone, \(count); nothing was written"
        let json = JSONText.object([
            ("tid", result.tid.map { JSONText.string($0.hex) } ?? "null"), ("objects", String(result.objectCount)),
        ])
        return .document(Report.Document(text: text, json: json))
    }
}
