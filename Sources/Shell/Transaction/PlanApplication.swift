internal import ObjectGraph
internal import Pickle
internal import ZODB

/// Stages what a plan says, where it still means the same: a precondition that does not hold is a conflict, exit code 6.
struct PlanApplication {
    private let plan: PlanFile
    private let session: Session
    private let workspace: Workspace

    init(_ plan: PlanFile, _ session: Session) throws {
        (self.plan, self.session) = (plan, session)
        workspace = try session.workspace
    }

    /// - Throws: `ShellFailure`; what was staged until then is for the caller to take back (`Session.edit`).
    func stage() throws {
        let planned = plan.objects.map(\.planned)
        let outdated = try workspace.outdated(planned)
        guard outdated.isEmpty else { throw try conflict(outdated) }
        if let stranger = try workspace.strangers(in: planned, since: plan.snapshot).first { throw failure(stranger) }
        // By its path before the edits, or by the one that they give it.
        let unresolved = try plan.objects.filter { try !leads($0, to: $0.planned.oid, [:], at: nil) }
        let oids: [ObjectID: ObjectID]
        do throws(EditError) {
            oids = try workspace.stage(planned)
        } catch {
            throw ShellFailure(error)
        }
        for object in unresolved {
            let oid = oids[object.planned.oid] ?? object.planned.oid
            guard try leads(object, to: oid, oids, at: workspace.stagedView) else { throw try lost(object) }
        }
        note(oids)
    }

    // MARK: Paths

    /// The path without the word that it names a part of a tree.
    private func treePath(_ object: PlanFile.Object) -> String? {
        let suffix = " (part \(object.planned.oid.path))"
        guard object.planned.tree != nil, object.path.hasSuffix(suffix) else { return nil }
        return String(object.path.dropLast(suffix.count))
    }

    /// - Parameter oids: those given to new objects, by those of the plan.
    private func leads(
        _ object: PlanFile.Object, to oid: ObjectID, _ oids: [ObjectID: ObjectID], at tid: TransactionID?
    ) throws -> Bool {
        // A new object that is known by its oid alone: no path to check, nothing to be wrong about.
        if object.planned.isNew, object.path == object.planned.oid.path { return true }
        if object.planned.isNew, oids.isEmpty { return false }
        if let tree = object.planned.tree.map({ oids[$0] ?? $0 }), tree != oid {
            let path = treePath(object)
            guard try workspace.leads(path ?? tree.path, toTreeOf: oid, tree: tree, at: tid) else { return false }
            if path != nil { return true }
        }
        return try workspace.leads(object.path, to: oid, at: tid)
    }

    private func lost(_ object: PlanFile.Object) throws -> ShellFailure {
        var found = "a path that leads nowhere"
        if let place = try? PathResolver(workspace).resolve(treePath(object) ?? object.path) {
            found = place.node.isObject ? "one that leads to \(place.node.oid.path)" : "one that leads to a value"
        }
        return ShellFailure(
            "bad-plan", .conflict, at: "\(plan.name):\(object.line)",
            "'path': expected a path of \(object.planned.oid.path), found \(object.path), \(found)",
            advice: "the object was moved since, or the plan was edited: make it again",
            details: [ShellFailure.Detail("oid", object.planned.oid.hex)])
    }

    /// What objects are called from now on, and what the transaction will say of itself.
    private func note(_ oids: [ObjectID: ObjectID]) {
        for object in plan.objects where !object.planned.isNew { session.note(object.path, of: object.planned.oid) }
        // What the plan says was typed nobody can check: it is told as what it is.
        session.transaction.lines += plan.lines.map { "planned: " + $0 }
    }

    // MARK: What is in the way

    private func failure(_ stranger: PlanStranger) -> ShellFailure {
        let line = plan.objects.first { $0.planned.oid == stranger.referrer }?.line ?? 1
        let found: String
        switch stranger.reason {
        case .missing: found = "which is in neither"
        case .younger(let tid):
            found = "which is not in the plan, and came into being after it (transaction \(tid.hex))"
        }
        return ShellFailure(
            "bad-plan", .conflict, at: "\(plan.name):\(line)",
            "'after': expected references to objects of the plan or the database, found one to \(stranger.target.path), "
                + found,
            advice: "an object was left out of the plan: make it again",
            details: [ShellFailure.Detail("oid", stranger.target.hex)])
    }

    /// Shows what the plan wants and what others did, object by object.
    private func conflict(_ outdated: [(object: PlannedObject, now: ObjectRecord?)]) throws -> ShellFailure {
        let printer = try DifferencePrinter(workspace)
        for (planned, now) in outdated {
            guard let object = plan.objects.first(where: { $0.planned.oid == planned.oid }) else { continue }
            func side(_ record: ObjectRecord?) -> DifferencePrinter.Side {
                DifferencePrinter.Side(path: object.path, subject: record.map { Subject(of: $0) })
            }
            let before = side(try planned.base())
            var wanted = side(try planned.record())
            wanted.path += "  (the plan)"
            for other in [wanted, side(now)] {
                let text = printer.document(before, other).document.text
                guard !text.isEmpty else { continue }
                Diagnostics.write(TerminalText.escaped(text, keepsLines: true) + "\n")
            }
        }
        return ShellFailure(
            "conflict", .conflict, at: plan.name,
            "\(counted(outdated.count, "object")) changed since the plan was made: nothing was staged",
            advice: "make the plan again on the newest state",
            details: outdated.map { ShellFailure.Detail("oid", $0.object.oid.hex) })
    }
}
