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
        var isFinishing = false
        do throws(StorageError) {
            guard let storage = storage as? any UndoableStorage, storage.supportsUndo else {
                throw .unsupported("\(storage.name) cannot undo")
            }
            let transaction = try storage.begin(metadata)
            let changed: [ObjectID]
            do throws(StorageError) {
                for tid in Set(tids).sorted(by: >) { try transaction.undo(tid) }
                changed = try transaction.vote().changedOIDs
            } catch {
                transaction.abort()
                throw error
            }
            var result = CommitResult(tid: nil, objectCount: Set(changed).count, size: 0)
            guard !dryRun else {
                transaction.abort()
                return result
            }
            isFinishing = true
            let tid = try transaction.finish()
            result.tid = tid
            committed(tid)
            return result
        } catch {
            if case .connection = error, isFinishing { throw .inDoubt(error) }
            throw .refused(error)
        }
    }
}
