/// What a visitor of records must be told besides them; what it does not want makes the visit faster.
public struct RevisionInterest: OptionSet, Sendable {
    public let rawValue: Int

    public init(rawValue: Int) { self.rawValue = rawValue }

    /// `visit(_ transaction:)` is to be called.
    public static let transactions = RevisionInterest(rawValue: 1)
    /// `isCurrent` and `isNeeded` of records are to be right; without, both are false.
    public static let currentness = RevisionInterest(rawValue: 2)
}

/// Whoever wants to be told of every record that a storage keeps.
public protocol RevisionVisitor {
    var interest: RevisionInterest { get }
    /// The records that follow are this transaction's.
    mutating func visit(_ transaction: TransactionSummary) throws(StorageError)
    /// One record, with the object's data as of then: empty for a deletion. It is valid during the call only.
    mutating func visit(_ record: VisitedRecord, _ data: RawSpan) throws(StorageError)
    /// Data that was visited as old belongs to a current state after all: an undo points back to it.
    /// - Parameter owner: the transaction whose record holds it.
    mutating func keep(_ data: RawSpan, of owner: TransactionSummary) throws(StorageError)
}

/// One record, as a visitor is told of it.
public struct VisitedRecord: Hashable, Sendable {
    public var oid: ObjectID
    public var serial: TransactionID
    /// The object's newest record of all, and no deletion.
    public var isCurrent: Bool
    /// The data is that of the object's current state: this record is current, or the current one points back to it.
    public var isNeeded: Bool
    /// Bytes of data that this record holds: 0 when it points back to those of an older one, and for a deletion.
    public var storedSize: Int
    /// The transaction that it points back to, one step back.
    public var dataTransaction: TransactionID?

    public init(
        oid: ObjectID, serial: TransactionID, isCurrent: Bool, isNeeded: Bool, storedSize: Int,
        dataTransaction: TransactionID? = nil
    ) {
        self.oid = oid
        self.serial = serial
        self.isCurrent = isCurrent
        self.isNeeded = isNeeded
        self.storedSize = storedSize
        self.dataTransaction = dataTransaction
    }
}

/// A storage that has a faster way of visiting its records than through its transaction log.
public protocol RevisionScanStorage: TransactionLogStorage {
    /// Visits every record of the transactions with `first` ≤ tid ≤ `last`, oldest first, in stored order. What is current
    /// is decided by the whole storage, not by the range.
    func scanRevisions(
        from first: TransactionID, through last: TransactionID, _ visitor: inout some RevisionVisitor
    ) throws(StorageError)
}

extension TransactionLogStorage {
    /// Visits every record of the transactions with `first` ≤ tid ≤ `last`, in any order of transactions: by the fastest
    /// way there is.
    /// - Parameter progress: told of the number of records visited, where the storage does not report by itself.
    public func visitRevisions(
        from first: TransactionID, through last: TransactionID, _ visitor: inout some RevisionVisitor,
        interruption: Interruption? = nil, progress: (Int) -> Void = { _ in }
    ) throws(StorageError) {
        if let storage = self as? any RevisionScanStorage {
            try storage.scanRevisions(from: first, through: last, &visitor)
            return
        }
        var walk = NewestFirst()
        let log = try transactionLog()
        while let transaction = try log.next(), transaction.tid >= first {
            let isInRange = transaction.tid <= last
            if isInRange, visitor.interest.contains(.transactions) { try visitor.visit(transaction) }
            let records = try records(of: transaction.tid).records
            while let record = try records.next() {
                try interruption?.check()
                let visited = walk.visited(record, in: transaction.tid)
                guard isInRange else { continue }
                let data = record.data ?? []
                try visitor.visit(visited, data.span.bytes)
                progress(walk.count)
            }
        }
    }
}

extension TransactionLogStorage {
    /// Visits every record of the transactions with `first` ≤ tid ≤ `last`, oldest first, in stored order. What is current
    /// is not told.
    /// - Parameter progress: told of the number of records visited, where the storage does not report by itself.
    public func visitInOrder(
        from first: TransactionID, through last: TransactionID, _ visitor: inout some RevisionVisitor,
        interruption: Interruption? = nil, progress: (Int) -> Void = { _ in }
    ) throws(StorageError) {
        if let storage = self as? any RevisionScanStorage {
            try storage.scanRevisions(from: first, through: last, &visitor)
            return
        }
        var count = 0
        let transactions = try transactions(from: first, through: last)
        while let transaction = try transactions.next() {
            try visitor.visit(transaction)
            let records = try records(of: transaction.tid).records
            while let record = try records.next() {
                try interruption?.check()
                let data = record.data ?? []
                let visited = VisitedRecord(
                    oid: record.oid, serial: transaction.tid, isCurrent: false, isNeeded: false,
                    storedSize: record.dataTransaction == nil ? data.count : 0,
                    dataTransaction: record.dataTransaction)
                try visitor.visit(visited, data.span.bytes)
                count += 1
                progress(count)
            }
        }
    }
}

/// Tells of records that are met from the newest to the oldest whether they are current: one bit for each object.
private struct NewestFirst {
    private(set) var count = 0
    /// oid / 64 → a bit for each object that has been met.
    private var met: [UInt64: UInt64] = [:]
    /// Where the data of a current record lies, of objects whose last change was an undo.
    private var awaited: [ObjectID: TransactionID] = [:]

    mutating func visited(_ record: TransactionRecord, in tid: TransactionID) -> VisitedRecord {
        count += 1
        let bit: UInt64 = 1 << (record.oid.rawValue % 64)
        let isNewest = met[record.oid.rawValue / 64, default: 0] & bit == 0
        if isNewest { met[record.oid.rawValue / 64, default: 0] |= bit }
        let isCurrent = isNewest && record.data != nil
        let isNeeded = isCurrent || awaited[record.oid] == tid
        if isNeeded { awaited[record.oid] = record.dataTransaction }
        let size = record.dataTransaction == nil ? record.data?.count ?? 0 : 0
        return VisitedRecord(
            oid: record.oid, serial: tid, isCurrent: isCurrent, isNeeded: isNeeded, storedSize: size,
            dataTransaction: record.dataTransaction)
    }
}
