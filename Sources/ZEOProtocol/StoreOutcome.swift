public import ZODB

/// What a server up to generation 4 says of one store, in `serialnos`.
public struct StoreOutcome: Hashable, Sendable {
    public enum Result: Hashable, Sendable {
        /// Written with this serial, which is the transaction's tid.
        case serial(TransactionID)
        /// Merged by the server, or changed by an undo: what is there is not what was handed in.
        case changed
        case failed(RemoteException)
    }

    public var oid: ObjectID
    public var result: Result

    /// `(oid, serial)`, `(oid, 'rs')` or `(oid, exception)`.
    init(_ value: WireValue) throws(MalformedReply) {
        let malformed = MalformedReply(method: "serialnos", value: value)
        guard let parts = value.elements, parts.count == 2 else { throw malformed }
        if let exception = RemoteException(instance: parts[1]) {
            // Undo errors are about no object, or said to be about the root.
            oid = ObjectID(parts[0]) ?? .root
            result = .failed(exception)
            return
        }
        guard let oid = ObjectID(parts[0]) else { throw malformed }
        self.oid = oid
        if parts[1].rawBytes == Array("rs".utf8) {
            result = .changed
        } else if let serial = TransactionID(parts[1]) {
            result = .serial(serial)
        } else {
            throw malformed
        }
    }
}

/// The transaction of a connection to a server up to generation 4: what was stored, and what the server said of it.
///
/// Such a server answers a vote with nothing, whatever happened, and only logs a store that it could not take. Whoever
/// believed the answer would lose data: so every store has to be accounted for.
struct StoreAccount: Sendable {
    private var stored: Set<ObjectID> = []
    private var isKnown: Set<ObjectID> = []
    private var changed: [ObjectID] = []
    private var failure: StorageError?
    /// As far as the server has told.
    private(set) var tid: TransactionID?

    mutating func sent(_ call: Call) {
        switch call {
        case .begin: self = StoreAccount()
        case .store(let oid, _, _, _), .storeBlobEnd(let oid, _, _, _): stored.insert(oid)
        default: break
        }
    }

    mutating func told(_ outcomes: [StoreOutcome]) {
        for outcome in outcomes {
            isKnown.insert(outcome.oid)
            switch outcome.result {
            case .serial(let serial): tid = serial
            case .changed: changed.append(outcome.oid)
            case .failed(let exception): failure = failure ?? exception.storageError
            }
        }
    }

    /// The vote's answer, as generation 5 gives it.
    func vote() -> Result<WireValue, StorageError> {
        if let failure { return .failure(failure) }
        if let lost = stored.subtracting(isKnown).min() {
            return .failure(
                .wrongState("the server does not say what became of the store of \(lost): nothing can be committed"))
        }
        return .success(.list(changed.map { .bytes($0.bytes) }))
    }
}
