/// A transaction whose end need not be waited for.
public protocol PipelinedTransaction: StorageTransaction {
    /// The transaction's tid, fixed from the vote on. (ZEO up to 4 tells its clients at the vote.)
    var tid: TransactionID { get }
    /// Ends the transaction's turn at once: the next may begin, and sees this one's records when it looks for conflicts.
    ///
    /// Later, on a thread of the storage's, in the order of tids: when all is durable `publish(tid)`, and only then do
    /// loads, `lastTransaction` and the rest see it, then `completion`. On failure only `completion` with the error. A
    /// storage that has nothing to wait for may call both before it returns.
    ///
    /// Neither may wait for a call that writes to the storage: it would be waiting for itself.
    /// - Throws: `wrongState`, and then calls neither; the transaction can only be aborted.
    func finish(
        publish: @escaping @Sendable (TransactionID) -> Void,
        completion: @escaping @Sendable (Result<TransactionID, StorageError>) -> Void
    ) throws(StorageError)
}
