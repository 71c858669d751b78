public import ZODB

/// A database whose server is away until a test says that it is back: meanwhile records come from a cache that has other
/// bytes of them.
public final class ReturningStorage: CachingStorage, WritableStorage {
    public typealias Damage = @Sendable (_ data: [UInt8]) -> [UInt8]

    private let server: MemoryStorage
    private let isBack: @Sendable () -> Bool
    private let damage: Damage

    /// - Parameter damage: makes the cache's bytes of a record's.
    public init(_ server: MemoryStorage, isBack: @escaping @Sendable () -> Bool, damage: @escaping Damage) {
        (self.server, self.isBack, self.damage) = (server, isBack, damage)
    }

    public var name: String { server.name }
    public var isWritable: Bool { server.isWritable }
    public var isConnected: Bool { isBack() }
    public var absence: Absence? { isBack() ? nil : Absence(since: .none, why: "refused") }
    public var rereadings: Int { isBack() ? 1 : 0 }
    public func takeRemarks() -> [String] { [] }
    public func ping() throws(StorageError) -> Duration { .zero }
    public func information() throws(StorageError) -> StorageInformation { try server.information() }
    public func lastTransaction() throws(StorageError) -> TransactionID { try server.lastTransaction() }
    public func close() { server.close() }

    public func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
        var revision = try server.load(oid, at: tid)
        if !isBack() { revision.data = damage(revision.data) }
        return revision
    }

    public func newObjectIDs(_ count: Int) throws(StorageError) -> [ObjectID] { try server.newObjectIDs(count) }

    public func begin(_ metadata: TransactionMetadata) throws(StorageError) -> any StorageTransaction {
        try server.begin(metadata)
    }
}
