public import ZODB

/// What a client asks of a server, typed.
///
/// A transaction is known by a number of the client's choice; a connection has one at a time.
public enum Call: Hashable, Sendable {
    /// Whether a login is asked for, and of which kind; the first call to servers that know it.
    case getAuthProtocol
    /// What a login's proof has to be about. See `DigestLogin`.
    case getChallenge
    /// The proof: whether it is right.
    case answerChallenge(user: String, challenge: String, proof: String)
    case register(storage: String, readOnly: Bool)
    case getInfo
    /// The tid of the last transaction. See `Reply.lastTransaction`.
    case lastTransaction
    /// A round trip; before generation 5 the same as `lastTransaction`, and so is its reply.
    case ping
    case serverStatus
    /// What `zeoserver` tells beyond that, to be asked only where it says that it does: see `OwnStatus`.
    case ownStatus
    /// A name for the server's log. No reply.
    case setClientLabel(String)
    /// What changed after `tid`, for a client that was away.
    case getInvalidations(since: TransactionID)
    /// The latest revision with a serial below the tid.
    case loadBefore(ObjectID, TransactionID)
    /// The current revision, of whatever age: what generations up to 3101 ask most. See `Reply.current`.
    case loadCurrent(ObjectID)
    /// The serial of the current revision. Before 308 by the name of `getSerial`.
    case currentSerial(ObjectID)
    /// The data of one revision.
    case loadSerial(ObjectID, TransactionID)
    /// Names of the versions that are open, up to 308: changes that only those see who work in them.
    case versions
    /// The version that an object is being changed in, or an empty name.
    case modifiedInVersion(ObjectID)
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
    /// Oids for new objects. Python servers give 100 at most.
    case newObjectIDs(Int)
    /// No reply. The extension is a dict, see `WireValue.transactionExtension`.
    case begin(Int, user: [UInt8], description: [UInt8], extension: WireValue)
    /// The object's new data, based on a revision (`.none`: a new object). No reply: the vote tells.
    case store(ObjectID, serial: TransactionID, data: [UInt8], in: Int)
    /// A blob is coming: its bytes in chunks, and at the end what `store` has. No replies.
    case storeBlobStart
    case storeBlobChunk([UInt8])
    case storeBlobEnd(ObjectID, serial: TransactionID, data: [UInt8], in: Int)
    /// The transaction holds only if this is still the object's current revision. No reply.
    case requireCurrent(ObjectID, serial: TransactionID, in: Int)
    /// Undoes a transaction within this one. No reply from 310 on.
    case undo(TransactionID, in: Int)
    case vote(Int)
    case finish(Int)
    case abort(Int)
    /// Packs to a time, in seconds since 1970. The reply comes when that is done.
    case pack(time: Double)
}

extension Call {
    /// Nobody waits for an answer, and none comes.
    public func isOneWay(in generation: Generation) -> Bool {
        switch self {
        case .setClientLabel, .iteratorRelease, .store, .storeBlobStart, .storeBlobChunk, .storeBlobEnd,
            .requireCurrent:
            true
        case .begin: generation.answersAbortNotBegin
        case .abort: !generation.answersAbortNotBegin
        case .undo: generation.undo == .undoAtVote
        default: false
        }
    }

    /// About how many bytes it is on the wire.
    public var size: Int {
        switch self {
        case .store(_, _, let data, _), .storeBlobEnd(_, _, let data, _), .storeBlobChunk(let data): data.count + 64
        default: 64
        }
    }

