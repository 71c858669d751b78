/// A storage behind a server that tells of itself and of what its clients do, each kind of server as much as it can.
public protocol ServerStorage: RemoteStorage {
    /// Whether every commit is announced: servers before ZEO 5.2 are silent about those that only add objects, and know of
    /// them when asked.
    var announcesEveryCommit: Bool { get }
    /// Asks for the last transaction: what was not announced is announced now, without its objects.
    func askForCommits(within limit: Duration?) throws(StorageError)
    /// Whether the server lists what a transaction wrote. Without that it has to be put together from announcements.
    var listsTransactions: Bool { get }
    /// - Parameter limit: how long the answer may take, where the storage's own calls may take longer.
    func serverStatus(within limit: Duration?) throws(StorageError) -> ServerStatus
    /// Who is connected, oldest first.
    /// - Throws: `unsupported` where the server tells nobody, with what it is.
    func serverClients(within limit: Duration?) throws(StorageError) -> [ServerClient]
    /// The names of all its storages, as far as we may know of them; nil where the server does not say.
    func serverStorages(within limit: Duration?) throws(StorageError) -> [String]?
}

/// What a server says of itself, and of one of its storages. What it does not say is nil.
public struct ServerStatus: Hashable, Sendable {
    /// What it is, as far as its words give it away: `zeoserver 0.1.0`, `ZODB 3.8`.
    public var software: String
    /// How it is spoken to: `Z5`.
    public var dialect: String
    /// nil: it is none of Python's.
    public var python: PythonGeneration?
    /// The storage that is asked about, by the name the server knows it by.
    public var storage: String
    public var information: StorageInformation
    public var figures = ServerFigureSet()
    /// When it began, by its own clock and in its own words.
    public var start: String?
    /// Seconds since it began.
    public var uptime: Double?
    public var process: ServerProcess?
    /// What we may do there: `read, write`.
    public var permissions: String?
    /// How far a pack is that is under way.
    public var pack: String?
    /// Versions, the changes of old servers that only those see who work in them; nil where there can be none.
    public var versions: [String]?
    /// What this server cannot do, each in words.
    public var lacks: [String] = []

    public init(
        software: String, dialect: String, python: PythonGeneration?, storage: String, information: StorageInformation
    ) {
        self.software = software
        self.dialect = dialect
        self.python = python
        self.storage = storage
        self.information = information
    }
}

/// What the clients of a storage have done since the server began, and what they are at. What is not told is nil.
public struct ServerFigureSet: Hashable, Sendable {
    public var clients: Int?
    /// Clients that still compare their caches with the storage.
    public var verifying: Int?
    public var loads: Int?
    public var stores: Int?
    public var commits: Int?
    public var aborts: Int?
    public var conflicts: Int?
    public var conflictsResolved: Int?
    public var activeTransactions: Int?
    /// Clients whose vote waits for that of another.
    public var waiting: Int?
    /// Since when the commit lock is held, in seconds since 1970 by the server's clock; nil: it is free, or nobody says.
    public var lockSince: Double?
    /// Whether the thread lives that ends transactions which take too long; nil: there is none, or nobody says.
    public var watchesLock: Bool?
    public var lastTransaction: TransactionID?

    public init() {}

    public var isEmpty: Bool { self == ServerFigureSet() }
}

/// What a server's process uses.
public struct ServerProcess: Hashable, Sendable {
    public var id: Int?
    public var processorSeconds: Double?
    public var residentBytes: Int?
    public var openFiles: Int?
    public var fileLimit: Int?

    public init() {}
}

/// One connection to a server.
public struct ServerClient: Hashable, Sendable {
    public enum Commit: String, Hashable, Sendable {
        case none
        /// Its vote waits for the lock.
        case waiting
        /// It has the lock: nobody else can commit.
        case holding
    }

    public var number: Int
    /// What it calls itself.
    public var label: String?
    /// `10.0.0.7:41022`, `local process 4711 (uid 1000)`.
    public var address: String
    /// By its login or its certificate.
    public var user: String?
    public var dialect: String?
    /// Seconds since it connected.
    public var age: Double
    public var isReadOnly = false
    public var hasTransaction = false
    public var commit = Commit.none
    public var loads: Int?
    public var commits: Int?
    /// Bytes of answers that it has not taken yet.
    public var bytesWaiting = 0
    /// This very connection.
    public var isUs = false

    public init(number: Int, address: String, age: Double) {
        self.number = number
        self.address = address
        self.age = age
    }
}
