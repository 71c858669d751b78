import Testing
import ZEOProtocol
import ZODB

@Suite("Invalidation history")
struct InvalidationHistoryTests {
    private func tid(_ seconds: Double) throws -> TransactionID {
        try #require(TransactionID(unixTime: 1_700_000_000 + seconds))
    }

    private func oid(_ number: UInt64) -> ObjectID { ObjectID(rawValue: number) }

    @Test("a client that missed nothing is told so, one that missed some is told each object once")
    func changes() throws {
        var history = InvalidationHistory(count: 100)
        let tids = try (0..<4).map { try tid(Double($0)) }
        try history.append(tid(0), [oid(1)])
        try history.append(tid(1), [oid(2), oid(3)])
        try history.append(tid(2), [oid(3), oid(4)])
        try history.append(tid(3), [])
        #expect(history.changes(since: tids[3]) == Invalidation(tid: tids[3], oids: []))
        let missed = try #require(history.changes(since: tids[1]))
        #expect(missed.tid == tids[3])
        #expect(Set(missed.oids) == [oid(3), oid(4)])
        #expect(missed.oids.count == 2)
        // Between two transactions is after the first of them.
        let between = try #require(history.changes(since: tids[1].successor))
        #expect(Set(between.oids) == [oid(3), oid(4)])
        #expect(history.changes(since: .latest) == Invalidation(tid: tids[3], oids: []))
    }

    @Test("of the oldest transaction kept itself a client must have seen everything: before it nothing is known")
    func unknown() throws {
        var history = InvalidationHistory(count: 2)
        #expect(history.changes(since: .none) == nil)
        try history.append(tid(0), [oid(1)])
        #expect(history.changes(since: .none) == nil)
        let first = try tid(0)
        #expect(history.changes(since: first) == Invalidation(tid: first, oids: []))
        #expect(history.changes(since: first.predecessor) == nil)
    }

    @Test("the last so many transactions are kept, and no more")
    func count() throws {
        var history = InvalidationHistory(count: 3)
        for number in 0..<5000 { try history.append(tid(Double(number)), [oid(UInt64(number))]) }
        #expect(history.transactionCount == 3)
        let oldest = try tid(4997)
        #expect(history.changes(since: oldest)?.oids.sorted() == [oid(4998), oid(4999)])
        #expect(history.changes(since: oldest.predecessor) == nil)
    }

    @Test("with an age, young transactions are kept beyond the count; with one of 0 the last is kept still")
    func age() throws {
        var history = InvalidationHistory(count: 2, age: 100)
        for number in 0..<500 { try history.append(tid(Double(number)), [oid(UInt64(number))]) }
        // 399.0 is 100 s before the last: from just after it on.
        #expect((99...101).contains(history.transactionCount))
        try #expect(history.changes(since: tid(450))?.oids.count == 49)
        try #expect(history.changes(since: tid(300)) == nil)
        // A weekend later only the count counts.
        try history.append(tid(200_000), [])
        #expect(history.transactionCount == 2)

        var least = InvalidationHistory(count: 0)
        try least.append(tid(0), [oid(1)])
        try least.append(tid(1), [oid(2)])
        #expect(least.transactionCount == 1)
        try #expect(least.changes(since: tid(1))?.oids == [])
    }

    @Test("what is kept because of its age is bounded by its number of oids")
    func overflow() throws {
        var history = InvalidationHistory(count: 2, age: 1_000_000)
        let many = (0..<250_000).map { oid(UInt64($0)) }
        for number in 0..<20 { try history.append(tid(Double(number)), many) }
        #expect(history.transactionCount * many.count <= InvalidationHistory.mostOIDs)
        #expect(history.transactionCount >= 2)
        try #expect(history.changes(since: tid(18))?.oids.count == many.count)
        try #expect(history.changes(since: tid(0)) == nil)
    }
}
