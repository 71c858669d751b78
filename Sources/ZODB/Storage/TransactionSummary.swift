/// What a storage keeps about a transaction, apart from its records.
public struct TransactionSummary: Hashable, Sendable {
    public enum Status: UInt8, Hashable, Sendable {
        case complete = 0x20  // ' '
        case packed = 0x70  // 'p': kept by a pack, no longer undoable
        case undone = 0x75  // 'u': by the undo of Zope 2.3 and before; its records are void
        case other = 0x3f
    }

    public var tid: TransactionID
    public var status: Status
    /// Bytes as stored; UTF-8 from Python 3, anything from Python 2.
    public var user: [UInt8]
    public var description: [UInt8]
    /// A pickled dict, or empty. A server may hand over a decoded dict: see `extensionItems`.
    public var extensionData: [UInt8]
    /// The length of the whole transaction record in bytes, where the storage knows it.
    public var length: Int?

    public init(
        tid: TransactionID, status: Status = .complete, user: [UInt8] = [], description: [UInt8] = [],
        extensionData: [UInt8] = [], length: Int? = nil
    ) {
        self.tid = tid
        self.status = status
        self.user = user
        self.description = description
        self.extensionData = extensionData
        self.length = length
    }
}

/// One record of a transaction.
public struct TransactionRecord: Hashable, Sendable {
    public var oid: ObjectID
    /// The object's bytes as of this transaction; nil when the transaction deleted (or un-created) it.
    public var data: [UInt8]?
    /// The transaction whose data this one points back to (an undo), one step back; nil for data of its own.
    public var dataTransaction: TransactionID?

    public init(oid: ObjectID, data: [UInt8]?, dataTransaction: TransactionID? = nil) {
        self.oid = oid
        self.data = data
        self.dataTransaction = dataTransaction
    }
}

/// One revision of an object, as `history` tells it.
public struct HistoryEntry: Hashable, Sendable {
    public var transaction: TransactionSummary
    /// The stored size of the record in bytes: 0 for a back pointer (undo) and for a deletion.
    public var size: Int

    public init(transaction: TransactionSummary, size: Int) {
        self.transaction = transaction
        self.size = size
    }
}
