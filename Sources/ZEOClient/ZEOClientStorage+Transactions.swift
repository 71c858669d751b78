internal import Synchronization
internal import ZEOProtocol
public import ZODB

extension ZEOClientStorage: TransactionLogStorage {
    public func transactionLog() throws(StorageError) -> any Cursor<TransactionSummary> {
        _ = try connectedChannel()
        return TransactionLogCursor(self)
    }

    public func transactions(
        from first: TransactionID, through last: TransactionID
    ) throws(StorageError) -> any Cursor<TransactionSummary> {
        guard first <= last else { return ArrayCursor([]) }
        _ = try connectedChannel()
        guard canIterate else { return try undoableTransactions(from: first, through: last) }
        return try TransactionIterator(self, from: first, through: last)
    }

    public func records(
        of tid: TransactionID
    ) throws(StorageError) -> (transaction: TransactionSummary, records: any Cursor<TransactionRecord>) {
        _ = try connectedChannel()
        guard canIterate else { return try collectedRecords(of: tid) }
        let iterator = try TransactionIterator(self, from: tid, through: tid)
        guard let transaction = try iterator.next(), transaction.tid == tid else { throw .noSuchTransaction(tid) }
        return (transaction, try TransactionRecordCursor(self, iterator, tid))
    }

    var canIterate: Bool { server?.iteratesTransactions ?? false }
    var canUndo: Bool { server?.undoes ?? false }
}

/// Transactions of a range, oldest first, by an iterator that the server keeps for us.
///
/// It belongs to its connection. Given up early, it is released.
final class TransactionIterator: Cursor {
    private let storage: ZEOClientStorage
    let attempt: Int
    /// The server's number for it; nil when it has come to its end.
    fileprivate(set) var id: Int? {
        didSet {
            if (id == nil) != (oldValue == nil) { storage.state.withLock { $0.iterators += id == nil ? -1 : 1 } }
        }
    }

    init(
        _ storage: ZEOClientStorage, from first: TransactionID?, through last: TransactionID?
    ) throws(StorageError) {
        guard storage.canIterate else { throw storage.cannotList() }
        self.storage = storage
        let start = storage.request(.iteratorStart(first: first, last: last)) { value throws(MalformedReply) in
            try Reply.iterator(value)
        }
        attempt = try storage.send([start])
        let number = try storage.wait(for: start)
        id = number
        // Not told of by `didSet`: an initializer is not.
        storage.state.withLock { $0.iterators += 1 }
    }

    deinit {
        guard let id else { return }
        storage.state.withLock { $0.iterators -= 1 }
        storage.post([.iteratorRelease([id])], on: attempt)
    }

    func next() throws(StorageError) -> TransactionSummary? {
        guard let id else { return nil }
        do throws(StorageError) {
            let transaction = try storage.perform(.iteratorNext(id), on: attempt) { value throws(MalformedReply) in
                try Reply.iteratedTransaction(value)
            }
            if transaction == nil { self.id = nil }
            return transaction
        } catch {
            storage.post([.iteratorRelease([id])], on: attempt)
            self.id = nil
            throw error
        }
    }
}

/// The records of the transaction that an iterator stands at.
private final class TransactionRecordCursor: Cursor {
    private let storage: ZEOClientStorage
    private let transactions: TransactionIterator
    private var id: Int?

    init(
        _ storage: ZEOClientStorage, _ transactions: TransactionIterator, _ tid: TransactionID
    ) throws(StorageError) {
        self.storage = storage
        self.transactions = transactions
        guard let transaction = transactions.id else { return }
        id = try storage.perform(.iteratorRecordStart(transaction, tid), on: transactions.attempt) {
            value throws(MalformedReply) in try Reply.iterator(value)
        }
    }

    deinit { release() }

    func next() throws(StorageError) -> TransactionRecord? {
        guard let id else { return nil }
        do throws(StorageError) {
            let record = try storage.perform(.iteratorRecordNext(id), on: transactions.attempt) {
                value throws(MalformedReply) in try Reply.iteratedRecord(value)
            }
            if record == nil {
                self.id = nil
                release()
            }
            return record
        } catch {
            release()
            throw error
        }
    }

    /// Servers keep the transaction for as long as its iterator has not come to the end; one more step takes it there,
    /// since the iterator is for this transaction only.
    private func release() {
        if let id { storage.post([.iteratorRelease([id])], on: transactions.attempt) }
        id = nil
        guard let transaction = transactions.id else { return }
        transactions.id = nil
        storage.post([.iteratorNext(transaction)], on: transactions.attempt)
    }
}
