/// A place that keeps records: what every storage can do. More is said by conforming to the capabilities.
///
/// All calls are synchronous and may come from any thread.
public protocol Storage: AnyObject, Sendable {
    /// What to call it in messages: a path, an address.
    var name: String { get }
    func information() throws(StorageError) -> StorageInformation
    /// The tid of the last transaction known; `.none` when there is none.
    func lastTransaction() throws(StorageError) -> TransactionID
    /// The latest revision with serial ≤ `tid`. (On the wire: `loadBefore(oid, tid + 1)`.)
    ///
    /// The data is what the storage holds, transformations (`.z`) included: see `RecordTransformation`.
    /// - Throws: `noSuchObject` when the object is unknown or deleted as of `tid`, `noRevision` when it is younger.
    func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision
    /// Several loads at once; a storage far away has them all in flight together. Results in the order asked.
    func load(_ oids: [ObjectID], at tid: TransactionID) -> [Result<Revision, StorageError>]
    func close()
}

extension Storage {
    public func load(_ oids: [ObjectID], at tid: TransactionID) -> [Result<Revision, StorageError>] {
        oids.map { oid in
            do throws(StorageError) {
                return .success(try load(oid, at: tid))
            } catch {
                return .failure(error)
            }
        }
    }
}

/// One object's bytes as one transaction wrote them, valid for `serial ..< next`.
public struct Revision: Hashable, Sendable {
    public var data: [UInt8]
    public var serial: TransactionID
    /// The next newer revision's serial; nil when this is the current one.
    public var next: TransactionID?

    public init(data: [UInt8], serial: TransactionID, next: TransactionID?) {
        self.data = data
        self.serial = serial
        self.next = next
    }
}

/// What a storage says of itself.
public struct StorageInformation: Hashable, Sendable {
    /// The kind, in words: `FileStorage FS30`, `ZEO server, protocol Z5`.
    public var kind: String
    /// The storage's own name: a path on its machine, as far as it tells.
    public var storageName: String
    /// Objects, deleted ones not yet packed included; nil when unknown.
    public var objectCount: Int?
    /// Bytes; nil when unknown.
    public var size: Int?
    /// Which Python wrote it, where the storage knows: the magic of a Data.fs says so, a server does not.
    public var generation: PythonGeneration?
    /// Anything else worth showing, in order: name and value.
    public var details: [Detail]

    public struct Detail: Hashable, Sendable {
        public var name: String, value: String
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public init(
        kind: String, storageName: String, objectCount: Int? = nil, size: Int? = nil,
        generation: PythonGeneration? = nil, details: [Detail] = []
    ) {
        self.kind = kind
        self.storageName = storageName
        self.objectCount = objectCount
        self.size = size
        self.generation = generation
        self.details = details
    }
}

/// Which Python pickled the records: it decides what a native string is.
public enum PythonGeneration: Int, Hashable, Sendable {
    case python2 = 2
    case python3 = 3
}
