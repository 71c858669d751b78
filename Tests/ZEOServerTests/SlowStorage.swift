import Foundation
import Synchronization
import ZODB

/// A storage whose disk is as slow as the test wants: a transaction that is finished stays on its way until it is let go.
///
/// `.blocking`: the thread that finishes waits. `.pipelined`: it goes on, as with a disk that syncs several transactions
/// at once, and the end comes on another thread, in order.
final class SlowStorage: WritableStorage {
    enum Manner: CaseIterable {
        case blocking, pipelined
    }

    let name = "slow"
    let isWritable = true
    private let memory = MemoryStorage()
    private let manner: Manner
    /// How many transactions may end.
    private let permits = DispatchSemaphore(value: 0)
    private let disk = DispatchQueue(label: "disk")
    private let begun = DispatchSemaphore(value: 0)
    private let last = Mutex(TransactionID.none)
    let begins = Atomic(0)

    init(_ manner: Manner, _ records: [(ObjectID, [UInt8])]) throws {
        self.manner = manner
        try memory.commit(records)
        last.withLock { $0 = (try? memory.lastTransaction()) ?? .none }
    }

    /// Lets so many transactions reach the disk.
    func letGo(_ count: Int = 1) {
        for _ in 0..<count { permits.signal() }
    }

    /// Returns when one more transaction is on its way to the disk.
    func waitForFinish() { begun.wait() }

    func information() throws(StorageError) -> StorageInformation { try memory.information() }
    func lastTransaction() throws(StorageError) -> TransactionID { try memory.lastTransaction() }
    func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision { try memory.load(oid, at: tid) }
    func close() { memory.close() }
    func newObjectIDs(_ count: Int) throws(StorageError) -> [ObjectID] { try memory.newObjectIDs(count) }

    func begin(_ metadata: TransactionMetadata) throws(StorageError) -> any StorageTransaction {
        begins.add(1, ordering: .relaxed)
        let tid = last.withLock { last in
            last = TransactionID.new(after: last)
            return last
        }
        return SlowTransaction(self, metadata, tid)
    }

    /// What a transaction stores is checked against what has ended: enough for objects that nobody else changes.
    fileprivate func end(
        _ transaction: SlowTransaction, _ publish: @escaping @Sendable (TransactionID) -> Void,
        _ completion: @escaping @Sendable (Result<TransactionID, StorageError>) -> Void
    ) {
        let (tid, stores, metadata) = (transaction.tid, transaction.stores, transaction.metadata)
        let work: @Sendable () -> Void = { [self] in
            begun.signal()
            permits.wait()
            do throws(StorageError) {
                let inner = try memory.begin(metadata)
                for store in stores { try inner.store(store.data, for: store.oid, basedOn: store.serial) }
                _ = try inner.vote()
                // The memory chooses its own tid; only this storage's clients see it, and it is later than all before.
                completion(.success(try inner.finish(publish)))
            } catch {
                completion(.failure(error))
            }
            _ = tid
        }
        if manner == .blocking { work() } else { disk.async(execute: work) }
    }
}

extension SlowStorage: DirectLoadStorage {}

private final class SlowTransaction: PipelinedTransaction {
    struct Store: Sendable {
        var oid: ObjectID
        var serial: TransactionID
        var data: [UInt8]
    }

    let tid: TransactionID
    let metadata: TransactionMetadata
    private let storage: SlowStorage
    private(set) var stores: [Store] = []

    init(_ storage: SlowStorage, _ metadata: TransactionMetadata, _ tid: TransactionID) {
        self.storage = storage
        self.metadata = metadata
        self.tid = tid
    }

    func store(_ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID) throws(StorageError) {
        stores.append(Store(oid: oid, serial: serial, data: data))
    }

    func storeBlob(
        _ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID, contents: any Cursor<[UInt8]>
    ) throws(StorageError) {
        throw .unsupported("blobs")
    }

    func requireCurrent(_ oid: ObjectID, serial: TransactionID) throws(StorageError) {}
    func undo(_ tid: TransactionID) throws(StorageError) { throw .unsupported("undo") }
    func vote() throws(StorageError) -> VoteResult { VoteResult() }
    func abort() {}

    func finish(_ publish: (TransactionID) -> Void) throws(StorageError) -> TransactionID {
        throw .wrongState("a server finishes transactions of this kind in the other way")
    }

    func finish(
        publish: @escaping @Sendable (TransactionID) -> Void,
        completion: @escaping @Sendable (Result<TransactionID, StorageError>) -> Void
    ) throws(StorageError) {
        storage.end(self, publish, completion)
    }
}
