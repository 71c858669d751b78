/// Writes what it visits as a dump.
public protocol DumpingVisitor: RevisionVisitor {
    /// Writes what is left of it.
    mutating func finish() throws(StorageError)

    /// The transaction under way cannot be read to its end: it is no part of the dump.
    /// - Returns: how many transactions before it are complete; its tid when some of it has been written, and it must not
    ///   be visited again.
    mutating func dropTransaction() -> (complete: Int, excluded: TransactionID?)
}
