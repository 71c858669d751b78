internal import ZEOProtocol
internal import ZODB

/// Transactions and their records from servers before ZODB 3.9, which list neither but for those that can be undone.
extension ZEOClientStorage {
    /// What can be undone, oldest first.
    func undoableTransactions(
        from first: TransactionID, through last: TransactionID
    ) throws(StorageError) -> any Cursor<TransactionSummary> {
        guard canUndo else { throw cannotList() }
        let log = TransactionLogCursor(self)
        var found: [TransactionSummary] = []
        while let transaction = try log.next(), transaction.tid >= first {
            if transaction.tid <= last { found.append(transaction) }
        }
        return ArrayCursor(found.reversed())
    }

    func cannotList() -> StorageError {
        guard let server, !server.generation.hasTransactionIteration else {
            return .unsupported("the storage behind \(name) cannot list its transactions")
        }
        return server.lacks("it does not list its transactions; an offline copy of its Data.fs does")
    }

    /// The records of `tid`, put together: of objects that changed since, as far as the server remembers, or else of all.
    ///
    /// Objects that no longer exist are only found in the first way.
    func collectedRecords(
        of tid: TransactionID
    ) throws(StorageError) -> (transaction: TransactionSummary, records: any Cursor<TransactionRecord>) {
        let log = try transactionLog()
        var oldest: TransactionSummary?
        while let transaction = try log.next() {
            oldest = transaction
            if transaction.tid <= tid { break }
        }
        guard let summary = oldest, summary.tid == tid else {
            // All that it tells of are younger.
            if let server, oldest.map({ $0.tid > tid }) ?? true {
                throw server.lacks(
                    "it tells nothing of transactions before the last pack; an offline copy of its Data.fs does")
            }
            throw .noSuchTransaction(tid)
        }
        if server?.generation.hasLastTransaction ?? false {
            let changed = try perform(.getInvalidations(since: tid.predecessor)) { value throws(MalformedReply) in
                try Reply.invalidations(value)
            }
            if let changed { return (summary, ArrayCursor(try records(of: tid, among: changed.oids))) }
        }
        return (summary, ArrayCursor(try records(of: tid, amongAll: try currentRecords(from: .root))))
    }

    /// A server does not name objects that are new in their transaction: those are found from the ones that refer to them.
    private func records(of tid: TransactionID, among oids: [ObjectID]) throws(StorageError) -> [TransactionRecord] {
        var seen = Set(oids)
        var waiting = seen.sorted()
        var found: [TransactionRecord] = []
        while !waiting.isEmpty {
            var next: [ObjectID] = []
            let before = load(waiting, at: tid.predecessor)
            for ((oid, now), before) in zip(zip(waiting, load(waiting, at: tid)), before) {
                do throws(StorageError) {
                    let revision = try now.get()
                    guard revision.serial == tid else { continue }
                    found.append(TransactionRecord(oid: oid, data: revision.data))
                    let record = CurrentRecord(oid: oid, revision: revision)
                    for oid in ReachableRecordCursor.references(of: record) where seen.insert(oid).inserted {
                        next.append(oid)
                    }
                } catch {
                    switch error {
                    // It was there before: the transaction took it away.
                    case .noSuchObject:
                        if case .success = before { found.append(TransactionRecord(oid: oid, data: nil)) }
                    case .noRevision: continue
                    default: throw error
                    }
                }
            }
            waiting = next
        }
        return found.sorted { $0.oid < $1.oid }
    }

    private func records(
        of tid: TransactionID, amongAll records: any Cursor<CurrentRecord>
    ) throws(StorageError) -> [TransactionRecord] {
        var found: [TransactionRecord] = []
        var later: [ObjectID] = []
        func look() throws(StorageError) {
            for (oid, result) in zip(later, load(later, at: tid)) {
                do throws(StorageError) {
                    let revision = try result.get()
                    if revision.serial == tid { found.append(TransactionRecord(oid: oid, data: revision.data)) }
                } catch {
                    switch error {
                    case .noSuchObject, .noRevision: continue
                    default: throw error
                    }
                }
            }
            later = []
        }
        while let record = try records.next() {
            if record.revision.serial == tid {
                found.append(TransactionRecord(oid: record.oid, data: record.revision.data))
            } else if record.revision.serial > tid {
                later.append(record.oid)
                if later.count == 256 { try look() }
            }
        }
        try look()
        return found.sorted { $0.oid < $1.oid }
    }
}
