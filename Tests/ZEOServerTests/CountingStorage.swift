import Synchronization
import ZODB
import ZODBFile

/// A Data.fs that counts the transactions that are begun.
final class CountingStorage: WritableStorage, DirectLoadStorage {
    let begins = Atomic(0)
    private let file: FileStorage

    init(_ file: FileStorage) { self.file = file }

    var name: String { file.name }
    var isWritable: Bool { file.isWritable }
    func information() throws(StorageError) -> StorageInformation { try file.information() }
    func lastTransaction() throws(StorageError) -> TransactionID { try file.lastTransaction() }
    func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision { try file.load(oid, at: tid) }
    func newObjectIDs(_ count: Int) throws(StorageError) -> [ObjectID] { try file.newObjectIDs(count) }
    func close() { file.close() }

    func begin(_ metadata: TransactionMetadata) throws(StorageError) -> any StorageTransaction {
        begins.add(1, ordering: .relaxed)
        return try file.begin(metadata)
    }
}
