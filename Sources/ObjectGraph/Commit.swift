internal import Pickle
public import ZODB

/// Why a commit did not succeed, as far as it is known.
public enum CommitFailure: Error, Hashable, Sendable {
    /// Nothing was written: the edits are still staged.
    case refused(StorageError)
    /// The connection was lost after the server had been told to finish: the transaction may have happened or not.
    case inDoubt(StorageError)
}

/// What a commit did.
public struct CommitResult: Hashable, Sendable {
    /// nil after a dry run.
    public var tid: TransactionID?
    public var objectCount: Int
    /// Bytes of the records.
    public var size: Int
    /// Objects that the storage merged with what others had committed.
    public var mergedOIDs: [ObjectID]

    public init(tid: TransactionID?, objectCount: Int, size: Int, mergedOIDs: [ObjectID] = []) {
        (self.tid, self.objectCount, self.size, self.mergedOIDs) = (tid, objectCount, size, mergedOIDs)
    }
}

extension Workspace {
    /// Writes all edits as one transaction. Afterwards the workspace shows the state of that transaction, with no edits;
    /// after any error they are all still there.
    /// - Parameter dryRun: goes as far as the vote, which finds conflicts, and takes everything back.
    public func commit(
        _ metadata: TransactionMetadata, dryRun: Bool = false
    ) throws(CommitFailure) -> CommitResult {
        let objects = stagedObjects
        return try write(dryRun: dryRun) { () throws(StorageError) in
            guard let storage = storage as? any WritableStorage else { throw .readOnly(storage.name) }
            try requireTrueBases(objects)
            return try storage.begin(metadata)
        } filling: { (transaction) throws(StorageError) in
            let merged = try vote(objects, in: transaction)
            let size = objects.reduce(0) { $0 + $1.record.document.source.count }
            return CommitResult(tid: nil, objectCount: objects.count, size: size, mergedOIDs: merged)
        }
    }

    /// One transaction from its beginning to its end, or, with `dryRun`, to the vote and back.
    /// - Parameter filling: puts in what belongs into it, and votes; what it comes to.
    func write(
        dryRun: Bool, _ begin: () throws(StorageError) -> any StorageTransaction,
        filling: (any StorageTransaction) throws(StorageError) -> CommitResult
    ) throws(CommitFailure) -> CommitResult {
        var isFinishing = false
        do throws(StorageError) {
            let transaction = try begin()
            var result: CommitResult
            do throws(StorageError) {
                result = try filling(transaction)
            } catch {
                transaction.abort()
                throw error
            }
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

    /// What was edited while the server was away came from a cache file, which has no checksums: that it has the serial of the
    /// server's revision does not make it the same, and what would be written is made of it.
    /// - Throws: `wrongState` when it is not the same.
    private func requireTrueBases(_ objects: [StagedObject]) throws(StorageError) {
        rereadIfNeeded()
        guard hasDoubtfulBases else { return }
        for base in objects.compactMap(\.base) {
            try interruption.check()
            let record: ObjectRecord
            do throws(StorageError) {
                record = try ObjectRecord(try storage.load(base.oid, at: base.serial), oid: base.oid)
            } catch .noRevision, .noSuchObject {
                // Changed and packed since, or deleted: that is for the store to find.
                continue
            }
            guard record.document.source == base.document.source else {
                throw .wrongState(
                    "object \(base.oid) was edited as a damaged cache file showed it while the server was away: the server "
                        + "has other bytes of the same revision, \(base.serial). Nothing was written; 'abort' forgets the edits"
                )
            }
        }
        hasDoubtfulBases = false
    }

    private func vote(
        _ objects: [StagedObject], in transaction: any StorageTransaction
    ) throws(StorageError) -> [ObjectID] {
        for object in objects {
            try interruption.check()
            let data = object.record.document.source
            if let contents = object.contents {
                try transaction.storeBlob(data, for: object.oid, basedOn: object.baseSerial, contents: try contents())
            } else {
                try transaction.store(data, for: object.oid, basedOn: object.baseSerial)
            }
        }
        for tree in treesReliedOn {
            try transaction.requireCurrent(tree, serial: try object(tree, at: basis).serial)
        }
        return try transaction.vote().changedOIDs
    }

    /// The edits have become transaction `tid`.
    public func committed(_ tid: TransactionID) {
        abort()
        // Others may have committed after us; what we wrote is in any later state.
        let last = (try? storage.lastTransaction()) ?? tid
        basis = max(last, tid)
        at = basis
    }
}
