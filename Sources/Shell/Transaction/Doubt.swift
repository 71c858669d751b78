internal import ObjectGraph
internal import Storages
internal import ZODB

extension Session {
    /// How a commit ended that the connection was lost in the middle of.
    enum Resolution {
        /// There is no such commit.
        case none
        /// It happened: the edits are no longer staged.
        case committed(TransactionID)
        /// It did not, and will not: the edits are still staged.
        case notCommitted
    }

    /// Finds out how a commit ended that the connection was lost in the middle of, once there is a connection again.
    /// - Parameter patience: how long to wait for the connection, in seconds.
    /// - Throws: `ShellFailure` when it cannot be known yet.
    @discardableResult
    func resolveDoubt(patience: Double = 0) throws -> Resolution {
        guard let doubt = transaction.doubt else { return .none }
        let outcome: CommitOutcome
        do throws(StorageError) {
            outcome = try search(doubt, until: now() + patience)
        } catch {
            throw Self.unknown(doubt, ShellFailure(error))
        }
        switch outcome {
        case .committed(let tid):
            transaction.doubt = nil
            try? journal?.end(doubt.mark, .committed(tid))
            openWorkspace?.committed(tid)
            try committed(at: openWorkspace?.basis ?? tid)
            return .committed(tid)
        case .notCommitted:
            transaction.doubt = nil
            try? journal?.end(doubt.mark, .failed("the connection was lost before it was written"))
            return .notCommitted
        case .unknown(let why):
            throw Self.unknown(doubt, ShellFailure("in-doubt", .conflict, at: databaseName, why))
        }
    }

    private static func unknown(_ doubt: OpenTransaction.Doubt, _ failure: ShellFailure) -> ShellFailure {
        var failure = failure
        failure.what = "it is not known whether the commit happened (its mark is \(doubt.mark)): " + failure.what
        failure.advice = "'status' looks again; 'log' shows what is there; 'abort' forgets the edits"
        return failure
    }

    private func search(_ doubt: OpenTransaction.Doubt, until deadline: Double) throws(StorageError) -> CommitOutcome {
        guard let storage = openWorkspace?.storage as? any WritableStorage else {
            return .unknown("the storage is not open any more")
        }
        while true {
            do throws(StorageError) {
                return try storage.outcome(of: doubt.trace)
            } catch {
                guard case .connection = error, now() < deadline else { throw error }
                progress.update("waiting for the server", 0, "")
                try interruption.check()
                pause(0.3)
            }
        }
    }
}
