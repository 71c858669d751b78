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
    /// - Throws: `ShellFailure` when it cannot be known yet.
    @discardableResult
    func resolveDoubt() throws -> Resolution {
        guard let doubt = transaction.doubt else { return .none }
        let found: TransactionID?
        do throws(StorageError) {
            found = try search(doubt)
        } catch {
            var failure = ShellFailure(error)
            failure.what =
                "it is not known whether the commit happened, its mark is \(doubt.mark): " + failure.what
            failure.advice = "'status' looks again once the server is back"
            throw failure
        }
        transaction.doubt = nil
        guard let found else {
            try? journal?.end(doubt.mark, .failed("the connection was lost before it was written"))
            return .notCommitted
        }
        try? journal?.end(doubt.mark, .committed(found))
        openWorkspace?.committed(found)
        try committed(at: openWorkspace?.basis ?? found)
        return .committed(found)
    }

    /// The transaction that has the mark; nil when the server, reached again, has none.
    private func search(_ doubt: OpenTransaction.Doubt) throws(StorageError) -> TransactionID? {
        guard let storage = openWorkspace?.storage else { return nil }
        if let remote = storage as? any RemoteStorage { _ = try remote.ping() }
        guard let log = try (storage as? any TransactionLogStorage)?.transactionLog() else {
            throw .unsupported("\(storage.name): its transactions cannot be listed")
        }
        let mark = Array(doubt.mark.utf8)
        while let transaction = try log.next(), transaction.tid > snapshot {
            if transaction.extensionData.contains(mark) { return transaction.tid }
        }
        return nil
    }
}

extension [UInt8] {
    fileprivate func contains(_ part: [UInt8]) -> Bool {
        guard part.count <= count else { return false }
        return indices.dropLast(part.count - 1).contains { self[$0...].starts(with: part) }
    }
}
