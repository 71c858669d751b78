public import ZODB

/// What one server can be asked: by its generation, by its Python, and by what it says of its storage.
public struct ServerDialect: Hashable, Sendable {
    public var dialect: Dialect
    /// Which Python the server runs on.
    public var python: PythonGeneration
    public var information: ServerInformation

    public init(_ dialect: Dialect, on python: PythonGeneration, _ information: ServerInformation) {
        self.dialect = dialect
        self.python = python
        self.information = information
    }

    public var generation: Generation { dialect.generation }

    /// For people: `ZODB 3.8`.
    public var releases: String { generation.releases }

    /// Any state but the current one has to be put together from an object's history and `loadSerial`.
    public var loadsPastBySerial: Bool { !generation.hasLoadBefore }
    /// A storage that keeps no past says None to `loadBefore`, whatever the object, and has its own call for what is current.
    public var mayKeepNoPast: Bool { generation.hasLoadBefore && generation.currentLoad == .loadEx }

    /// Whether the storage lists its transactions with their records. Servers that do not say which interfaces it has
    /// are believed to be able to.
    public var iteratesTransactions: Bool {
        generation.hasTransactionIteration
            && (information.interfaces.isEmpty || information.interfaces.contains("IStorageIteration"))
    }

    /// Whether the server walks over all current records. Storages of ZODB 3.3 to 3.6 do not.
    public var iteratesRecords: Bool {
        generation.hasRecordIteration && (generation > .v303 || information.supportsRecordIteration ?? false)
    }

    public var undoes: Bool {
        information.supportsUndo && (generation > .v201 || information.supportsTransactionalUndo ?? true)
    }

    /// Whether the storage takes blobs. ZODB 3.8 does not say; what it refuses shows at the vote.
    public var keepsBlobs: Bool {
        generation.hasBlobs
            && (generation == .v308 || information.interfaces.contains { $0.hasPrefix("IBlobStorage") })
    }

    /// Whether there may be versions, in which objects are changed unseen by others.
    public var hasVersions: Bool { generation.hasVersionArguments && information.supportsVersions }

    /// What the server cannot do, as an error: `lacks("no blobs")`.
    public func lacks(_ what: String) -> StorageError { .unsupported("this server is \(releases): \(what)") }
}
