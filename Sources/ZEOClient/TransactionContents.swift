internal import ZEOProtocol
public import ZODB

extension ZEOClientStorage: CopyableStorage {
    public func contents(
        from first: TransactionID?, through last: TransactionID
    ) throws(StorageError) -> any Cursor<TransactionContent> {
        guard first.map({ $0 <= last }) ?? (last > .none) else { return ArrayCursor([]) }
        return TransactionContents(try TransactionFeed(self, from: first, through: last))
    }
}

/// Transactions, and for each a cursor over its records.
private final class TransactionContents: Cursor {
    private let feed: TransactionFeed

    init(_ feed: TransactionFeed) { self.feed = feed }

    func next() throws(StorageError) -> TransactionContent? {
        guard let transaction = try feed.nextTransaction() else { return nil }
        return TransactionContent(transaction: transaction, records: Records(feed))
    }

    /// The records of the feed's first transaction.
    private final class Records: Cursor {
        private let feed: TransactionFeed

        init(_ feed: TransactionFeed) { self.feed = feed }

        func next() throws(StorageError) -> TransactionRecord? { try feed.nextRecord() }
    }
}

/// Reads several transactions of a server at once, so that a copy does not wait a round trip for each record.
///
/// In each round it asks for the next transaction, and of those that are open for the next record of each. It never asks for
/// more records than there are: a server takes that for an error, and says so in its log. Nor for a transaction after the
/// last: when a Python server's iterator comes to its end, the file is closed under all that are still being read.
private final class TransactionFeed {
    /// A transaction whose records are being read.
    private final class Opened {
        let transaction: TransactionSummary
        var start: PendingReply<Int>?
        /// The server's number for the iterator over its records.
        var id: Int?
        var asked: PendingReply<TransactionRecord?>?
        /// Read; those from `first` on have not been handed on.
        var records: [TransactionRecord] = []
        var first = 0
        var isComplete = false

        init(_ transaction: TransactionSummary) { self.transaction = transaction }
    }

    /// Transactions read at once, and bytes held for those whose turn it is not yet.
    private static let width = 32, mostHeld = 16 << 20

    private let storage: ZEOClientStorage
    private let last: TransactionID
    private var attempt: Int
    /// The server's number for the iterator over transactions; nil when it has come to its end.
    private var id: Int?
    private var asked: PendingReply<TransactionSummary?>?
    private var opened: [Opened] = []
    private var isFirstHandedOn = false
    /// Records of the first that were handed on.
    private var handedOn = 0
    private var held = 0
    /// The last transaction has been seen, or is about to be asked for.
    private var isAtLast = false
    /// One transaction after the other: the last one that the server names is not there any more, as after a pack that left
    /// nothing of it, so that nobody knows where the end is.
    private var isCautious = false

    init(_ storage: ZEOClientStorage, from first: TransactionID?, through last: TransactionID) throws(StorageError) {
        guard storage.canIterate else {
            throw .unsupported("the storage behind \(storage.name) cannot list its transactions")
        }
        self.storage = storage
        self.last = min(last, try storage.lastTransaction())
        (attempt, id) = try Self.start(storage, from: first)
    }

    /// Without an end: what comes behind the last is not asked for.
    private static func start(
        _ storage: ZEOClientStorage, from first: TransactionID?
    ) throws(StorageError) -> (attempt: Int, id: Int) {
        let start = storage.request(.iteratorStart(first: first, last: nil)) { value throws(MalformedReply) in
            try Reply.iterator(value)
        }
        let attempt = try storage.send([start])
        return (attempt, try storage.wait(for: start))
    }

    deinit { release() }

    private func release() {
        let ids = [id].compactMap { $0 } + opened.filter { !$0.isComplete }.compactMap(\.id)
        if !ids.isEmpty { storage.post([.iteratorRelease(ids)], on: attempt) }
    }

    func nextTransaction() throws(StorageError) -> TransactionSummary? {
        if isFirstHandedOn {
            while try nextRecord() != nil {}
            opened.removeFirst()
            isFirstHandedOn = false
        }
        while opened.isEmpty {
            guard id != nil, !isAtLast else { return nil }
            try round()
        }
        handedOn = 0
        isFirstHandedOn = true
        return opened[0].transaction
    }

    /// The next record of the transaction that was handed on last.
    func nextRecord() throws(StorageError) -> TransactionRecord? {
        guard isFirstHandedOn, var current = opened.first else { return nil }
        while current.first == current.records.count {
            guard !current.isComplete else { return nil }
            current.records.removeAll(keepingCapacity: true)
            current.first = 0
            do throws(StorageError) {
                try round()
            } catch {
                guard case .remote(let name, _) = error, name.hasSuffix("ValueError"), !isCautious else { throw error }
                try restart(current)
                current = opened[0]
            }
        }
        let record = current.records[current.first]
        current.first += 1
        handedOn += 1
        held -= record.data?.count ?? 0
        return record
    }

    /// One round trip: asks for what may be asked for, and takes in all answers.
    private func round() throws(StorageError) {
        try ask()
        try takeIn()
    }

    /// Reads anew from the transaction that was handed on last, and one after the other from there.
    private func restart(_ current: Opened) throws(StorageError) {
        release()
        isCautious = true
        (opened, asked, held, isAtLast) = ([], nil, 0, false)
        (attempt, id) = try Self.start(storage, from: current.transaction.tid)
        while opened.isEmpty, id != nil { try round() }
        guard let again = opened.first, again.transaction.tid == current.transaction.tid else {
            throw .noSuchTransaction(current.transaction.tid)
        }
        while again.records.count < handedOn, !again.isComplete { try round() }
        held = 0
        again.first = min(handedOn, again.records.count)
    }

    private func ask() throws(StorageError) {
        var calls: [any PendingCall] = []
        for (place, transaction) in opened.enumerated() {
            // The first may always go on, or nothing would.
            guard !transaction.isComplete, let id = transaction.id, place == 0 || held < Self.mostHeld else { continue }
            let next = storage.request(.iteratorRecordNext(id)) { value throws(MalformedReply) in
                try Reply.iteratedRecord(value)
            }
            transaction.asked = next
            calls.append(next)
        }
        if let id {
            // Before the iterator moves on: it is asked for the records of where it stands.
            if let last = opened.last, last.id == nil, !last.isComplete {
                let start = storage.request(.iteratorRecordStart(id, last.transaction.tid)) {
                    value throws(MalformedReply) in
                    try Reply.iterator(value)
                }
                last.start = start
                calls.append(start)
            }
            let isRoom = isCautious ? opened.isEmpty : opened.count < Self.width && held < Self.mostHeld
            if !isAtLast, isRoom || opened.isEmpty {
                let next = storage.request(.iteratorNext(id)) { value throws(MalformedReply) in
                    try Reply.iteratedTransaction(value)
                }
                asked = next
                calls.append(next)
            }
        }
        try storage.send(calls, on: attempt)
    }

    private func takeIn() throws(StorageError) {
        for transaction in opened {
            if let pending = transaction.asked {
                transaction.asked = nil
                if let record = try storage.wait(for: pending) {
                    transaction.records.append(record)
                    held += record.data?.count ?? 0
                } else {
                    transaction.isComplete = true
                }
            }
            if let pending = transaction.start {
                transaction.start = nil
                transaction.id = try storage.wait(for: pending)
            }
        }
        guard let pending = asked else { return }
        asked = nil
        guard let transaction = try storage.wait(for: pending) else {
            id = nil
            return
        }
        isAtLast = transaction.tid >= last
        if transaction.tid <= last { opened.append(Opened(transaction)) }
    }
}
