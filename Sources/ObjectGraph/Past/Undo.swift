public import ZODB

extension Workspace {
    /// Undoes transactions by one more, which stores for each object what it was before. Afterwards the workspace shows
    /// the state of that transaction. Edits must not be staged.
    /// - Parameters:
    ///   - tids: in any order; the newest is undone first.
    ///   - dryRun: goes as far as the vote, and takes everything back.
    public func undo(
        _ tids: some Sequence<TransactionID>, _ metadata: TransactionMetadata, dryRun: Bool = false
    ) throws(CommitFailure) -> CommitResult {
        precondition(!hasStagedChanges, "an undo with edits staged would leave them on a state that is no more")
        return try write(dryRun: dryRun) { () throws(StorageError) in
            guard let storage = storage as? any UndoableStorage, storage.supportsUndo else {
                throw .unsupported("\(storage.name) cannot undo")
            }
            return try storage.begin(metadata)
        } filling: { (transaction) throws(StorageError) in
            for tid in Set(tids).sorted(by: >) { try transaction.undo(tid) }
            return CommitResult(tid: nil, objectCount: Set(try transaction.vote().changedOIDs).count, size: 0)
        }
    }
}
