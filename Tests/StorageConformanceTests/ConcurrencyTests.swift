import Synchronization
import Testing
import ZODB

@Suite("Every storage: several at once")
struct ConcurrencyTests {
    private static let writers = 4, rounds = 6

    @Test("no increment of a counter is lost between threads that start again at a conflict", arguments: Backend.all)
    func counter(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        try storage.commit([(oid, Record.text("0"), .none)])
        try inThreads(Self.writers) { _ in
            for _ in 0..<Self.rounds { try Self.increment(oid, in: storage) }
        }
        #expect(try storage.current(oid) == Record.text("\(Self.writers * Self.rounds)"))
        #expect(try storage.history(of: oid, limit: 1000).count == Self.writers * Self.rounds + 1)
    }

    @Test("nor between several connections", arguments: Backend.all)
    func connections(_ backend: Backend) throws {
        let fixture = try backend.make()
        guard let other = try fixture.another(isWritable: true) else { return }
        defer { other.close() }
        let storages: [any WritableStorage] = [fixture.storage, other]
        let oid = try storages[0].newObjectID()
        try storages[0].commit([(oid, Record.text("0"), .none)])
        try inThreads(2) { index in
            for _ in 0..<Self.rounds { try Self.increment(oid, in: storages[index]) }
        }
        #expect(try fixture.storage.history(of: oid, limit: 1000).count == 2 * Self.rounds + 1)
    }

    /// Adds 1 to the number in a text.
    private static func increment(_ oid: ObjectID, in storage: any WritableStorage) throws {
        while true {
            let revision = try storage.load(oid, at: .latest)
            let digits = revision.data.suffix(10).filter { (0x30..<0x3a).contains($0) }
            let number = Int(String(decoding: digits, as: UTF8.self)) ?? 0
            let error = errorOf { () throws(StorageError) in
                try storage.commit([(oid, Record.text("\(number + 1)"), revision.serial)])
            }
            guard let error else { return }
            guard case .conflict = error else { throw error }
        }
    }

    @Test("increments that can be merged all count, without starting again", arguments: Backend.all)
    func merged(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        let serial = try storage.commit([(oid, Record.length(1), .none)])
        try inThreads(Self.writers) { _ in
            for _ in 0..<Self.rounds { try storage.commit([(oid, Record.length(2), serial)]) }
        }
        let number = UInt8(Self.writers * Self.rounds + 1)
        #expect(try storage.current(oid).suffix(3) == Array("K".utf8) + [number, UInt8(ascii: ".")])
    }

    @Test("whoever reads as of one transaction sees all of it, while others commit", arguments: Backend.all)
    func snapshots(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(2)
        let first = try storage.commit(oids.map { ($0, Record.text("0"), .none) })
        let isDone = Atomic(false)
        try inThreads(3) { index in
            guard index == 0 else {
                while !isDone.load(ordering: .relaxed) {
                    let at = try storage.lastTransaction()
                    let revisions = try oids.map { try storage.load($0, at: at) }
                    try #require(revisions[0].data == revisions[1].data)
                    try #require(revisions.allSatisfy { $0.serial <= at })
                }
                return
            }
            defer { isDone.store(true, ordering: .relaxed) }
            var serial = first
            for number in 1...10 { serial = try storage.commit(oids.map { ($0, Record.text("\(number)"), serial) }) }
        }
    }

    @Test("what others commit is told once, with its objects", arguments: Backend.all)
    func news(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(2)
        let first = try storage.commit([(oids[0], Record.text("a"), .none)])
        guard let watcher = try fixture.another(isWritable: false), let shared = watcher as? any SharedStorage else {
            return
        }
        defer { watcher.close() }
        #expect(try watcher.current(oids[0]) == Record.text("a"))
        _ = try shared.poll()
        let second = try storage.commit([(oids[0], Record.text("b"), first), (oids[1], Record.text("c"), .none)])
        let third = try storage.commit([(oids[1], Record.text("d"), second)])
        var news: [Invalidation] = []
        // A server's word may still be on its way.
        while news.last?.tid != third { news += try shared.poll() }
        #expect(news.map(\.tid) == [second, third])
        #expect(news.map { $0.oids.sorted() } == [oids.sorted(), [oids[1]]])
        #expect(news.allSatisfy { $0.isComplete })
        #expect(try shared.poll() == [])
        #expect(try watcher.current(oids[1]) == Record.text("d"))
        #expect(try watcher.load(oids[0], at: first).next == second)
        // Its own commits are no news to a storage.
        #expect(try (storage as? any SharedStorage)?.poll() ?? [] == [])
    }
}
