public import ZODB
internal import ZODBFile

/// How to open what an address names.
public struct OpeningOptions: Hashable, Sendable {
    /// Which of a server's storages; the address's own word comes first; else `1`.
    public var storageName: String?
    /// How long to wait for a server, in seconds; the address's own word comes first.
    public var timeout: Double
    /// Where a Data.fs keeps its blobs; the address's own word comes first.
    public var blobDirectory: String?

    public init(storageName: String? = nil, timeout: Double = 10, blobDirectory: String? = nil) {
        self.storageName = storageName
        self.timeout = timeout
        self.blobDirectory = blobDirectory
    }
}

/// How far something has come that opening, or a later call, has to do first, such as building an index.
public struct StorageProgress: Hashable, Sendable {
    /// What is being done, in words.
    public var task: String
    /// So much is done, of so much in all, counted in `unit`.
    public var done: Int, total: Int
    public var unit: String

    public init(task: String, done: Int, total: Int, unit: String) {
        self.task = task
        self.done = done
        self.total = total
        self.unit = unit
    }
}

/// Opens the storage that `address` names, for reading: the one place that knows all backends.
///
/// A path is looked at: a socket is a server, anything else a Data.fs.
/// - Parameters:
///   - interruption: ends waiting and scanning, now and in later calls.
///   - progress: told of long work, now and in later calls, on the thread of the call.
public func openStorage(
    _ address: StorageAddress, options: OpeningOptions, interruption: Interruption,
    progress: @escaping @Sendable (StorageProgress) -> Void
) throws(StorageError) -> any Storage {
    switch address.location {
    case .server:
        throw .unsupported("no storage of this kind yet: \(address)")
    case .socket(let path):
        throw .unsupported("no storage of this kind yet: \(path)")
    case .path(let path):
        switch FileKind(ofPath: path) {
        case .socket: throw .unsupported("no storage of this kind yet: \(path)")
        default: return try openFile(path, address, options, interruption, progress)
        }
    case .file(let path):
        return try openFile(path, address, options, interruption, progress)
    }
}

private func openFile(
    _ path: String, _ address: StorageAddress, _ options: OpeningOptions, _ interruption: Interruption,
    _ progress: @escaping @Sendable (StorageProgress) -> Void
) throws(StorageError) -> any Storage {
    let fileOptions = FileStorage.Options(
        blobDirectory: address.blobDirectory ?? options.blobDirectory, interruption: interruption
    ) { progress(StorageProgress(task: $0.task, done: $0.done, total: $0.total, unit: "bytes")) }
    return try FileStorage(path, options: fileOptions)
}
