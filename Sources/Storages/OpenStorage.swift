internal import Backup
internal import ZEOClient
internal import ZEOProtocol
public import ZODB
internal import ZODBFile

/// How to open what an address names.
public struct OpeningOptions: Hashable, Sendable {
    /// Which of a server's storages; the address's own word comes first; else `1`.
    public var storageName: String?
    /// How long to wait for a server, in seconds; the address's own word comes first. nil: 10 to connect, 5 for its
    /// greeting.
    public var timeout: Double?
    /// Where a Data.fs keeps its blobs; the address's own word comes first.
    public var blobDirectory: String?
    /// Whether it may be written to: then a Data.fs is locked, and a server asked for leave to write.
    public var isWritable: Bool
    /// Whether changes are kept apart, in memory: the storage itself is then opened for reading, whatever `isWritable`
    /// says.
    public var isOverlay: Bool
    /// What a server's log is to call us: `zeoshell:USER@HOST`.
    public var clientLabel: String?
    /// Of a backup, the last transaction to be seen; nil for its newest state.
    public var moment: TransactionID?
    /// What to log in with where a server asks for it.
    public var login: Credentials?
    /// nil: no TLS.
    public var tls: TLSSettings?
    /// `user@host`: the server is reached through the system's `ssh` to there, its address as seen from there.
    public var tunnel: String?
    /// Whether `ssh` may ask at the terminal: for a password, for leave to trust a host.
    public var tunnelMayAsk = false
    /// nil: what was loaded is kept in memory only.
    public var cache: CacheSettings?
    /// Whether a server that lets nobody write will do, until one is found that does.
    public var fallsBackToReading = false

    public init(
        storageName: String? = nil, timeout: Double? = nil, blobDirectory: String? = nil, isWritable: Bool = false,
        isOverlay: Bool = false, clientLabel: String? = nil
    ) {
        self.storageName = storageName
        self.timeout = timeout
        self.blobDirectory = blobDirectory
        self.isWritable = isWritable
        self.isOverlay = isOverlay
        self.clientLabel = clientLabel
    }
}

/// How far something has come that opening, or a later call, has to do first, such as building an index.
public struct StorageProgress: Hashable, Sendable {
    /// What is being done, in words.
    public var task: String
    /// So much is done, of so much in all, counted in `unit`.
    public var done: Int, total: Int
    public var unit: String
    /// Nothing is done but waiting: for `task`, a server, since `done` seconds.
    public var isWait = false

    public init(task: String, done: Int, total: Int, unit: String) {
        self.task = task
        self.done = done
        self.total = total
        self.unit = unit
    }
}

/// Opens the storage that `address` names: the one place that knows all backends.
///
/// A path is looked at: a socket is a server, anything else a Data.fs.
/// - Parameters:
///   - interruption: ends waiting and scanning, now and in later calls.
///   - progress: told of long work, now and in later calls, on the thread of the call.
public func openStorage(
    _ address: StorageAddress, options: OpeningOptions, interruption: Interruption,
    progress: @escaping @Sendable (StorageProgress) -> Void
) throws(StorageError) -> any Storage {
    if options.isOverlay {
        var baseOptions = options
        baseOptions.isOverlay = false
        baseOptions.isWritable = false
        // What is made here may be carried elsewhere, by a plan, and is compared with nothing there.
        baseOptions.cache = nil
        let base = try openStorage(address, options: baseOptions, interruption: interruption, progress: progress)
        return try OverlayStorage(over: base, interruption: interruption)
    }
    switch address.location {
    case .server, .socket, .servers:
        return try openServer(address, options, interruption, progress)
    case .path where options.tunnel != nil:
        // What lies at the other end cannot be looked at; only a socket can be reached there.
        return try openServer(address, options, interruption, progress)
    case .path(let path):
        switch FileKind(ofPath: path) {
        case .socket: return try openServer(address, options, interruption, progress)
        default: return try openFile(path, address, options, interruption, progress)
        }
    case .file(let path):
        return try openFile(path, address, options, interruption, progress)
    case .backup(let path):
        let watch = BackupWatch(interruption: interruption) {
            progress(StorageProgress(task: $0.task, done: $0.done, total: $0.total, unit: "bytes"))
        }
        guard !options.isWritable else { throw .readOnly("\(path), a backup") }
        return try Repository(path).open(options.moment.map { .transaction($0) } ?? .newest, watch)
    }
}

private func openServer(
    _ address: StorageAddress, _ options: OpeningOptions, _ interruption: Interruption,
    _ progress: @escaping @Sendable (StorageProgress) -> Void
) throws(StorageError) -> any Storage {
    var clientOptions = ZEOClientStorage.Options(
        storage: address.storageName ?? options.storageName ?? "1", readOnly: !options.isWritable,
        label: options.clientLabel)
    if let timeout = address.timeout ?? options.timeout {
        clientOptions.connectTimeout = duration(timeout)
        clientOptions.greetingTimeout = duration(timeout)
        clientOptions.replyTimeout = duration(timeout)
    }
    try clientOptions.secure(by: options, for: address)
    clientOptions.cacheFile = options.cache.map { ($0.file, $0.size) }
    clientOptions.fallsBackToReading = options.fallsBackToReading
    clientOptions.reconnectPatience = reconnectPatience
    clientOptions.onWait = { server, seconds in
        var wait = StorageProgress(task: server, done: Int(min(seconds, 1e9)), total: 0, unit: "s")
        wait.isWait = true
        progress(wait)
    }
    return try ZEOClientStorage(endpoints(of: address.location), clientOptions, interruption: interruption)
}

/// A server that is started again is back by then.
private let reconnectPatience = Duration.seconds(15)

private func endpoints(of location: StorageAddress.Location) -> [Endpoint] {
    switch location {
    case .server(let host, let port): [.host(host, port: port)]
    case .socket(let path), .path(let path): [.unixSocket(path: path)]
    case .servers(let servers): servers.flatMap(endpoints)
    case .file, .backup: []
    }
}

/// Seconds as people give them; anything odd becomes the nearest that makes sense, a day at most.
private func duration(_ seconds: Double) -> Duration {
    .milliseconds(seconds.isNaN ? 10_000 : Int(min(max(seconds, 0.1), 86_400) * 1000))
}

private func openFile(
    _ path: String, _ address: StorageAddress, _ options: OpeningOptions, _ interruption: Interruption,
    _ progress: @escaping @Sendable (StorageProgress) -> Void
) throws(StorageError) -> any Storage {
    let fileOptions = FileStorage.Options(
        blobDirectory: address.blobDirectory ?? options.blobDirectory, isWritable: options.isWritable,
        interruption: interruption
    ) { progress(StorageProgress(task: $0.task, done: $0.done, total: $0.total, unit: "bytes")) }
    return try FileStorage(path, options: fileOptions)
}

/// How far the pack of a Data.fs is that another process is at; nil when none is.
public func packProgress(ofFileAt path: String) -> PackProgress? { FileStorage.packProgress(ofFileAt: path) }
