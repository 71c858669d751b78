import Testing
import ZODB

@Suite("Every storage: commits")
struct CommitTests {
    @Test("what is stored is loaded, from its transaction on and not before", arguments: Backend.all)
    func storeAndLoad(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let before = try storage.lastTransaction()
        let oids = try storage.newObjectIDs(2)
        let tid = try storage.commit([(oids[0], Record.text("a"), .none), (oids[1], Record.text("b"), .none)])
        #expect(tid > before)
        #expect(try storage.lastTransaction() == tid)
        #expect(try storage.load(oids[0], at: tid) == Revision(data: Record.text("a"), serial: tid, next: nil))
        #expect(try storage.load(oids[1], at: .latest) == Revision(data: Record.text("b"), serial: tid, next: nil))
        #expect(throws: StorageError.noRevision(oids[0], at: tid.predecessor)) {
            try storage.load(oids[0], at: tid.predecessor)
        }
        let unknown = try storage.newObjectID()
        #expect(throws: StorageError.noSuchObject(unknown)) { try storage.load(unknown, at: .latest) }
    }

    @Test("every revision stays to be seen at its time", arguments: Backend.all)
    func revisions(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        var tids: [TransactionID] = []
        for number in 0..<4 {
            tids.append(try storage.commit([(oid, Record.text("\(number)"), tids.last ?? .none)]))
        }
        #expect(tids == tids.sorted())
        #expect(Set(tids).count == 4)
        for number in 0..<4 {
            let revision = Revision(
                data: Record.text("\(number)"), serial: tids[number], next: number < 3 ? tids[number + 1] : nil)
            #expect(try storage.load(oid, at: tids[number]) == revision)
            if number < 3 { #expect(try storage.load(oid, at: tids[number + 1].predecessor) == revision) }
        }
        let results = storage.load([oid, try storage.newObjectID(), oid], at: tids[1])
        #expect(results.map { try? $0.get().serial } == [tids[1], nil, tids[1]])
    }

    @Test("two stores of one object in one transaction: the last one counts", arguments: Backend.all)
    func twice(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        let first = try storage.commit([(oid, Record.text("1"), .none), (oid, Record.text("2"), .none)])
        #expect(try storage.load(oid, at: first).data == Record.text("2"))
        try storage.commit([(oid, Record.text("3"), first), (oid, Record.text("4"), first)])
        #expect(try storage.current(oid) == Record.text("4"))
        #expect(try storage.load(oid, at: first).data == Record.text("2"))
    }

    @Test("what was read before another's change is a conflict, and nothing is stored", arguments: Backend.all)
    func conflict(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(2)
        let old = try storage.commit([(oids[0], Record.text("a"), .none)])
        let new = try storage.commit([(oids[0], Record.text("b"), old)])
        for read in [old, .none] {
            #expect(throws: StorageError.conflict(oids[0], committed: new, read: read)) {
                try storage.commit([(oids[1], Record.text("c"), .none), (oids[0], Record.text("d"), read)])
            }
            #expect(try storage.current(oids[0]) == Record.text("b"))
            #expect(throws: StorageError.noSuchObject(oids[1])) { try storage.load(oids[1], at: .latest) }
            #expect(try storage.lastTransaction() == new)
        }
        try storage.commit([(oids[0], Record.text("d"), new)])
        #expect(try storage.current(oids[0]) == Record.text("d"))
    }

    @Test("changes that can be merged are, and the vote tells of it", arguments: Backend.all)
    func resolved(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(3)
        let bucket = [("a", "1"), ("c", "1")]
        let old = try storage.commit([
            (oids[0], Record.length(10), .none), (oids[1], Record.bucket(bucket), .none),
            (oids[2], Record.text("x"), .none),
        ])
        let other = try storage.commit([
            (oids[0], Record.length(13), old), (oids[1], Record.bucket(bucket + [("d", "2")]), old),
        ])
        let (tid, changed) = try storage.transact { (transaction) throws(StorageError) in
            try transaction.store(Record.length(14), for: oids[0], basedOn: old)
            try transaction.store(Record.bucket([bucket[0], ("b", "3"), bucket[1]]), for: oids[1], basedOn: old)
            try transaction.store(Record.text("y"), for: oids[2], basedOn: old)
        }
        #expect(changed.sorted() == oids[...1].sorted())
        // Who merges chooses the opcodes: what is merged once more must give the sum.
        let merged = try storage.load(oids[0], at: tid)
        #expect(
            ConflictResolver.resolve(old: Record.length(17), committed: merged.data, new: Record.length(17))
                .map { $0.suffix(3) } == Array("K".utf8) + [17, UInt8(ascii: ".")])
        #expect(merged.serial == tid)
        let all = try storage.load(oids[1], at: tid).data
        #expect(["a", "b", "c", "d"].allSatisfy { all.contains(UInt8(ascii: $0)) })
        #expect(try storage.current(oids[2]) == Record.text("y"))
        #expect(try storage.load(oids[0], at: other).data == Record.length(13))
    }

    @Test("changes that contradict each other are not merged", arguments: Backend.all)
    func contradiction(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        let old = try storage.commit([(oid, Record.bucket([("a", "1"), ("b", "1")]), .none)])
        let new = try storage.commit([(oid, Record.bucket([("a", "1"), ("b", "2")]), old)])
        #expect(throws: StorageError.conflict(oid, committed: new, read: old)) {
            try storage.commit([(oid, Record.bucket([("a", "1"), ("b", "3")]), old)])
        }
    }

    @Test("a transaction may depend on what it does not change", arguments: Backend.all)
    func requireCurrent(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(3)
        let old = try storage.commit([(oids[0], Record.length(1), .none), (oids[1], Record.text("b"), .none)])
        let new = try storage.commit([(oids[0], Record.length(2), old)])
        try storage.transact { (transaction) throws(StorageError) in
            try transaction.requireCurrent(oids[0], serial: new)
            try transaction.store(Record.text("c"), for: oids[1], basedOn: old)
        }
        #expect(try storage.current(oids[1]) == Record.text("c"))
        // No merge helps here.
        #expect(throws: StorageError.conflict(oids[0], committed: new, read: old)) {
            try storage.transact { (transaction) throws(StorageError) in
                try transaction.requireCurrent(oids[0], serial: old)
                try transaction.store(Record.text("d"), for: oids[2], basedOn: .none)
            }
        }
        #expect(throws: StorageError.noSuchObject(oids[2])) {
            try storage.transact { (transaction) throws(StorageError) in
                try transaction.requireCurrent(oids[2], serial: old)
            }
        }
    }

    @Test("a transaction of nothing is a transaction", arguments: Backend.all)
    func empty(_ backend: Backend) throws {
        let fixture = try backend.make()
        let tid = try fixture.storage.commit([])
        #expect(try fixture.storage.lastTransaction() == tid)
        #expect(try fixture.storage.transactionLog().next()?.tid == tid)
    }

    @Test("a large object and a thousand small ones", arguments: Backend.all)
    func large(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(1000)
        let large = Record.text(String(repeating: "0123456789abcdef", count: 150_000))
        let tid = try storage.commit(
            [(oids[0], large, .none)] + oids[1...].map { ($0, Record.text("\($0)"), .none) })
        #expect(try storage.load(oids[0], at: tid).data == large)
        let results = storage.load(oids, at: tid)
        #expect(try results.dropFirst().map { try $0.get().data } == oids.dropFirst().map { Record.text("\($0)") })
    }

    @Test("a record without data is refused", arguments: Backend.all)
    func noData(_ backend: Backend) throws {
        let fixture = try backend.make()
        let oid = try fixture.storage.newObjectID()
        #expect(throws: StorageError.self) { try fixture.storage.commit([(oid, [], .none)]) }
        #expect(throws: StorageError.noSuchObject(oid)) { try fixture.storage.load(oid, at: .latest) }
    }
}
