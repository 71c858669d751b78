internal import ZEOProtocol
internal import ZODB

/// What a client wants to write, kept until it votes: only then is it the storage's turn.
struct ClientTransaction: Sendable {
    enum Operation: Sendable {
        case store(ObjectID, serial: TransactionID, data: [UInt8])
        case storeBlob(ObjectID, serial: TransactionID, data: [UInt8], file: ReceivedBlob)
        case restore(ObjectID, serial: TransactionID, data: [UInt8]?, from: TransactionID?)
        case delete(ObjectID, serial: TransactionID)
        case requireCurrent(ObjectID, serial: TransactionID)
        case undo(TransactionID)
    }

    let id: WireValue
    let description: TransactionDescription
    private var kept: [Operation] = []
    private var hasBlobs = false
    /// It has something in it that its client may not do: the vote says so, which every client waits for.
    var refusal: PythonException?
    /// Bytes of data in it.
    private(set) var size = 0

    init(_ id: WireValue, _ description: TransactionDescription) {
        self.id = id
        self.description = description
    }

    mutating func append(_ operation: Operation) {
        switch operation {
        case .store(_, _, let data): size += data.count + 64
        case .restore(_, _, let data, _): size += (data?.count ?? 0) + 64
        case .storeBlob(_, _, let data, _):
            size += data.count + 64
            hasBlobs = true
        case .delete, .requireCurrent, .undo: size += 64
        }
        kept.append(operation)
    }

    /// What the client wants to write, in its order. Clients from ZEO 5 on send the record of a blob by itself first: that
    /// is left out.
    var operations: [Operation] {
        guard hasBlobs else { return kept }
        var blobs: Set<ObjectID> = []
        return kept.reversed().filter { operation in
            switch operation {
            case .storeBlob(let oid, _, _, _):
                blobs.insert(oid)
                return true
            case .store(let oid, _, _): return !blobs.contains(oid)
            case .restore, .delete, .requireCurrent, .undo: return true
            }
        }.reversed()
    }

    /// Takes out what has not been handed to the storage yet.
    mutating func takeOperations() -> [Operation] {
        defer {
            kept = []
            hasBlobs = false
        }
        return operations
    }
}

extension ClientTransaction.Operation {
    /// The file of a blob.
    var file: ReceivedBlob? {
        if case .storeBlob(_, _, _, let file) = self { return file }
        return nil
    }
}
