import Testing
import ZODB

@Suite("Every storage: the past, and blobs")
struct HistoryTests {
    @Test("an object's history is told newest first, as far as is asked for", arguments: Backend.all)
    func history(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        var tids: [TransactionID] = []
        for number in 0..<5 {
            tids.append(
                try storage.transact(TransactionMetadata(user: Array("u\(number)".utf8))) {
                    (transaction) throws(StorageError) in
                    try transaction.store(Record.text("\(number)"), for: oid, basedOn: tids.last ?? .none)
                }.tid)
        }
        let all = try storage.history(of: oid, limit: 100)
        #expect(all.map(\.transaction.tid) == tids.reversed())
        #expect(all.map(\.size) == [Int](repeating: Record.text("0").count, count: 5))
        #expect(all.map { String(decoding: $0.transaction.user, as: UTF8.self) } == ["u4", "u3", "u2", "u1", "u0"])
        #expect(try storage.history(of: oid, limit: 2).map(\.transaction.tid) == [tids[4], tids[3]])
        let unknown = try storage.newObjectID()
        #expect(throws: StorageError.noSuchObject(unknown)) { try storage.history(of: unknown, limit: 1) }
    }

    @Test("the log has every transaction, both ways, with its records", arguments: Backend.all)
    func log(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let before = try storage.lastTransaction()
        let oids = try storage.newObjectIDs(3)
        var tids: [TransactionID] = []
        for number in 0..<6 {
            tids.append(
                try storage.commit(oids.map { ($0, Record.text("\(number) \($0)"), tids.last ?? .none) }))
        }
        let newest = try storage.transactionLog()
        #expect(try (0..<6).map { _ in try newest.next()?.tid } == tids.reversed())
        #expect(try storage.transactions(from: before.successor, through: .latest).rest().map(\.tid) == tids)
        #expect(try storage.transactions(from: tids[1], through: tids[3]).rest().map(\.tid) == Array(tids[1...3]))
        #expect(
            try storage.transactions(from: tids[1].successor, through: tids[3].predecessor).rest().map(\.tid)
                == [tids[2]])
        let records = try storage.records(of: tids[2]).records.rest()
        #expect(records.map(\.oid) == oids)
        #expect(records.map(\.data) == oids.map { Record.text("2 \($0)") })
        #expect(throws: StorageError.noSuchTransaction(tids[5].successor)) {
            try storage.records(of: tids[5].successor)
        }
    }

    @Test("a walk over all objects finds each as it is now, by oid, and none that is gone", arguments: Backend.all)
    func currentRecords(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let before = try storage.currentRecords(from: .root).rest()
        let oids = try storage.newObjectIDs(5).sorted()
        let first = try storage.commit(oids[..<4].map { ($0, Record.text("a"), .none) })
        let second = try storage.commit([(oids[1], Record.text("b"), first)])
        let third = try storage.commit([(oids[4], Record.text("gone"), .none)])
        try storage.undo(third)
        let serials = [first, second, first, first]
        let expected = zip(oids, serials).map { oid, serial in
            CurrentRecord(
                oid: oid,
                revision: Revision(data: Record.text(serial == second ? "b" : "a"), serial: serial, next: nil))
        }
        #expect(try storage.currentRecords(from: .root).rest() == before + expected)
        #expect(try storage.currentRecords(from: oids[2]).rest() == Array(expected[2...]))
        if let scannable = storage as? any ScannableStorage {
            var found: [ObjectID: TransactionID] = [:]
            try scannable.scanCurrentRecords { (oid, serial, data) throws(StorageError) in
                if data.byteCount > 0 { found[oid] = serial }
            }
            let all = (before + expected).map { ($0.oid, $0.revision.serial) }
            #expect(found == Dictionary(uniqueKeysWithValues: all))
            var count = 0
            try scannable.scanRecords { (oid, _, _) throws(StorageError) in if oid >= oids[0] { count += 1 } }
            #expect(count == 6)
        }
    }

    @Test("blobs come back, whatever their size", arguments: Backend.all, [0, 1, 100_000, 1_500_000])
    func blobs(_ backend: Backend, size: Int) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        let contents = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let chunks = stride(from: 0, to: size, by: 70_000).map { Array(contents[$0..<min($0 + 70_000, size)]) }
        let tid = try storage.transact { (transaction) throws(StorageError) in
            try transaction.storeBlob(Record.blob, for: oid, basedOn: .none, contents: ArrayCursor(chunks))
        }.tid
        #expect(try storage.current(oid) == Record.blob)
        #expect(try Array(storage.blob(oid, serial: tid).rest().joined()) == contents)
        if let told = try storage.blobSize(oid, serial: tid) { #expect(told == size) }
    }

    @Test(
        "each revision of a blob has its own bytes, and an undo brings back those of the one before",
        arguments: Backend.all)
    func blobRevisions(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        var tids: [TransactionID] = []
        for text in ["one", "two"] {
            tids.append(
                try storage.transact { (transaction) throws(StorageError) in
                    try transaction.storeBlob(
                        Record.blob, for: oid, basedOn: tids.last ?? .none, contents: ArrayCursor([Array(text.utf8)]))
                }.tid)
        }
        tids.append(try storage.undo(tids[1]).tid)
        let texts = try tids.map { tid in
            String(decoding: try storage.blob(oid, serial: tid).rest().joined(), as: UTF8.self)
        }
        #expect(texts == ["one", "two", "one"])
        #expect(throws: StorageError.self) { _ = try storage.blob(oid, serial: tids[2].successor).rest() }
    }
}
