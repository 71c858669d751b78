public import ZEOProtocol

/// How a server treats its clients: the same for all its storages.
public struct ServicePolicy: Sendable {
    /// Our release, for clients that ask who we are; see `OwnStatus`.
    public var version = ""
    /// What is said first. Older clients cannot come when it is `M5`.
    public var announced = Dialect.z5
    /// Nobody writes, pack included.
    public var isReadOnly = false
    /// How many transactions are remembered for clients that come back (`invalidation-queue-size`).
    public var invalidationQueueSize = 100
    /// Transactions younger than so many seconds are remembered too (`invalidation-age`).
    public var invalidationAge: Double?
    /// Seconds that a client may hold the commit lock; nil for any time (`transaction-timeout`).
    public var transactionTimeout: Double?
    /// Conflicts are merged by the clients, which have all classes (`client-conflict-resolution`).
    public var resolvesConflictsInClients = false
    /// The longest message taken, in bytes.
    public var messageLimit = Frame.defaultLimit
    /// The most bytes that may be kept of all clients' messages that are not complete; beyond, the client whose message has
    /// been coming for longest is let go.
    public var heldLimit = 1 << 30
    /// Seconds in which a message that is not complete has to grow by 64 kB, or to be complete.
    public var messageTimeout: Double = 60
    /// The most bytes that one transaction may hold in memory before it votes.
    public var transactionLimit = 1 << 30
    /// A client that does not take what it is sent is let go when so many bytes wait for it.
    public var outboxLimit = 256 << 20
    /// Clients at the same time; beyond, new ones are turned away.
    public var connectionLimit = 10_000
    /// Seconds a client has to say what it speaks and to register.
    public var handshakeTimeout: Double = 60
    /// Seconds without a word after which a client is let go; nil for any time. Python's clients say something every minute.
    public var idleTimeout: Double?
    /// Seconds from vote to end after which a commit is noted in the log.
    public var slowCommitSeconds: Double = 10
    /// All of its addresses are spoken to in TLS.
    public var tls: ServerTLS?
    /// What a client may do; nil: whoever connects may do what ZEO lets everybody do.
    public var authorization: Authorization?
    /// Who may log in, and has to; nil: there are no logins.
    public var logins: DigestLogins?
    /// How many threads answer clients. One answers hundreds of thousands of loads a second.
    public var threads = 1

    public init() {}
}
