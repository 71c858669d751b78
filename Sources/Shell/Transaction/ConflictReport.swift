internal import ObjectGraph
internal import Pickle
internal import ZODB

/// What prevented a commit, told with all that is known: which object, who changed it, and when.
struct ConflictReport {
    private let session: Session

    init(_ session: Session) { self.session = session }

    func failure(_ error: StorageError) -> ShellFailure {
        // What others committed is known once the server's word of it has arrived.
        _ = try? (try? session.storage as? any RemoteStorage)?.ping()
        _ = try? session.poll()
        guard case .conflict(let oid, let committed, _) = error else {
            var failure = ShellFailure(error)
            let isSaid = failure.what.hasSuffix("nothing was written")
            if case .connection(.silent) = error {
                if !isSaid { failure.what += "; nothing was written" }
                failure.advice =
                    "the server hangs, or another client is committing: 'commit' tries again, --timeout SECONDS waits longer"
            } else if session.absence != nil {
                if !isSaid { failure.what += "; nothing was written" }
                failure.advice = "what is staged stays so: 'commit' again when the prompt says that the server is back"
            }
            return failure
        }
        session.transaction.conflicts[oid] = committed
        var failure = ShellFailure(error, at: path(of: oid))
        failure.what = what(oid, committed)
        failure.details.append(ShellFailure.Detail("path", path(of: oid)))
        return failure
    }

    /// `changed by mary, 2026-10-01 10:00:12 +0200, "edit": transaction 03d4…, after it was read (Folder)`
    private func what(_ oid: ObjectID, _ committed: TransactionID) -> String {
        var text = "conflict: changed"
        let name = session.openWorkspace?.stagedObject(oid)?.record.className?.description
        let zone: LocalTime = session.settings.usesUTC ? .utc : .system
        if let summary = summary(oid, committed) {
            let people = CellText(isForPeople: true, zone: zone)
            let user = people.text(TransactionText.cell(summary.user)).trimmed
            let description = people.text(TransactionText.cell(summary.description)).trimmed
            if !user.isEmpty { text += " by \(user)" }
            text += " at \(TimeText.local(committed, zone))"
            if !description.isEmpty { text += " (\(TerminalText.cut(description, to: 60)))" }
        } else {
            text += " at \(TimeText.local(committed, zone))"
        }
        return text + ", transaction \(committed.hex)" + (name.map { ", class \($0)" } ?? "")
    }

    private func summary(_ oid: ObjectID, _ tid: TransactionID) -> TransactionSummary? {
        guard let storage = try? session.storage as? any HistoryStorage else { return nil }
        let entries = try? storage.history(of: oid, limit: 20)
        return entries?.first { $0.transaction.tid == tid }?.transaction
    }

    private func path(of oid: ObjectID) -> String {
        if let path = session.transaction.paths[oid] { return path }
        return (try? StagedChanges(session))?.path(oid) ?? oid.path
    }
}
