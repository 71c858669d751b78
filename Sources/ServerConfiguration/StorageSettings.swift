public import ZConfig

/// A storage that clients can ask for.
public struct NamedStorage: Hashable, Sendable {
    /// `1` for a section without a name.
    public var name: String
    public var storage: StorageSettings
    /// Where its section starts; nil for one of the command line.
    public var location: SourceLocation?

    public init(name: String, storage: StorageSettings, location: SourceLocation? = nil) {
        self.name = name
        self.storage = storage
        self.location = location
    }
}

public indirect enum StorageSettings: Hashable, Sendable {
    case file(FileStorageSettings)
    /// Records of one storage, blobs in a directory beside it.
    case blob(directory: String, base: StorageSettings)
    /// In memory, gone at the end.
    case mapping(name: String)
    /// In memory, without history.
    case temporary(name: String)
    case demo(DemoStorageSettings)
    /// Records are compressed in the base. `isForServer`: it is the clients who compress; records pass as they are, and
    /// are decompressed only to resolve a conflict or to follow references.
    case zlib(compresses: Bool, isForServer: Bool, base: StorageSettings)
}

/// `<filestorage>`.
public struct FileStorageSettings: Hashable, Sendable {
    public var path: String
    public var blobDirectory: String?
    /// Empties the file if it exists. A file that does not exist is made anyhow.
    public var create = false
    public var isReadOnly = false
    /// In bytes: the file must not grow beyond it.
    public var quota: Int?
    /// A pack drops unreachable objects, too.
    public var packCollectsGarbage = true
    /// A pack leaves the file as it was before as `.old`.
    public var packKeepsOld = true

    public init(path: String) { self.path = path }
}

/// `<demostorage>`: changes over a base that is never written to.
public struct DemoStorageSettings: Hashable, Sendable {
    public var name: String?
    /// Nil: an empty storage in memory.
    public var base: StorageSettings?
    /// Nil: in memory, gone at the end.
    public var changes: StorageSettings?

    public init(name: String? = nil, base: StorageSettings? = nil, changes: StorageSettings? = nil) {
        self.name = name
        self.base = base
        self.changes = changes
    }
}
