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
        Every object has to be the revision that was edited when the plan was made. If one is not, nothing is staged, both
        differences are shown (the plan's, and what others did since), and the exit code is 6.
        """
    static let examples = [CommandExample("apply rename.plan", "then look with 'diff', and 'commit'")]

    @Argument(help: "What 'plan' wrote; - is standard input.") var file: String
    @OptionGroup var editing: EditOptions

    func edit(_ session: Session) throws -> Report {
        let plan = try PlanFile(file)
        let workspace = try session.workspace
        let outdated = try workspace.outdated(plan.objects.map(\.planned))
        guard outdated.isEmpty else { throw try conflict(outdated, plan, session) }
        for object in plan.objects where !object.planned.isNew { session.note(object.path, of: object.planned.oid) }
        do throws(EditError) {
            try workspace.stage(plan.objects.map(\.planned))
        } catch {
            throw ShellFailure(error)
        }
        session.transaction.lines += plan.lines
        return .nothing
    }

    /// Shows what the plan wants and what others did, object by object.
    private func conflict(
        _ outdated: [(object: PlannedObject, now: ObjectRecord?)], _ plan: PlanFile, _ session: Session
    ) throws -> ShellFailure {
        let printer = try DifferencePrinter(try session.workspace)
        for (planned, now) in outdated {
            guard let object = plan.objects.first(where: { $0.planned.oid == planned.oid }) else { continue }
            func side(_ data: [UInt8]?, _ serial: TransactionID) throws -> DifferencePrinter.Side {
                let record = try data.map {
                    try ObjectRecord(Revision(data: $0, serial: serial, next: nil), oid: planned.oid)
                }
                return DifferencePrinter.Side(path: object.path, subject: record.map { Subject(of: $0) })
            }
            let before = try side(object.before, planned.baseSerial)
            var wanted = try side(planned.data, planned.baseSerial)
            wanted.path += "  (the plan)"
            let current = DifferencePrinter.Side(path: object.path, subject: now.map { Subject(of: $0) })
            for other in [wanted, current] {
                let text = printer.document(before, other).document.text
                Diagnostics.write(TerminalText.escaped(text, keepsLines: true) + "\n")
            }
        }
        return ShellFailure(
            "conflict", .conflict, at: file,
            "\(counted(outdated.count, "object")) changed since the plan was made: nothing was staged",
            advice: "make the plan again on the newest state",
            details: outdated.map { ShellFailure.Detail("oid", $0.object.oid.hex) })
    }
}
