public import ZConfig

/// Everything that a `zeo.conf` and the command line say about a server, checked.
///
/// Paths are as they are written, with `~` expanded where ZEO expands it; relative ones are relative to the working
/// directory. What must exist existed when the settings were read. Which keys there are, in which generation, and what
/// is done with them: `docs/formats/configuration.md`.
public struct ServerSettings: Hashable, Sendable {
    /// Where to listen. At least one. `port` is nil for a host alone: any free port then.
    public var addresses: [SocketAddress]
    /// No client may write, whatever the storages say. (A pack is no write.)
    public var isReadOnly = false
    /// How many transactions are kept for clients that come back and ask what they missed.
    public var invalidationQueueSize = 100
    /// In seconds: clients that were away no longer than this are told what they missed from the storage's own log.
    public var invalidationAge: Double?
    /// In seconds: how long a client may hold the commit lock before it is cut off. Nil: for ever.
    public var transactionTimeout: Double?
    public var pidFile: String?
    /// Where a line of statistics for each storage is served as text, as ZEO before 5 did.
    public var monitorAddress: SocketAddress?
    /// Login by name and password, as clients before ZEO 5 know it. Nil: no login.
    public var authentication: DigestAuthentication?
    /// Conflicts are resolved by the clients.
    public var clientConflictResolution = false
    /// The server greets with the dialect that is written in msgpack, which clients of ZEO 5.1 and later know.
    public var usesMessagePack = false
    public var tls: TLSSettings?
    public var limits = ServerLimits()
    /// Where health and metrics are served over HTTP.
    public var httpAddress: SocketAddress?
    /// Who may do what. Nil: whoever connects may do what ZEO lets everybody do.
    public var roles: [Role]?
    /// At least one, their names all different.
    public var storages: [NamedStorage]
    /// Nil: no `<eventlog>`; runzeo logs to standard error from level info on then.
    public var log: LogSettings?
    public var runner: RunnerSettings?
    /// What is accepted and does not do what its author may expect.
    public var warnings: [ConfigurationWarning] = []

    public init(addresses: [SocketAddress], storages: [NamedStorage]) {
        self.addresses = addresses
        self.storages = storages
    }
}

/// `authentication-protocol digest` and its two companions.
///
/// ZEO 4 goes on without any protection when it does not know the protocol; here that is an error.
public struct DigestAuthentication: Hashable, Sendable {
    /// A file of lines `user:hash`, the first of which may be `realm NAME`.
    public var database: String
    /// Must be that of the database.
    public var realm: String?
}

/// Bounds that Python's server does not have. Nil: the server's default.
public struct ServerLimits: Hashable, Sendable {
    /// In bytes: the longest message a client may send.
    public var message: Int?
    /// In bytes: how much may be kept of all clients' messages that are not complete.
    public var received: Int?
    /// In seconds: how long a message may take to grow by 64 kB, or to be complete.
    public var messageTimeout: Int?
    /// How many clients may be connected.
    public var connections: Int?
    /// In bytes: how much may wait to be sent to one client before it is cut off.
    public var outbox: Int?
    /// In seconds: how long a client may be silent.
    public var idleTimeout: Int?
    /// In seconds: how long a client may take to say who it is.
    public var handshakeTimeout: Int?
    /// In seconds: a commit that holds the lock longer than this is logged.
    public var slowCommit: Double?

    public init() {}
}

/// `<ssl>`.
public struct TLSSettings: Hashable, Sendable {
    public enum ClientAuthentication: Hashable, Sendable {
        /// Certificates of this file, or signed by one of them.
        case file(String)
        /// The same, of a directory as `c_rehash` makes one.
        case directory(String)
        /// `DYNAMIC`: whatever the program adds; a server of its own adds none, so that nobody can connect.
        case dynamic
    }

    /// The server's certificate chain, in PEM.
    public var certificate: String
    /// Its private key; nil: it is in the same file.
    public var key: String?
    /// A file that holds the key's password and nothing else; nil: the key has none. ZEO has `password-function` for it.
    public var passwordFile: String?
    public var authenticate: ClientAuthentication
}
