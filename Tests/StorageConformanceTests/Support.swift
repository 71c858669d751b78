import Foundation
import Synchronization
import Testing
import ZODB

/// Records of protocol 3 that Python 2 and 3 both read.
enum Record {
    /// A `PersistentMapping` with one text.
    static func text(_ text: String) -> [UInt8] {
        record(
            "persistent.mapping\nPersistentMapping", Array("}".utf8) + string("data") + string(text) + Array("s".utf8))
    }

    static func length(_ number: UInt8) -> [UInt8] { record("BTrees.Length\nLength", [UInt8(ascii: "K"), number]) }

    /// An `OOBucket` of texts.
    static func bucket(_ entries: [(String, String)]) -> [UInt8] {
        record(
            "BTrees.OOBTree\nOOBucket",
            Array("(".utf8) + entries.flatMap { string($0.0) + string($0.1) } + Array("t".utf8) + [0x85])
    }

    /// A `PersistentMapping` with one reference.
    static func reference(to oid: ObjectID) -> [UInt8] {
        record(
            "persistent.mapping\nPersistentMapping",
            Array("}".utf8) + string("data") + Array("}".utf8) + string("to") + Array("C\u{8}".utf8) + oid.bytes
                + Array("cpersistent.mapping\nPersistentMapping\n".utf8) + [0x86] + Array("Qss".utf8))
    }

    static let blob = record("ZODB.blob\nBlob", Array("N".utf8))

    private static func record(_ name: String, _ state: [UInt8]) -> [UInt8] {
        [0x80, 3] + Array("c\(name)\n.".utf8) + [0x80, 3] + state + Array(".".utf8)
    }

    private static func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return [UInt8(ascii: "X")] + (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> ($0 * 8)) } + bytes
    }
}

extension TransactionMetadata {
    static let plain = TransactionMetadata(user: Array("tests".utf8), description: Array("a change".utf8))
}

typealias Store = (oid: ObjectID, data: [UInt8], serial: TransactionID)

extension WritableStorage {
    /// A transaction from its beginning to its end; aborted when something goes wrong.
    @discardableResult
    func transact(
        _ metadata: TransactionMetadata = .plain, _ body: (any StorageTransaction) throws(StorageError) -> Void
    ) throws(StorageError) -> (tid: TransactionID, changed: [ObjectID]) {
        let transaction = try begin(metadata)
        do throws(StorageError) {
            try body(transaction)
            let result = try transaction.vote()
            return (try transaction.finish(), result.changedOIDs)
        } catch {
            transaction.abort()
            throw error
        }
    }

    @discardableResult
    func commit(_ stores: [Store]) throws(StorageError) -> TransactionID {
        try transact { (transaction) throws(StorageError) in
            for store in stores { try transaction.store(store.data, for: store.oid, basedOn: store.serial) }
        }.tid
    }

    @discardableResult
    func undo(_ tids: TransactionID...) throws(StorageError) -> (tid: TransactionID, changed: [ObjectID]) {
        try transact { (transaction) throws(StorageError) in
            for tid in tids { try transaction.undo(tid) }
        }
    }

    func current(_ oid: ObjectID) throws(StorageError) -> [UInt8] { try load(oid, at: .latest).data }

    func newObjectID() throws -> ObjectID { try #require(try newObjectIDs(1).first) }
}

extension Cursor {
    func rest() throws -> [Element] {
        var elements: [Element] = []
        while let element = try next() { elements.append(element) }
        return elements
    }
}

/// What a call throws; nil when it does not.
func errorOf(_ call: () throws(StorageError) -> Void) -> StorageError? {
    do throws(StorageError) {
        try call()
        return nil
    } catch {
        return error
    }
}

/// Runs `body` in so many threads; the first error, after all have ended.
func inThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let failure = Mutex<(any Error)?>(nil)
    let done = (0..<count).map { index in
        let semaphore = DispatchSemaphore(value: 0)
        let thread = Thread {
            do {
                try body(index)
            } catch {
                failure.withLock { $0 = $0 ?? error }
            }
            semaphore.signal()
        }
        thread.start()
        return semaphore
    }
    for semaphore in done { semaphore.wait() }
    if let error = failure.withLock({ $0 }) { throw error }
}
