internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct RetryCommand: ShellCommand {
    static let name = "retry"
    static let summary = "after a conflict: make the edits again on what others left"
    static let group = CommandGroup.transaction
    static let scope = CommandScope.sessionOnly
    static let discussion = """
        Reads the newest state, and makes the staged edits again where others changed the same objects: attribute by
        attribute, key by key. Nothing is written; look with 'diff', then 'commit'. Where both changed the same value
        nothing is merged: all three are shown (as it was, mine, theirs), and everything stays as it is.
        --mine takes my value for all of those, --theirs the others'.
        """

    @Flag(help: "Where both changed a value, mine.") var mine = false
    @Flag(help: "Where both changed a value, the others'.") var theirs = false

    func validate() throws {
        if mine, theirs { throw ValidationError("--mine and --theirs exclude each other") }
    }

    func run(in session: Session) throws -> Report {
        try session.requireWriting()
        if let remote = try session.storage as? any RemoteStorage { _ = try remote.ping() }
        try session.poll()
        let workspace = try session.workspace
        guard workspace.hasStagedChanges else { return .message("nothing is staged") }
        var result = try workspace.reapply()
        if !result.conflicts.isEmpty, mine || theirs {
            result = try Resolution(session: session, takesMine: mine).resolve(result.conflicts)
        }
        guard result.conflicts.isEmpty else { return try report(result.conflicts, session) }
        try session.move(to: workspace.basis)
        session.transaction.conflicts = [:]
        let count = session.stagedCount
        if count == 0 {
            session.transaction.start = nil
            return .message("nothing is left to commit: it is so already")
        }
        let names = try StagedChanges(session)
        let paths = result.reapplied.map { names.path($0) }
        return .message(
            paths.isEmpty
                ? "nobody has changed what is staged: 'commit' tries again"
                : "made again: \(paths.joined(separator: ", ")); 'diff' shows it, 'commit' writes it")
    }

    private func report(_ conflicts: [ReapplyConflict], _ session: Session) throws -> Report {
        let names = try StagedChanges(session)
        let printer = ConflictPrinter(isPython2: try session.workspace.generation() == .python2, session: session)
        let documents = conflicts.map { printer.document($0, path: names.path($0.oid)) }
        let canChoose = conflicts.allSatisfy { $0.reason == .changedByBoth }
        let failure = ShellFailure(
            "conflict", .conflict, "\(counted(conflicts.count, "value")) changed by both: nothing was merged",
            advice: canChoose
                ? "'retry --mine' or 'retry --theirs'; or 'abort'"
                : "'abort', and make the edits again on what is there now; 'plan > FILE' keeps them to look at"
        )
        return Report(.documents(ArrayCursor(documents), isList: true)) { Report.Conclusion(failures: [failure]) }
    }
}

/// Three values: as it was, mine, theirs.
private struct ConflictPrinter {
    let isPython2: Bool
    let session: Session

    func document(_ conflict: ReapplyConflict, path: String) -> Report.Document {
        let name = ObjectPath(origin: .current, steps: conflict.components.map { .child($0) }).description
        let whole = conflict.components.isEmpty ? path : "\(path) \(name)"
        var lines = ["*** \(whole)" + (conflict.committed.map { "  theirs: " + who($0, conflict.oid) } ?? "")]
        let reason: String
        switch conflict.reason {
        case .changedByBoth:
            reason = "changed by both"
            lines += [
                "  was     " + text(conflict.base), "  mine    " + text(conflict.mine),
                "  theirs  " + text(conflict.theirs),
            ]
        case .moved(let mine, let theirs):
            reason = "moved by both"
            lines += ["  was     " + text(conflict.base), "  mine    " + mine, "  theirs  " + theirs]
        case .objectGone:
            reason = "the object is gone"
            lines.append("  the object is not there any more")
        case .undecidable(let why):
            reason = why
            lines.append("  " + why)
        }
        let json = JSONText.object([
            ("path", JSONText.string(path)), ("oid", JSONText.string(conflict.oid.hex)),
            ("value", JSONText.string(conflict.components.isEmpty ? "" : name)), ("reason", JSONText.string(reason)),
            ("was", self.json(conflict.base)), ("mine", self.json(conflict.mine)),
            ("theirs", self.json(conflict.theirs)),
        ])
        return Report.Document(text: lines.joined(separator: "\n"), json: json)
    }

    private func who(_ tid: TransactionID, _ oid: ObjectID) -> String {
        let zone: LocalTime = session.settings.usesUTC ? .utc : .system
        var text = TimeText.local(tid, zone)
        let storage = try? session.storage as? any HistoryStorage
        if let entry = try? storage?.history(of: oid, limit: 20).first(where: { $0.transaction.tid == tid }) {
            let user = CellText(isForPeople: true, zone: zone).text(TransactionText.cell(entry.transaction.user))
            if !user.trimmed.isEmpty { text = user.trimmed + ", " + text }
        }
        return text
    }

    private func text(_ value: RecordValue?) -> String {
        guard let value else { return "(nothing)" }
        var options = PickleText.Options()
        (options.isPython2, options.stringLimit, options.width) = (isPython2, 300, nil)
        return value.record.document.text(value.slot, options)
    }

    private func json(_ value: RecordValue?) -> String {
        guard let value else { return "null" }
        var json = Pickle.JSONText()
        value.record.document.writeJSON(value.slot, isPython2: isPython2, to: &json)
        return json.text
    }
}

/// Settles conflicts one way for all: first both sides are made the same, then the edits are made again.
private struct Resolution {
    let session: Session
    let takesMine: Bool

    func resolve(_ conflicts: [ReapplyConflict]) throws -> ReapplyResult {
        let workspace = try session.workspace
        let before = workspace.savepoint()
        do {
            for conflict in conflicts { try settle(conflict, with: conflict.theirs, workspace) }
            let result = try workspace.reapply()
            guard result.conflicts.isEmpty else {
                workspace.roll(back: before)
                return result
            }
            if takesMine { for conflict in conflicts { try settle(conflict, with: conflict.mine, workspace) } }
            return result
        } catch {
            workspace.roll(back: before)
            throw error
        }
    }

    /// Makes the staged value the one given.
    private func settle(_ conflict: ReapplyConflict, with value: RecordValue?, _ workspace: Workspace) throws {
        guard conflict.reason == .changedByBoth, !conflict.components.isEmpty else {
            throw ShellFailure(
                "conflict", .conflict, at: conflict.oid.path, "this conflict has no two sides to choose from",
                advice: "'abort', and make the edits again")
        }
        let resolver = PathResolver(workspace)
        var place = Place.object(conflict.oid, at: workspace.stagedView ?? workspace.basis)
        for component in conflict.components.dropLast() { place = try resolver.step(component, from: place) }
        guard let last = conflict.components.last else { return }
        guard let value else { return try workspace.unset(last, of: place) }
        try workspace.set(last, of: place, to: try PickleValue(value.slot, in: value.record.document))
    }
}
