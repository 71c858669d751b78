import Testing
import ZODB

@Suite("Memory storage")
struct MemoryStorageTests {
    @Test("two storages of one database tell each other what they commit, and themselves nothing")
    func sharing() throws {
        let first = MemoryStorage()
        let second = MemoryStorage(sharing: first)
        let tid = try first.commit([ObjectID(rawValue: 1): Array("one".utf8)])
        #expect(try first.poll() == [])
        #expect(try second.poll() == [Invalidation(tid: tid, oids: [ObjectID(rawValue: 1)])])
        #expect(try second.poll() == [])
        #expect(try second.load(ObjectID(rawValue: 1), at: .latest).data == Array("one".utf8))
    }

    @Test("a transaction that is forgotten between vote and finish lets the next one in")
    func forgotten() throws {
        let storage = MemoryStorage()
        do {
            let transaction = try storage.begin(TransactionMetadata())
            try transaction.store([1], for: .root, basedOn: .none)
            _ = try transaction.vote()
        }
        #expect(throws: StorageError.noSuchObject(.root)) { try storage.load(.root, at: .latest) }
        try storage.commit([.root: [2]])
        #expect(try storage.load(.root, at: .latest).data == [2])
    }

    @Test("a second voter waits until it is interrupted")
    func interrupted() throws {
        let interruption = Interruption()
        let storage = MemoryStorage(interruption: interruption)
        let (first, second) = (try storage.begin(TransactionMetadata()), try storage.begin(TransactionMetadata()))
        _ = try first.vote()
        interruption.raise()
        #expect(throws: StorageError.interrupted) { try second.vote() }
        interruption.clear()
        _ = try first.finish()
    }

    @Test("oids run out with an error")
    func oids() throws {
        let storage = MemoryStorage()
        try storage.commit([ObjectID(rawValue: .max - 1): [1]])
        #expect(throws: StorageError.unsupported("memory has no 2 more oids")) { try storage.newObjectIDs(2) }
    }
}

extension MemoryStorage {
    @discardableResult
    func commit(_ records: [ObjectID: [UInt8]]) throws -> TransactionID {
        let transaction = try begin(TransactionMetadata())
        for (oid, data) in records { try transaction.store(data, for: oid, basedOn: .none) }
        _ = try transaction.vote()
        return try transaction.finish()
    }
}
