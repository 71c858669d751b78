internal import ArgumentParser
internal import ObjectGraph
internal import ZODB

struct BeginCommand: ShellCommand {
    static let name = "begin"
    static let summary = "begin a transaction"
    static let group = CommandGroup.transaction
    static let scope = CommandScope.sessionOnly
    static let discussion = """
        At the prompt it is not needed: the first change begins a transaction. In a script it is, unless --auto-begin was
        given: a change without a commit behind it would be lost, and nobody would notice.
        A transaction looks at the newest state as of when it began.
        """

    func run(in session: Session) throws -> Report {
        if session.mode == .script, !session.transaction.isBegun { session.transaction.isBegun = true }
        do {
            try session.requireWriting()
        } catch {
            session.transaction.isBegun = false
            throw error
        }
        session.transaction.isBegun = true
        let count = session.stagedCount
        guard count == 0 else { return .message("\(counted(count, "object")) staged already: they are part of it") }
        let news = try session.refresh()
        return news.isEmpty ? .nothing : .message("looking at the newest state: others committed meanwhile")
    }
}

struct StatusCommand: ShellCommand {
    static let name = "status"
    static let summary = "list what is staged"
    static let group = CommandGroup.transaction
    static let scope = CommandScope.sessionOnly
    static let discussion = """
        Each object that was edited and is not committed. 'diff' shows what the edits change; a conflict means that others
        have changed the object since: see 'help retry'.
        """

    func run(in session: Session) throws -> Report {
        _ = try session.storage
        if case .committed(let tid) = try session.resolveDoubt() {
            return .message("the commit did happen: \(tid.hex)")
        }
        // What others commit while we look shows at once.
        _ = try? session.poll()
        let changes = try StagedChanges(session)
        let message: String
        if changes.isEmpty {
            message = session.transaction.isBegun ? "begun, nothing staged" : "nothing staged"
        } else {
            let age = session.transaction.start.map { ", since \(CellText.duration(session.now() - $0))" } ?? ""
            message = "staged: \(changes.summary)\(age); 'diff', 'commit' or 'abort'"
        }
        return Report(.table(Report.Table(StagedChanges.columns, ArrayCursor(changes.rows)))) {
            Report.Conclusion(messages: [Report.Message(message)])
        }
    }
}

struct SavepointCommand: ShellCommand {
    static let name = "savepoint"
    static let summary = "remember the staged edits as they are now"
    static let synopsis = "[NAME]"
    static let group = CommandGroup.transaction
    static let scope = CommandScope.sessionOnly
    static let operands: [OperandKind] = [.other]

    @Argument(help: "What 'rollback' calls it.") var label: String?

    func run(in session: Session) throws -> Report {
        try session.requireWriting()
        let savepoint = try session.workspace.savepoint()
        session.transaction.savepoints.append(
            OpenTransaction.NamedSavepoint(
                name: label, savepoint: savepoint, lineCount: session.transaction.lines.count))
        return .nothing
    }
}

struct RollbackCommand: ShellCommand {
    static let name = "rollback"
    static let summary = "take back the edits made since a savepoint"
    static let synopsis = "[NAME]"
    static let group = CommandGroup.transaction
    static let scope = CommandScope.sessionOnly
    static let operands: [OperandKind] = [.other]
    static let discussion = """
        The savepoint stays, and can be returned to again; those made after it are forgotten. 'abort' takes back all.
        """

    @Argument(help: "Which savepoint; the last one when left out.") var label: String?

    func run(in session: Session) throws -> Report {
        let savepoints = session.transaction.savepoints
        guard let index = savepoints.lastIndex(where: { label == nil || $0.name == label }) else {
            throw ShellFailure.usage(
                label.map { "no savepoint named '\($0)'" } ?? "there is no savepoint",
                advice: "'abort' takes back everything")
        }
        let workspace = try session.workspace
        workspace.roll(back: savepoints[index].savepoint)
        session.transaction.savepoints.removeSubrange((index + 1)...)
        session.transaction.lines.removeSubrange(savepoints[index].lineCount...)
        if !workspace.hasStagedChanges { session.transaction.start = nil }
        session.transaction.conflicts = session.transaction.conflicts.filter { workspace.stagedObject($0.key) != nil }
        return .message("\(counted(session.stagedCount, "object")) staged")
    }
}

struct CommitCommand: ShellCommand {
    static let name = "commit"
    static let summary = "write what is staged, as one transaction"
    static let synopsis = "[-m TEXT] [-y] [--dry-run] [--expect N]"
    static let group = CommandGroup.transaction
    static let scope = CommandScope.sessionOnly
    static let discussion = """
        Shows what would be written and asks. Where nobody can be asked, -y has to say yes beforehand. A production
        database (see 'help services') wants its name typed, or --yes-on NAME; -y does not do there.
        --dry-run goes as far as the vote, which finds conflicts, and takes everything back.
        Should it fail, the edits are still staged.
        """
    static let examples = [
        CommandExample("commit", "show, ask, write"),
        CommandExample("commit -m 'unlock the site' -y", "in a script"),
        CommandExample("commit --dry-run", "would it work?"),
    ]

    @OptionGroup var options: CommitOptions

    func run(in session: Session) throws -> Report {
        try Committer(session: session, choices: CommitChoices(options)).commitStaged()
    }
}

struct AbortCommand: ShellCommand {
    static let name = "abort"
    static let summary = "forget everything that is staged"
    static let group = CommandGroup.transaction
    static let scope = CommandScope.sessionOnly

    func run(in session: Session) throws -> Report {
        _ = try session.storage
        let count = session.forgetEdits()
        return .message(count == 0 ? "nothing was staged" : "\(counted(count, "staged object")) forgotten")
    }
}
