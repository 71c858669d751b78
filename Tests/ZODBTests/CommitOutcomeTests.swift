import Foundation
import Testing
import ZODB

@Suite("What became of a commit")
struct CommitOutcomeTests {
    static let oid = ObjectID(rawValue: 7)

    static func metadata(_ mark: String?, user: String = "admin") -> TransactionMetadata {
        let pickle = mark.map { "}X\u{B}\0\0\0zeoshell-idX\(Unicode.Scalar(UInt8($0.utf8.count)))\0\0\0\($0)s." } ?? ""
        return TransactionMetadata(
            user: Array(user.utf8), description: Array("edit".utf8), extensionData: Array(pickle.utf8))
    }

    static func commit(
        _ storage: MemoryStorage, _ data: [UInt8], _ metadata: TransactionMetadata, oid: ObjectID = oid
    ) throws -> TransactionID {
        let serial = (try? storage.load(oid, at: .latest).serial) ?? .none
        let transaction = try storage.begin(metadata)
        try transaction.store(data, for: oid, basedOn: serial)
        _ = try transaction.vote()
        return try transaction.finish()
    }

    static func trace(
        _ mark: String?, since: TransactionID, data: [UInt8] = [1], oid: ObjectID = oid, changed: [ObjectID] = []
    ) -> CommitTrace {
        CommitTrace(
            metadata: metadata(mark), since: since, stores: [.init(oid: oid, data: data)], changedOIDs: changed)
    }

    @Test("it is found by its mark, whatever others did to the object since, and also where all else is alike")
    func marked() throws {
        let storage = MemoryStorage()
        let since = try Self.commit(storage, [0], Self.metadata("a"))
        #expect(try storage.outcome(of: Self.trace("b", since: since)) == .notCommitted)
        _ = try Self.commit(storage, [1], Self.metadata("c"))
        #expect(try storage.outcome(of: Self.trace("b", since: since)) == .notCommitted)
        let ours = try Self.commit(storage, [1], Self.metadata("b"))
        for number in 0..<150 { _ = try Self.commit(storage, [UInt8(number)], Self.metadata("d\(number)")) }
        #expect(try storage.outcome(of: Self.trace("b", since: since)) == .committed(ours))
        // Merged with what others did: other data, the same mark.
        #expect(
            try storage.outcome(of: Self.trace("b", since: since, data: [9], changed: [Self.oid])) == .committed(ours))
        // The mark of a time before does not count.
        #expect(try storage.outcome(of: Self.trace("a", since: since)) == .notCommitted)
    }

    @Test("a new object that is not there has not been committed")
    func newObject() throws {
        let storage = MemoryStorage()
        let since = try Self.commit(storage, [0], Self.metadata("a"))
        let new = ObjectID(rawValue: 99)
        #expect(try storage.outcome(of: Self.trace("b", since: since, oid: new)) == .notCommitted)
        let ours = try Self.commit(storage, [1], Self.metadata("b"), oid: new)
        #expect(try storage.outcome(of: Self.trace("b", since: since, oid: new)) == .committed(ours))
    }

    @Test("without extensions user, description and data have to be the same; an undo stays unknown then")
    func unmarked() throws {
        let storage = MemoryStorage()
        let since = try Self.commit(storage, [0], Self.metadata(nil))
        _ = try Self.commit(storage, [1], Self.metadata(nil, user: "other"))
        #expect(try storage.outcome(of: Self.trace("b", since: since)) == .notCommitted)
        _ = try Self.commit(storage, [2], Self.metadata(nil))
        #expect(try storage.outcome(of: Self.trace("b", since: since)) == .notCommitted)
        guard case .unknown = try storage.outcome(of: Self.trace(nil, since: since, changed: [Self.oid])) else {
            Issue.record("an undo without a mark was told")
            return
        }
        let ours = try Self.commit(storage, [1], Self.metadata(nil))
        #expect(try storage.outcome(of: Self.trace("b", since: since)) == .committed(ours))
    }

    @Test("a transaction that still holds the lock is waited for")
    func barrier() throws {
        let lost = MemoryStorage()
        let storage = MemoryStorage(sharing: lost)
        let since = try Self.commit(lost, [0], Self.metadata("a"))
        let transaction = try lost.begin(Self.metadata("b"))
        try transaction.store([1], for: Self.oid, basedOn: since)
        _ = try transaction.vote()
        let done = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var outcome: CommitOutcome?
        Thread.detachNewThread {
            outcome = try? storage.outcome(of: Self.trace("b", since: since))
            done.signal()
        }
        // Long enough for a look that does not wait.
        Thread.sleep(forTimeInterval: 0.2)
        let tid = try transaction.finish()
        done.wait()
        #expect(outcome == .committed(tid))
    }
}
