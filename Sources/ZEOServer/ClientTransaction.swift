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
    private(set) var operations: [Operation] = []
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
        case .storeBlob(let oid, _, let data, _):
            size += data.count + 64
            // Clients from ZEO 5 on send the record by itself first.
            operations.removeAll { earlier in
                if case .store(oid, _, _) = earlier { return true }
                return false
            }
        case .delete, .requireCurrent, .undo: size += 64
        }
        operations.append(operation)
    }

    /// Takes out what has not been handed to the storage yet.
    mutating func takeOperations() -> [Operation] {
        defer { operations = [] }
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
