internal import ObjectGraph
internal import Pickle
internal import Storages
internal import ZODB

/// Makes a transaction: asks, notes it in the journal, writes, and tells how it ended.
struct Committer {
    let session: Session
    let choices: CommitChoices

    /// So much of a description is kept: a transaction has room for 65,535 bytes.
    private static let descriptionLimit = 4000

    /// Commits the staged edits.
    func commitStaged() throws -> Report {
        try session.requireWriting()
        try session.resolveDoubt()
        let changes = try StagedChanges(session)
        let count = changes.objects.count
        if let expected = choices.expected, expected != count { throw ShellFailure.unexpected(count, expected) }
        guard !changes.isEmpty else {
            session.transaction = OpenTransaction()
            return .message("nothing is staged: nothing to commit")
        }
        let what = "\(counted(count, "object")) to \(session.databaseName)"
        if !choices.isDryRun { try ask(what, changes) }
        let objects = changes.objects.map { object in
            Journal.Object(
                oid: object.oid, path: changes.path(object.oid), className: object.record.className?.description,
                before: object.baseSerial)
        }
        let workspace = try session.workspace
        let lines = session.transaction.lines
        let result = try run(objects, lines: lines, defaultDescription: lines.joined(separator: "; ")) {
            (metadata, isDryRun) throws(CommitFailure) in try workspace.commit(metadata, dryRun: isDryRun)
        }
        if result.tid != nil { try session.committed(at: workspace.basis) }
        if choices.isDryRun { session.transaction.triedLineCount = session.transaction.lines.count }
        return report(result, changes)
    }

    private func ask(_ what: String, _ changes: StagedChanges) throws {
        let isAsked =
            session.questions != nil
            && (!choices.isConfirmed || session.service?.isProduction == true && session.writingMode != .overlay)
        if isAsked, choices.confirmedName == nil {
            session.progress.clear()
            Diagnostics.write(TerminalText.escaped(changes.summary) + "\n")
            let rows = max(8, session.terminal.size.rows - 6)
            Diagnostics.write(TerminalText.escaped(try changes.text(lineLimit: rows), keepsLines: true) + "\n")
        }
        try Confirmation(session: session).requireForDatabase("Commit \(what)?", choices) {
            let size = session.terminal.size
            let pager = Pager(
                command: Pager.command(session.environment), rows: size.rows - 1, columns: size.columns)
            try pager.write(Array((TerminalText.escaped(try changes.text(), keepsLines: true) + "\n").utf8))
            try pager.finish()
        }
    }

    /// Makes a transaction of any kind, with the journal written before and after it.
    ///
    /// Leave must have been given: see `Confirmation`. Afterwards `session.committed(at:)` moves the snapshot.
    /// - Parameters:
    ///   - lines: what was typed to make it.
    ///   - body: writes it; told whether to stop after the vote.
    /// - Throws: `ShellFailure`: a conflict with who made it and when, or whatever else prevents it.
    func run(
        _ objects: [Journal.Object], lines: [String], defaultDescription: String,
        _ body: (TransactionMetadata, _ isDryRun: Bool) throws(CommitFailure) -> CommitResult
    ) throws -> CommitResult {
        let mark = Identity.newMark()
        let metadata = TransactionMetadata(
            user: Array(Identity.label(session.environment).utf8),
            description: Self.clipped(choices.message ?? defaultDescription),
            extensionData: Identity.extensionData(mark: mark))
        let journal = choices.isDryRun || session.writingMode == .overlay ? nil : session.journal
        let intent = Journal.Intent(
            mark: mark, address: session.address?.description ?? "", service: session.service?.name,
            metadata: metadata, lines: lines, objects: objects)
        note { () throws(StorageError) in try journal?.begin(intent) }
        do throws(CommitFailure) {
            let result = try body(metadata, choices.isDryRun)
            if let tid = result.tid { note { () throws(StorageError) in try journal?.end(mark, .committed(tid)) } }
            return result
        } catch {
            switch error {
            case .refused(let why):
                note { () throws(StorageError) in try journal?.end(mark, .failed(why.description)) }
                throw ConflictReport(session).failure(why)
            case .inDoubt(let why):
                note { () throws(StorageError) in try journal?.end(mark, .inDoubt(why.description)) }
                session.transaction.doubt = OpenTransaction.Doubt(mark: mark, trace: trace(metadata, objects))
                guard case .committed(let tid) = try session.resolveDoubt(patience: patience) else {
                    var failure = ShellFailure(why)
                    failure.what += "; connected again: the commit did not happen"
                    failure.advice = "nothing is lost: 'commit' tries again"
                    throw failure
                }
                Diagnostics.note(
                    "the connection was lost, and is back: the commit did happen",
                    format: session.settings.format ?? .plain)
                return CommitResult(tid: tid, objectCount: objects.count, size: 0)
            }
        }
    }

    /// So many seconds a lost connection is waited for, to find out how a commit ended: not longer than was said with
    /// `--timeout`.
    private var patience: Double {
        min(30, session.address?.timeout ?? session.openingOptions.timeout ?? .infinity)
    }

    /// What is to be found again, should the connection be lost at the end.
    private func trace(_ metadata: TransactionMetadata, _ objects: [Journal.Object]) -> CommitTrace {
        let staged = session.openWorkspace?.stagedObjects ?? []
        return CommitTrace(
            metadata: metadata, since: session.snapshot,
            stores: staged.map { CommitTrace.Store(oid: $0.oid, data: $0.record.document.source) },
            changedOIDs: staged.isEmpty ? objects.map(\.oid) : [])
    }

    /// The journal is no reason not to commit: whoever cannot write it is told.
    private func note(_ body: () throws(StorageError) -> Void) {
        do throws(StorageError) {
            try body()
        } catch {
            Diagnostics.write(
                Report.Message("the journal cannot be written: \(error)", severity: .warning), command: "commit",
                format: session.settings.format ?? .plain)
        }
    }

    /// At most `descriptionLimit` bytes, cut between characters.
    private static func clipped(_ text: String) -> [UInt8] {
        guard text.utf8.count > descriptionLimit else { return Array(text.utf8) }
        var bytes = Array(text.utf8.prefix(descriptionLimit))
        while let last = bytes.last, last & 0xc0 == 0x80 { bytes.removeLast() }
        bytes.removeLast()
        return bytes + Array(" …".utf8)
    }

    // MARK: Telling

    private func report(_ result: CommitResult, _ changes: StagedChanges) -> Report {
        let merged = result.mergedOIDs.map { changes.path($0) }
        var text: String
        if let tid = result.tid, session.writingMode == .overlay {
            text = "committed \(tid.hex) to the overlay, and gone with this session"
        } else if let tid = result.tid {
            text = "committed \(tid.hex) — undo with: undo \(tid.hex)"
        } else {
            text = "dry run: \(changes.summary) could be committed; nothing was written"
        }
        if !merged.isEmpty { text += "\nmerged with what others had committed: " + merged.joined(separator: ", ") }
        let json = JSONText.object([
            ("tid", result.tid.map { JSONText.string($0.hex) } ?? "null"), ("objects", String(result.objectCount)),
            ("size", String(result.size)),
            ("merged", "[" + merged.map(JSONText.string).joined(separator: ",") + "]"),
        ])
        return .document(Report.Document(text: text, json: json))
    }
}

extension Session {
    /// A transaction of ours has been committed: its state is what is looked at now, and the next edit begins anew.
    /// - Parameter tid: the transaction, or a later one.
    func committed(at tid: TransactionID) throws {
        transaction = OpenTransaction()
        try move(to: max(tid, snapshot))
    }
}
