internal import ObjectGraph
internal import Pickle
internal import ZODB

/// What an undo would do, in words: first the answer, then object by object.
struct UndoExplanation {
    let plan: UndoPlan
    private let planner: UndoPlanner
    private let session: Session
    private let printer: DifferencePrinter
    /// Paths as they are now, else as they were.
    private let paths: [ObjectID: String]

    /// The most objects whose paths are looked for.
    private static let pathLimit = 10_000
    /// The most objects in the way that are named.
    private static let obstacleLimit = 10

    init(_ tids: [TransactionID], _ session: Session) throws {
        let workspace = try session.workspace
        let progress = session.progress
        planner = try UndoPlanner(workspace) { progress.update("rehearsing", $0, "objects") }
        let plan = try planner.plan(tids)
        self.plan = plan
        self.session = session
        printer = try DifferencePrinter(workspace)
        var missing = Set(plan.effects.prefix(Self.pathLimit).map(\.oid))
        var paths: [ObjectID: String] = [:]
        // What the undo brings back is found where it was, before the transaction or after.
        for tid in [plan.basis] + tids.flatMap({ [$0, $0.predecessor] }).prefix(20) where !missing.isEmpty {
            for (oid, place) in try PathFinder(workspace).places(of: missing, at: tid) where paths[oid] == nil {
                paths[oid] = place.description
                missing.remove(oid)
            }
        }
        self.paths = paths
    }

    func path(_ oid: ObjectID) -> String { paths[oid] ?? oid.path }

    /// The answer, then every object with what would change in it.
    func report() throws -> Report {
        let succeeds = plan.succeeds
        return Report(.documents(try documents(), isList: true)) { Report.Conclusion(isNegative: !succeeds) }
    }

    func documents() throws -> some Cursor<Report.Document> {
        var index = -1
        let head = try summary()
        return ClosureCursor<Report.Document> { () throws(StorageError) in
            index += 1
            if index == 0 { return head }
            guard index <= plan.effects.count else { return nil }
            return try document(plan.effects[index - 1])
        }
    }

