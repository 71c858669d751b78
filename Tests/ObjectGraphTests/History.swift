import ZODB

extension MemoryStorage {
    /// Stores records, each on top of whatever is there.
    @discardableResult
    func commit(_ records: [ObjectID: [UInt8]], user: String = "", _ description: String = "") throws -> TransactionID {
        let transaction = try begin(
            TransactionMetadata(user: Array(user.utf8), description: Array(description.utf8)))
        for (oid, data) in records.sorted(by: { $0.key < $1.key }) {
            let serial = (try? history(of: oid, limit: 1).first?.transaction.tid) ?? TransactionID.none
            try transaction.store(data, for: oid, basedOn: serial)
        }
        _ = try transaction.vote()
        return try transaction.finish()
    }

    /// Undoes transactions, newest first.
    @discardableResult
    func undo(_ tids: [TransactionID]) throws -> TransactionID {
        let transaction = try begin(TransactionMetadata())
        for tid in tids { try transaction.undo(tid) }
        _ = try transaction.vote()
        return try transaction.finish()
    }
}
