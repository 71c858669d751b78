public import ByteCoding

/// What a storage says when it cannot do what it was asked.
///
/// A closed list: a server must map every case to the exception its Python client expects, and the shell to an exit
/// code, and the compiler checks that they do.
public enum StorageError: Error, Hashable, Sendable {
    /// No revision of the object exists, or its latest one says that it does not exist.
    case noSuchObject(ObjectID)
    /// The object exists, but did not yet at this time.
    case noRevision(ObjectID, at: TransactionID)
    case noSuchTransaction(TransactionID)
    /// The blob's record is there, its file is not.
    case noBlob(ObjectID, serial: TransactionID, String)
    /// This storage, or this server, or this generation of the protocol has no such operation.
    case unsupported(String)
    /// Bytes that break their format: what was read (a file and what in it), and the error with its offset.
    case corrupt(String, FormatError)
    /// The storage could not be reached, or was lost.
    case connection(ConnectionFailure)
    /// The operating system refused: what was tried, and the error number.
    case io(String, errno: Int32)
    /// Opened for reading only, or the server says so: what refused.
    case readOnly(String)
    /// Somebody else has committed a newer revision, and it cannot be merged with this one.
    case conflict(ObjectID, committed: TransactionID, read: TransactionID)
    /// A transaction cannot be undone: for each object in the way, why.
    case undoFailed(TransactionID, [UndoObstacle])
    /// A call that does not fit what is going on: a store after the vote, a storage closed by an error before.
    case wrongState(String)
    /// Somebody else has the file open for writing.
    case locked(String)
    /// The user cancelled.
    case interrupted
    /// An exception that the server raised and that has no case here: its class, and what it said.
    case remote(className: String, message: String)
}

/// An object that keeps a transaction from being undone.
public struct UndoObstacle: Hashable, Sendable {
    /// nil where a server does not tell.
    public var oid: ObjectID?
    public var reason: String

    public init(oid: ObjectID?, reason: String) {
        self.oid = oid
        self.reason = reason
    }
}

/// Why there is no connection, told apart because the cure differs.
public enum ConnectionFailure: Error, Hashable, Sendable {
    /// Nothing listens at the address.
    case refused(address: String)
    /// The address cannot be found, or the network says no; the system's words.
    case unreachable(address: String, String)
    /// Connected, but the server said nothing within the time: it probably waits for TLS.
    case silent(address: String, seconds: Double)
    /// What the server sent first is not a ZEO greeting.
    case notZEO(address: String, received: String)
    /// The server closed after our answer to its greeting, or neither side's dialects fit.
    case versionRefused(address: String, theirs: String, ours: String)
    /// The server has no storage of this name.
    case unknownStorage(address: String, name: String)
    /// An established connection ended; the reason as far as it is known.
    case lost(address: String, String)
    /// The server is away, and what was asked for is not in the cache: since when, and why there is no connection.
    case away(address: String, since: TransactionID, String)
    /// The server sent what the protocol does not allow.
    case protocolError(address: String, String)
    /// The server wants to know who we are, and does not let us in as whom we say.
    case login(address: String, LoginFailure)
    /// TLS is not to be had: one side refuses the other.
    case tls(address: String, TLSFailure)
    /// The system's `ssh`, through which the server is reached, says why not.
    case tunnel(address: String, through: String, String)
    /// The server's last transaction is older than what was seen before: going on would lead into the past.
    case behind(address: String, last: TransactionID, seen: TransactionID)
    /// A server that was to take another's place serves another database; how that shows, in words.
    case otherDatabase(address: String, String)
    /// Several servers may be meant, and none can be used: what became of each.
    case noneOf(addresses: String, [Cause])
}

extension StorageError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noSuchObject(let oid): "no object \(oid)"
        case .noRevision(let oid, let tid): "object \(oid) did not exist at \(tid)"
        case .noSuchTransaction(let tid): "no transaction \(tid)"
        case .noBlob(let oid, let serial, let detail): "no blob file for \(oid) at \(serial): \(detail)"
        case .unsupported(let what): what
        case .corrupt(let what, let error): "\(what): \(error)"
        case .connection(let failure): failure.description
        case .io(let what, let number): "\(what): \(Self.text(of: number))"
        case .readOnly(let what): "\(what): read-only"
        case .conflict(let oid, let committed, let read):
            "object \(oid) was changed by transaction \(committed) after it had been read as of \(read)"
        case .undoFailed(let tid, let obstacles):
            "transaction \(tid) cannot be undone: "
                + obstacles.map { obstacle in
                    obstacle.oid.map { "\($0): \(obstacle.reason)" } ?? obstacle.reason
                }.joined(separator: "; ")
        case .wrongState(let what): what
        case .locked(let what): "\(what): locked by another process"
        case .interrupted: "interrupted"
        case .remote(let className, let message): "the server raised \(className): \(message)"
        }
    }
}

extension ConnectionFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .refused(let address): "\(address): connection refused: nothing listens there"
        case .unreachable(let address, let why): "\(address): cannot connect: \(why)"
        case .silent(let address, let seconds):
            "\(address): connected, but silent for \(seconds) s: probably a TLS port, or a hung server"
        case .notZEO(let address, let received): "\(address): not a ZEO server: it said \(received)"
        case .versionRefused(let address, let theirs, let ours):
            "\(address): no common protocol version: the server speaks \(theirs), we offered \(ours)"
        case .unknownStorage(let address, let name): "\(address): no storage named '\(name)' there"
        case .lost(let address, let why): "\(address): connection lost: \(why)"
        case .away(let address, _, let why): "\(address): not in the cache, and the server is away (\(why))"
        case .protocolError(let address, let what): "\(address): protocol error: \(what)"
        case .login(let address, let failure): "\(address): \(failure)"
        case .tls(let address, let failure): "\(address): \(failure)"
        case .tunnel(let address, let host, let what): "\(address) through ssh \(host): \(what)"
        case .behind(let address, let last, let seen):
            "\(address): the server is behind: its last transaction is \(last), and \(seen) was seen before"
        case .otherDatabase(let address, let why): "\(address): another database: \(why)"
        case .noneOf(let addresses, let causes):
            "\(addresses): none of these servers can be used: "
                + causes.map(\.description).joined(separator: "; ")
        }
    }
}