    /// All of it as text.
    func text(lineLimit: Int) throws -> String {
        let documents = try documents()
        var lines: [Substring] = []
        var omitted = 0
        while let document = try documents.next() {
            try session.interruption.check()
            if !lines.isEmpty { lines.append("") }
            let text = (document.title.map { $0 + "\n" } ?? "") + document.text
            for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
                if lines.count < lineLimit { lines.append(line) } else { omitted += 1 }
            }
        }
        return lines.joined(separator: "\n") + (omitted > 0 ? "\n… \(counted(omitted, "more line"))" : "")
    }

    // MARK: The answer

    private func summary() throws -> Report.Document {
        var lines = plan.transactions.map { "undo " + line($0) }
        lines += verdict
        for obstacle in plan.obstacles { lines.append(text(obstacle)) }
        for effect in plan.refusals.prefix(Self.obstacleLimit) {
            lines.append("  \(path(effect.oid)): \(reason(effect))")
            for later in try planner.laterChanges(of: effect).prefix(3) { lines.append("    by " + line(later)) }
        }
        let more = plan.refusals.count - Self.obstacleLimit
        if more > 0 { lines.append("  … and \(counted(more, "more object"))") }
        lines += advice
        return Report.Document(text: lines.joined(separator: "\n"), json: summaryJSON)
    }

    private var verdict: [String] {
        let count = counted(plan.effects.count, "object")
        if plan.succeeds {
            return [
                plan.effects.isEmpty
                    ? "It changed no object: there is nothing to undo." : "\(count) would change back; it will succeed."
            ]
        }
        guard plan.obstacles.isEmpty else { return ["It cannot be undone."] }
        return [
            "It cannot be undone like this: later changes are in the way of \(grouped(plan.refusals.count)) of \(count)."
        ]
    }

    private var advice: [String] {
        switch plan.remedy {
        case .together(let tids)?:
            let command = "undo " + tids.map(\.hex).joined(separator: " ")
            return ["Together with what is in the way it can be undone: \(command)", single].compactMap { $0 }
        case .tooMany(let count)?:
            return ["More than \(count) later transactions would have to be undone with it.", single].compactMap { $0 }
        case .none(let oid)?:
            return ["Whatever else is undone, \(path(oid)) stays in the way.", single].compactMap { $0 }
        case nil: return []
        }
    }

    /// How to bring back one object without the others.
    private var single: String? {
        guard let effect = plan.refusals.first, let oldest = effect.transactions.last else { return nil }
        return "Single objects come back by: revert \(Words.quoted("\(path(effect.oid))@\(oldest.predecessor.hex)"))"
    }

    private func line(_ transaction: TransactionSummary) -> String {
        let cells = CellText(isForPeople: true, zone: session.settings.usesUTC ? .utc : .system)
        let parts = [
            transaction.tid.hex, cells.text(.time(transaction.tid)),
            cells.text(TransactionText.cell(transaction.user)).trimmed,
            TerminalText.cut(cells.text(TransactionText.cell(transaction.description)).trimmed, to: 100),
        ]
        return parts.filter { !$0.isEmpty }.joined(separator: "  ").split(separator: "\n").joined(separator: " ")
    }

    private func text(_ obstacle: UndoPlan.Obstacle) -> String {
        switch obstacle {
        case .unknown(let tid, let oldest?):
            "  \(tid.hex): older than all that is known; the oldest is \(oldest.hex), what was before is packed away"
        case .unknown(let tid, nil): "  \(tid.hex): there is no such transaction; 'log' lists them"
        case .packed(let tid): "  \(tid.hex): a pack has been over it, and what was before is gone"
        case .status(let tid): "  \(tid.hex): undone long ago, in the way of Zope before 2.4"
        }
    }

    private func reason(_ effect: UndoEffect) -> String {
        guard case .refused(_, let refusal) = effect.outcome else { return "" }
        return switch refusal {
        case .changedLater: "changed later, and the two changes cannot be told apart"
        case .changedSinceItWasMade: "made by it, and changed since"
        case .deletedLater: "does not exist any more"
        case .madeAgain: "deleted by it, and made again since"
        case .noBlob: "the file of the blob that would come back is missing"
        }
    }

    /// What is in the way, a few words for each.
    var obstacles: [String] {
        let all = plan.obstacles.map { text($0).trimmed } + plan.refusals.map { "\(path($0.oid)) \(reason($0))" }
        return all.prefix(3) + (all.count > 3 ? ["and \(all.count - 3) more"] : [])
    }

    /// The objects as a journal notes them.
    func journalObjects(_ workspace: Workspace) throws(StorageError) -> [Journal.Object] {
        var objects: [Journal.Object] = []
        for effect in plan.effects {
            let now = try planner.sides(of: effect).now
            objects.append(
                Journal.Object(
                    oid: effect.oid, path: path(effect.oid), className: now?.className?.description,
                    before: now?.serial ?? .none))
        }
        return objects
    }

    // MARK: Objects

    private func document(_ effect: UndoEffect) throws(StorageError) -> Report.Document {
        let path = path(effect.oid)
        var (now, after) = (DifferencePrinter.Side(path: path), DifferencePrinter.Side(path: path))
        do throws(StorageError) {
            let sides = try planner.sides(of: effect)
            (now.subject, after.subject) = (sides.now.map { Subject(of: $0) }, sides.after.map { Subject(of: $0) })
        } catch {
            guard error.isAboutOneObject else { throw error }
            after.problem = error
        }
        let later = try planner.laterChanges(of: effect)
        let name = (now.subject ?? after.subject)?.className?.description
        var lines: [String] = []
        switch effect.outcome {
        case .restored: break
        case .merged: lines.append("later changes stay: only what was done then is taken out")
        case .refused: lines.append("in the way: \(path): " + reason(effect))
        }
        for transaction in later.prefix(5) { lines.append("also changed later by \(line(transaction))") }
        if later.count > 5 { lines.append("and by \(counted(later.count - 5, "more transaction"))") }
        let difference = printer.document(now, after)
        if effect.isRefused {
            // There is no state after it.
        } else if difference.isDifferent {
            lines.append(difference.document.text)
        } else {
            lines.append("no change: it is already as it was before")
        }
        return Report.Document(
            title: "\(path)  \(effect.oid.path)" + (name.map { "  \($0)" } ?? ""),
            text: lines.joined(separator: "\n"), json: json(effect, name, later, difference.document.json))
    }

    // MARK: JSON

    private var summaryJSON: String {
        var members = [
            ("transactions", list(plan.transactions.map(json))), ("objects", String(plan.effects.count)),
            ("succeeds", String(plan.succeeds)), ("refused", String(plan.refusals.count)),
            ("as_of", JSONText.string(plan.basis.hex)),
        ]
        if !plan.obstacles.isEmpty {
            members.append(("obstacles", list(plan.obstacles.map { JSONText.string(text($0).trimmed) })))
        }
        if case .together(let tids)? = plan.remedy {
            members.append(("together", list(tids.map { JSONText.string($0.hex) })))
        }
        return JSONText.object([("undo", JSONText.object(members.map { ($0.0, $0.1) }))])
    }

    private func json(_ transaction: TransactionSummary) -> String {
        JSONCells.object(TransactionText.columns, TransactionText.row(transaction))
    }

    private func json(
        _ effect: UndoEffect, _ name: String?, _ later: [TransactionSummary], _ difference: String
    ) -> String {
        var members = [
            ("oid", JSONText.string(effect.oid.hex)), ("path", JSONText.string(path(effect.oid))),
            ("class", name.map(JSONText.string) ?? "null"),
        ]
        switch effect.outcome {
        case .restored: members.append(("outcome", JSONText.string("restored")))
        case .merged: members.append(("outcome", JSONText.string("merged")))
        case .refused(let tid, let refusal):
            members.append(("outcome", JSONText.string("refused")))
            members.append(("reason", JSONText.string("\(refusal)")))
            members.append(("at", JSONText.string(tid.hex)))
        }
        members.append(("later", list(later.map(json))))
        if !effect.isRefused { members.append(("difference", difference)) }
        return JSONText.object(members.map { ($0.0, $0.1) })
    }

    private func list(_ values: [String]) -> String { "[" + values.joined(separator: ",") + "]" }
}
