public import ZODB

/// What a client asks of a server: every call of the reading side, typed.
public enum Call: Hashable, Sendable {
    case register(storage: String, readOnly: Bool)
    case getInfo
    case ping
    case serverStatus
    /// A name for the server's log. No reply.
    case setClientLabel(String)
    /// What changed after `tid`, for a client that was away.
    case getInvalidations(since: TransactionID)
    /// The latest revision with a serial below the tid.
    case loadBefore(ObjectID, TransactionID)
    case history(ObjectID, limit: Int)
    /// The current record with the lowest oid that is not below this one; nil: the very first.
    case recordNext(ObjectID?)
    /// Transactions that can be undone, newest first: those numbered `first ..< last`.
    case undoInfo(first: Int, last: Int)
    case iteratorStart(first: TransactionID?, last: TransactionID?)
    case iteratorNext(Int)
    case iteratorRecordStart(Int, TransactionID)
    case iteratorRecordNext(Int)
    /// These iterators are no longer needed. No reply.
    case iteratorRelease([Int])
    /// The reply comes after the blob's bytes, which come as notifications.
    case sendBlob(ObjectID, TransactionID)
}

extension Call {
    /// Nobody waits for an answer, and none comes.
    public var isOneWay: Bool {
        switch self {
        case .setClientLabel, .iteratorRelease: true
        default: false
        }
    }

    /// The method's name and its arguments in `generation`.
    /// - Throws: `unsupported` where the generation has no such call; sending it anyway costs the connection.
    func method(in generation: Generation) throws(StorageError) -> (name: String, arguments: [WireValue]) {
        guard isKnown(to: generation) else {
            throw .unsupported("\(generation.releases) has no such call: the server is too old")
        }
        let version: [WireValue] = generation.hasVersionArguments ? [.string("")] : []
        return switch self {
        case .register(let storage, let readOnly):
            ("register", [.string(storage), .integer(readOnly ? 1 : 0)])
        case .getInfo: ("get_info", [])
        case .ping: ("ping", [])
        case .serverStatus: ("server_status", [])
        case .setClientLabel(let label): ("set_client_label", [.string(label)])
        case .getInvalidations(let tid): ("getInvalidations", [.bytes(tid.bytes)])
        case .loadBefore(let oid, let tid): ("loadBefore", [.bytes(oid.bytes), .bytes(tid.bytes)])
        case .history(let oid, let limit): ("history", [.bytes(oid.bytes)] + version + [.integer(Int64(limit))])
        case .recordNext(let oid): ("record_iternext", [oid.map { .bytes($0.bytes) } ?? .none])
        case .undoInfo(let first, let last): ("undoInfo", [.integer(Int64(first)), .integer(Int64(last)), .none])
        case .iteratorStart(let first, let last):
            ("iterator_start", [first.map { .bytes($0.bytes) } ?? .none, last.map { .bytes($0.bytes) } ?? .none])
        case .iteratorNext(let id): ("iterator_next", [.integer(Int64(id))])
        case .iteratorRecordStart(let id, let tid):
            ("iterator_record_start", [.integer(Int64(id)), .bytes(tid.bytes)])
        case .iteratorRecordNext(let id): ("iterator_record_next", [.integer(Int64(id))])
        case .iteratorRelease(let ids): ("iterator_gc", [.list(ids.map { .integer(Int64($0)) })])
        case .sendBlob(let oid, let serial): ("sendBlob", [.bytes(oid.bytes), .bytes(serial.bytes)])
        }
    }

    /// Whether servers of this generation have the method at all.
    private func isKnown(to generation: Generation) -> Bool {
        switch self {
        case .register, .getInfo, .history, .undoInfo: true
        case .getInvalidations: generation.hasLastTransaction
        case .ping: generation.hasPing
        case .serverStatus: generation.hasServerStatus
        case .setClientLabel: generation.hasClientLabel
        case .loadBefore: generation.hasLoadBefore
        case .recordNext: generation.hasRecordIteration
        case .iteratorStart, .iteratorNext, .iteratorRecordStart, .iteratorRecordNext, .iteratorRelease:
            generation.hasTransactionIteration
        case .sendBlob: generation.hasBlobs
        }
    }
}
