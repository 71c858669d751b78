/// A storage from which a revision can be read where it lies.
public protocol DirectLoadStorage: Storage {
    /// Calls `body` with the latest revision whose serial is below `before` (ZEO's `loadBefore`): its bytes, valid during
    /// the call only, its serial, and the next newer revision's serial; nil when it is the current one.
    ///
    /// The bytes are what the storage holds, transformations (`.z`) included, as for `load`.
    /// - Parameter steps: how many records behind the object's newest may be looked at, less by those that were. A storage
    ///   that finds any revision at once takes none.
    /// - Returns: nil, and `body` is not called, when the revision lies further back.
    /// - Throws: `noSuchObject` when the object is unknown, or deleted then; `noRevision(oid, at: before.predecessor)` when
    ///   it is younger; `corrupt`; `io`.
    func withRevision<Result>(
        _ oid: ObjectID, before tid: TransactionID, steps: inout Int,
        _ body: (RawSpan, TransactionID, TransactionID?) -> Result
    ) throws(StorageError) -> Result?
}

extension DirectLoadStorage {
    /// By `load`: for a storage that has its revisions as arrays anyway.
    public func withRevision<Result>(
        _ oid: ObjectID, before tid: TransactionID, steps: inout Int,
        _ body: (RawSpan, TransactionID, TransactionID?) -> Result
    ) throws(StorageError) -> Result? {
        let revision = try load(oid, at: tid.predecessor)
        return body(revision.data.span.bytes, revision.serial, revision.next)
    }

    /// The same however far back the revision lies.
    public func withRevision<Result>(
        _ oid: ObjectID, before tid: TransactionID, _ body: (RawSpan, TransactionID, TransactionID?) -> Result
    ) throws(StorageError) -> Result {
        var steps = Int.max
        guard let result = try withRevision(oid, before: tid, steps: &steps, body) else { throw .interrupted }
        return result
    }
}
