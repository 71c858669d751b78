import Foundation
import Storages
import Synchronization
import Testing
import ZODB

@testable import Shell

/// A database whose connection is lost at the end of a commit, before or after the server has made it.
private final class LosingStorage: WritableStorage, HistoryStorage, TransactionLogStorage {
    enum Loss {
        case never, before, after
    }

    let memory: MemoryStorage
    let loss = Mutex(Loss.never)

    init(_ memory: MemoryStorage) { self.memory = memory }

    var name: String { memory.name }
    var isWritable: Bool { true }
    func information() throws(StorageError) -> StorageInformation { try memory.information() }
    func lastTransaction() throws(StorageError) -> TransactionID { try memory.lastTransaction() }
    func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
        try memory.load(oid, at: tid)
    }
    func close() {}
    func newObjectIDs(_ count: Int) throws(StorageError) -> [ObjectID] { try memory.newObjectIDs(count) }
    func begin(_ metadata: TransactionMetadata) throws(StorageError) -> any StorageTransaction {
        LosingTransaction(try memory.begin(metadata), self)
    }
    func history(of oid: ObjectID, limit: Int) throws(StorageError) -> [HistoryEntry] {
        try memory.history(of: oid, limit: limit)
    }
    func transactionLog() throws(StorageError) -> any Cursor<TransactionSummary> { try memory.transactionLog() }
    func transactions(
        from first: TransactionID, through last: TransactionID
    ) throws(StorageError) -> any Cursor<TransactionSummary> { try memory.transactions(from: first, through: last) }
    func records(
        of tid: TransactionID
    ) throws(StorageError) -> (transaction: TransactionSummary, records: any Cursor<TransactionRecord>) {
        try memory.records(of: tid)
    }
}

private final class LosingTransaction: StorageTransaction {
    private let real: any StorageTransaction
    private let storage: LosingStorage

    init(_ real: any StorageTransaction, _ storage: LosingStorage) { (self.real, self.storage) = (real, storage) }

    func store(_ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID) throws(StorageError) {
        try real.store(data, for: oid, basedOn: serial)
    }
    func storeBlob(
        _ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID, contents: any Cursor<[UInt8]>
    ) throws(StorageError) { try real.storeBlob(data, for: oid, basedOn: serial, contents: contents) }
    func requireCurrent(_ oid: ObjectID, serial: TransactionID) throws(StorageError) {
        try real.requireCurrent(oid, serial: serial)
    }
    func undo(_ tid: TransactionID) throws(StorageError) { try real.undo(tid) }
    func vote() throws(StorageError) -> VoteResult { try real.vote() }
    func finish(_ publish: (TransactionID) -> Void) throws(StorageError) -> TransactionID {
        let loss = storage.loss.withLock { loss in
            defer { loss = .never }
            return loss
        }
        switch loss {
        case .never: return try real.finish(publish)
        case .before: real.abort()
        case .after: _ = try real.finish(publish)
        }
        throw .connection(.lost(address: "db1:8800", "reset"))
    }
    func abort() { real.abort() }
}

@Suite("A connection lost at the end of a commit")
struct DoubtTests {
    private func look(_ storage: LosingStorage, state: URL) throws -> Look {
        try Look(
            StorageAddress(.server(host: "db1", port: 8800)), .interactive,
            environment: ["XDG_STATE_HOME": state.path], options: OpeningOptions(isWritable: true)
        ) { _, _, _ in storage }
    }

    private func storage() throws -> LosingStorage {
        let storage = LosingStorage(MemoryStorage("db1"))
        try Desk.commit([0: Made.root([("a", [UInt8(ascii: "K"), 1])])], to: storage.memory)
        return storage
    }

    private func end(_ state: URL) throws -> Journal.Entry? {
        try Journal(Environment { $0 == "XDG_STATE_HOME" ? state.path : nil })?.entries().last
    }

    @Test("the commit happened: it is found by its mark, told, and noted")
    func happened() throws {
        let state = FileManager.default.temporaryDirectory.appending(path: "doubt-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: state) }
        let storage = try storage()
        let look = try look(storage, state: state)
        #expect(look.run("set //a 2").code == .done)
        storage.loss.withLock { $0 = .after }
        let outcome = look.run("commit -y")
        #expect(outcome.code == .done, "\(outcome.errors)")
        let tid = try storage.lastTransaction()
        #expect(outcome.output.hasPrefix("committed \(tid.hex)"))
        #expect(look.session.stagedCount == 0)
        #expect(look.run("get //a").output == "2\n")
        #expect(try end(state)?.end == .committed)
        #expect(try end(state)?.tid == tid)
    }

    @Test("the commit did not happen: the edits are staged still, and can be committed")
    func didNotHappen() throws {
        let state = FileManager.default.temporaryDirectory.appending(path: "doubt-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: state) }
        let storage = try storage()
        let look = try look(storage, state: state)
        let before = try storage.lastTransaction()
        #expect(look.run("set //a 2").code == .done)
        storage.loss.withLock { $0 = .before }
        let outcome = look.run("commit -y")
        #expect(outcome.code == .connection)
        #expect(outcome.errors.contains("connected again: the commit did not happen"))
        #expect(try storage.lastTransaction() == before)
        #expect(try end(state)?.end == .failed)
        #expect(look.run("status --fields oid").output == "#0x00\n")
        #expect(look.run("commit -y").code == .done)
        #expect(look.run("get //a").output == "2\n")
        #expect(try end(state)?.end == .committed)
    }
}
