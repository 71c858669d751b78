public import ZODB

/// What a storage's clients have done, and what they are at.
public struct StorageFigures: Hashable, Sendable {
    public var name: String
    // Since the server began.
    public var loads = 0
    public var stores = 0
    public var commits = 0
    public var aborts = 0
    public var conflicts = 0
    public var conflictsResolved = 0
    // Now.
    public var connections = 0
    public var activeTransactions = 0
    /// Clients whose vote waits for that of another.
    public var waiting = 0
    /// How long the commit lock has been held, in seconds; nil: it is free.
    public var lockSeconds: Double?
    /// Seconds since 1970; nil: there is none, or the storage does not tell.
    public var lastTransaction: Double?
    /// In bytes; nil where the storage has none.
    public var size: Int?
    public var objects: Int?
    public var isReadOnly = false
    /// The pack under way.
    public var pack: PackProgress?
    /// Why the storage does not answer; nil: it does.
    public var failure: String?

    public init(name: String) { self.name = name }
}

/// One connection.
public struct ClientFigures: Hashable, Sendable {
    public enum Commit: String, Hashable, Sendable {
        /// No transaction, or one that has not been voted on.
        case none
        /// Its vote waits for the lock, or is being carried out.
        case waiting
        /// Voted: it has the lock.
        case holding
    }

    public var number: Int
    /// What it calls itself; nil: nothing.
    public var label: String?
    /// `10.0.0.7:41022`.
    public var address: String
    /// `Z5`; nil: it has not said yet.
    public var dialect: String?
    /// nil: it has not registered yet.
    public var storage: String?
    /// Seconds since it connected.
    public var age: Double
    /// Bytes of answers that it has not taken yet.
    public var bytesWaiting: Int
    public var isReadOnly: Bool
    public var hasTransaction: Bool
    public var commit: Commit
    /// By its login or its certificate.
    public var user: String?
    // Since it connected.
    public var loads = 0
    public var commits = 0
}

/// All of it at one moment.
public struct ServerFigures: Sendable {
    /// By name.
    public var storages: [StorageFigures]
    /// By number: oldest first.
    public var clients: [ClientFigures]
    /// Seconds since 1970.
    public var start: Double
    /// When this was put together, in seconds since 1970.
    public var time: Double

    public init(storages: [StorageFigures], clients: [ClientFigures], start: Double, time: Double) {
        self.storages = storages
        self.clients = clients
        self.start = start
        self.time = time
    }
}
