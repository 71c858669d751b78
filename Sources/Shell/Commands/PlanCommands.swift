internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct PlanCommand: ShellCommand {
    static let name = "plan"
    static let summary = "write the staged edits to a file, to be applied later"
    static let synopsis = "> FILE"
    static let group = CommandGroup.transaction
    static let scope = CommandScope.sessionOnly
    static let discussion = """
        A line of JSON for each object: which revision was edited, what is different, the record before and after. The
        edits stay staged. 'apply FILE' stages them again, in this database or a copy of it, if the objects are still
        the same revisions.
        """
    static let examples = [CommandExample("plan > rename.plan", "then: zeoshell apply prod rename.plan --rw")]

    func run(in session: Session) throws -> Report {
        _ = try session.storage
        let changes = try StagedChanges(session)
        guard !changes.isEmpty else {
            throw ShellFailure("nothing-staged", .negative, "nothing is staged: there is no plan")
        }
        let text = try PlanFile.text(changes, session)
        let json = "[" + text.split(separator: "\n").joined(separator: ",") + "]"
        return .document(Report.Document(text: text, json: json))
    }
}

struct ApplyCommand: EditingCommand {
    static let name = "apply"
    static let summary = "stage the edits of a plan"
    static let synopsis = "FILE"
    static let group = CommandGroup.transaction
    static let operands: [OperandKind] = [.file]
    static let discussion = """
        Every object has to be the revision that was edited when the plan was made, byte for byte, and its path has to lead to
        it. If one is not, nothing is staged, both differences are shown (the plan's, and what others did since), and the
        exit code is 6. What the plan says for people is compared with its records: a plan that says something else than it
        does is refused, exit code 7.
        """
    static let examples = [CommandExample("apply rename.plan", "then look with 'diff', and 'commit'")]

    @Argument(help: "What 'plan' wrote; - is standard input.") var file: String
    @OptionGroup var editing: EditOptions

    func edit(_ session: Session) throws -> Report {
        let plan = try PlanReader(file, try StagedChanges(session)).plan()
        try PlanApplication(plan, session).stage()
        return .nothing
    }
}