    /// The method's name and its arguments in `generation`, for a server on this Python.
    /// - Throws: `unsupported` where the generation has no such call; sending it anyway costs the connection.
    func method(
        in generation: Generation, for python: PythonGeneration = .python3
    ) throws(StorageError) -> (name: String, arguments: [WireValue]) {
        guard isKnown(to: generation) else {
            throw .unsupported("this server is \(generation.releases): it has no \(name)")
        }
        let version: [WireValue] = generation.hasVersionArguments ? [.string("")] : []
        return switch self {
        case .register(let storage, let readOnly):
            ("register", [.string(storage), .integer(readOnly ? 1 : 0)])
        case .getAuthProtocol: ("getAuthProtocol", [])
        case .getChallenge: ("auth_get_challenge", [])
        case .answerChallenge(let user, let challenge, let proof):
            ("auth_response", [.tuple([.string(user), .string(challenge), .string(proof)])])
        case .getInfo: ("get_info", [])
        case .ping where generation.hasPing: ("ping", [])
        case .lastTransaction where generation.hasLastTransaction, .ping where generation.hasLastTransaction:
            ("lastTransaction", [])
        case .lastTransaction, .ping: ("undoInfo", [.integer(0), .integer(1), .none])
        case .serverStatus: ("server_status", [])
        case .ownStatus: (OwnStatus.method, [])
        case .setClientLabel(let label): ("set_client_label", [.string(label)])
        case .getInvalidations(let tid): ("getInvalidations", [.bytes(tid.bytes)])
        case .loadBefore(let oid, let tid): ("loadBefore", [.bytes(oid.bytes), .bytes(tid.bytes)])
        case .loadCurrent(let oid):
            switch generation.currentLoad {
            case .zeoLoad: ("zeoLoad", [.bytes(oid.bytes)])
            case .loadEx: ("loadEx", [.bytes(oid.bytes)] + version)
            case .loadBefore: ("loadBefore", [.bytes(oid.bytes), .bytes(TransactionID.latest.bytes)])
            }
        case .currentSerial(let oid): (generation <= .v303 ? "getSerial" : "getTid", [.bytes(oid.bytes)])
        case .loadSerial(let oid, let serial): ("loadSerial", [.bytes(oid.bytes), .bytes(serial.bytes)])
        case .versions: ("versions", [])
        case .modifiedInVersion(let oid): ("modifiedInVersion", [.bytes(oid.bytes)])
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
        case .newObjectIDs(let count): ("new_oids", [.integer(Int64(count))])
        case .begin(let id, let user, let description, let `extension`):
            // The tid and the status at the end are for copies of transactions. ZODB 4 on Python 3 expects text, and cannot
            // write any beyond ASCII; bytes it writes as they are.
            (
                "tpc_begin",
                [.integer(Int64(id))]
                    + [user, description].map { bytes in
                        generation <= .v4 && python == .python3 && bytes.allSatisfy { $0 < 0x80 }
                            ? .text(bytes) : .bytes(bytes)
                    } + [`extension`, .none, .string(" ")]
            )
        case .store(let oid, let serial, let data, let id):
            ("storea", [.bytes(oid.bytes), .bytes(serial.bytes), .bytes(data)] + version + [.integer(Int64(id))])
        case .storeBlobStart: ("storeBlobStart", [])
        case .storeBlobChunk(let bytes): ("storeBlobChunk", [.bytes(bytes)])
        case .storeBlobEnd(let oid, let serial, let data, let id):
            ("storeBlobEnd", [.bytes(oid.bytes), .bytes(serial.bytes), .bytes(data)] + version + [.integer(Int64(id))])
        case .requireCurrent(let oid, let serial, let id):
            ("checkCurrentSerialInTransaction", [.bytes(oid.bytes), .bytes(serial.bytes), .integer(Int64(id))])
        case .undo(let tid, let id):
            (generation.undo.rawValue, [.bytes(Base64.text(of: tid.bytes)), .integer(Int64(id))])
        case .vote(let id): ("vote", [.integer(Int64(id))])
        case .finish(let id): ("tpc_finish", [.integer(Int64(id))])
        case .abort(let id): ("tpc_abort", [.integer(Int64(id))])
        case .pack(let time): ("pack", [.float(time), .integer(1)])
        }
    }

    /// Whether servers of this generation have the method at all.
    private func isKnown(to generation: Generation) -> Bool {
        switch self {
        case .getAuthProtocol, .getChallenge, .answerChallenge: generation.hasAuthentication
        case .getInvalidations: generation.hasLastTransaction
        case .serverStatus: generation.hasServerStatus
        case .setClientLabel: generation.hasClientLabel
        case .loadBefore: generation.hasLoadBefore
        case .versions, .modifiedInVersion: generation.hasVersionArguments
        case .recordNext: generation.hasRecordIteration
        case .iteratorStart, .iteratorNext, .iteratorRecordStart, .iteratorRecordNext, .iteratorRelease:
            generation.hasTransactionIteration
        case .sendBlob, .storeBlobStart, .storeBlobChunk, .storeBlobEnd: generation.hasBlobs
        case .requireCurrent: generation.hasReadChecks
        case .register, .getInfo, .ownStatus, .lastTransaction, .ping, .loadCurrent, .currentSerial, .loadSerial,
            .history, .undoInfo, .newObjectIDs, .begin, .store, .undo, .vote, .finish, .abort, .pack:
            true
        }
    }

    /// What the call does, for who is told that a server has no such thing.
    private var name: String {
        switch self {
        case .getInvalidations: "list of what changed since a transaction"
        case .serverStatus: "figures of its work"
        case .setClientLabel: "names for its clients"
        case .loadBefore: "way to load older states"
        case .recordNext: "walk over all objects"
        case .iteratorStart, .iteratorNext, .iteratorRecordStart, .iteratorRecordNext, .iteratorRelease:
            "walk over its transactions"
        case .sendBlob, .storeBlobStart, .storeBlobChunk, .storeBlobEnd: "blobs"
        case .requireCurrent: "check that an object stays as it was read"
        default: "such call"
        }
    }
}
