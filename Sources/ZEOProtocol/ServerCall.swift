public import ZODB

/// What a client asks, typed: the same in every generation, whatever the method was called there.
///
/// Transactions are known by a value of the client's choice, which is only compared.
///
/// Source: `ZEOStorage` of ZEO 2.2 to 6.2 (`ZEO/StorageServer.py`) and the adapters of its versions.
public enum ServerCall: Hashable, Sendable {
    // MARK: Connection
    case getAuthProtocol
    case getChallenge
    /// User name, the challenge that was sent, and the proof.
    case answerChallenge(user: [UInt8], challenge: [UInt8], response: [UInt8])
    case register(storage: String, readOnly: Bool)
    case getInfo
    case getSizeInfo
    case getExtensionMethods
    case ping
    case serverStatus
    /// What is only ours: see `OwnStatus`.
    case ownStatus
    case setClientLabel(String)
    case lastTransaction
    case newObjectIDs(Int)
    case getInvalidations(since: TransactionID)

    // MARK: Reading
    /// The current revision, as the method of this name returns it.
    case loadCurrent(ObjectID, CurrentForm)
    /// The latest revision with a serial below the tid.
    case loadBefore(ObjectID, TransactionID)
    case loadSerial(ObjectID, TransactionID)
    case serialOfCurrent(ObjectID)
    case history(ObjectID, limit: Int)
    case recordNext(ObjectID?)
    case undoInfo(first: Int, last: Int, filter: WireValue)
    case iteratorStart(first: TransactionID?, last: TransactionID?)
    case iteratorNext(Int)
    case iteratorRecordStart(Int, TransactionID)
    case iteratorRecordNext(Int)
    case iteratorRelease([Int])
    case sendBlob(ObjectID, TransactionID)

    // MARK: Writing
    case begin(WireValue, TransactionDescription)
    case store(ObjectID, serial: TransactionID, data: [UInt8], in: WireValue)
    case restore(ObjectID, serial: TransactionID, data: [UInt8]?, from: TransactionID?, in: WireValue)
    case delete(ObjectID, serial: TransactionID, in: WireValue)
    case requireCurrent(ObjectID, serial: TransactionID, in: WireValue)
    case storeBlobStart
    case storeBlobChunk([UInt8])
    case storeBlobEnd(ObjectID, serial: TransactionID, data: [UInt8], in: WireValue)
    case storeBlobShared(ObjectID, serial: TransactionID, data: [UInt8], fileName: [UInt8], in: WireValue)
    /// Undoes within the transaction; the vote tells the oids.
    case undoAtVote(TransactionID, in: WireValue)
    /// Undoes at once, under the lock, and answers with the oids.
    case undoNow(TransactionID, in: WireValue)
    case vote(WireValue)
    case finish(WireValue)
    case abort(WireValue)
    case pack(time: Double, waits: Bool)

    // MARK: What only old clients ask
    case verify(ObjectID, TransactionID)
    case endVerification
    case versionEmpty
    case versions
    case modifiedInVersion
    /// Versions are long gone: there is nothing to commit or abort.
    case versionChange(String)

    /// How the current revision is handed out.
    public enum CurrentForm: Hashable, Sendable {
        /// `zeoLoad`: (data, serial, '', None, None)
        case zeoLoad
        /// `load`: (data, serial)
        case load
        /// `loadEx`: (data, serial), and up to 308 a version at the end.
        case loadEx
    }
}

/// What `tpc_begin` says of a transaction.
public struct TransactionDescription: Hashable, Sendable {
    public var user: [UInt8]
    public var description: [UInt8]
    /// A dict.
    public var `extension`: WireValue
    /// Of a transaction that is copied from another storage: its tid there, and its status.
    public var tid: TransactionID?
    public var status: UInt8

    public init(
        user: [UInt8], description: [UInt8], extension: WireValue, tid: TransactionID? = nil,
        status: UInt8 = UInt8(ascii: " ")
    ) {
        self.user = user
        self.description = description
        self.extension = `extension`
        self.tid = tid
        self.status = status
    }
}

/// A call that cannot be carried out as it stands.
public enum CallError: Error, Hashable, Sendable {
    /// There is no such method in this generation. Peers end the connection without a reply.
    case unknownMethod(String)
    /// The arguments are not what the method takes: a TypeError, as Python raises it for a wrong number.
    case badArguments(method: String, expected: String, found: String)
}

extension CallError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknownMethod(let name): "no method '\(WireValue.escaped(Array(name.utf8), keepingText: true))'"
        case .badArguments(let method, let expected, let found): "\(method)\(expected) was called with \(found)"
        }
    }
}
