import Testing
import ZODB

@testable import ZEOClient

extension TransactionID {
    init(_ number: UInt64) { self.init(rawValue: number) }
}

@Suite("Cached revisions")
struct RevisionCacheTests {
    static let oid = ObjectID(rawValue: 1)

    static func revision(_ serial: UInt64, next: UInt64? = nil, size: Int = 10) -> Revision {
        Revision(
            data: Array(repeating: 0, count: size), serial: TransactionID(serial), next: next.map { TransactionID($0) })
    }

    @Test("a revision is found from its serial up to the next one, and no further")
    func validity() {
        var cache = RevisionCache(capacity: 1 << 20)
        cache.insert(Self.revision(5, next: 8), Self.oid)
        cache.insert(Self.revision(8), Self.oid)
        let found = (4...9).map { cache.revision(of: Self.oid, at: TransactionID($0))?.serial.rawValue }
        #expect(found == [nil, 5, 5, 5, 8, 8])
        #expect(cache.revision(of: .root, at: .latest) == nil)
    }

    @Test("an invalidation ends what was current, at its tid")
    func invalidation() {
        var cache = RevisionCache(capacity: 1 << 20)
        cache.insert(Self.revision(5), Self.oid)
        cache.invalidate(Self.oid, in: TransactionID(9))
        #expect(cache.revision(of: Self.oid, at: TransactionID(8))?.next == TransactionID(9))
        #expect(cache.revision(of: Self.oid, at: TransactionID(9)) == nil)
        // An older transaction's invalidation, arriving late, changes nothing.
        cache.insert(Self.revision(9), Self.oid)
        cache.invalidate(Self.oid, in: TransactionID(9))
        #expect(cache.revision(of: Self.oid, at: .latest)?.serial == TransactionID(9))
        cache.forgetCurrent(Self.oid)
        #expect(cache.revision(of: Self.oid, at: .latest) == nil)
        #expect(cache.revision(of: Self.oid, at: TransactionID(6)) != nil)
    }

    @Test("it stays below its capacity, and keeps what is used")
    func eviction() {
        var cache = RevisionCache(capacity: 100_000)
        cache.insert(Self.revision(1, size: 100), Self.oid)
        for number in 10..<2000 {
            cache.insert(Self.revision(1, size: 500), ObjectID(rawValue: UInt64(number)))
            #expect(cache.size <= 100_000)
            #expect(cache.revision(of: Self.oid, at: .latest) != nil)
        }
        #expect(cache.revision(of: ObjectID(rawValue: 10), at: .latest) == nil)
        #expect(cache.revision(of: ObjectID(rawValue: 1999), at: .latest) != nil)
        cache.insert(Self.revision(1, size: 90_000), .root)
        #expect(cache.revision(of: .root, at: .latest) == nil)
        cache.removeAll()
        #expect(cache.size == 0)
    }
}

@Suite("What is known of the server")
struct SharedViewTests {
    static let oid = ObjectID(rawValue: 1)

    static func view() -> SharedView { SharedView(cacheCapacity: 1 << 20) }

    @Test("a load that an invalidation overtook does not count as current")
    func overtaken() {
        var view = Self.view()
        view.willLoad(Self.oid)
        view.apply(Invalidation(tid: TransactionID(7), oids: [Self.oid]))
        view.apply(Invalidation(tid: TransactionID(9), oids: [Self.oid]))
        let revision = view.loaded(Self.oid, RevisionCacheTests.revision(5))
        #expect(revision?.next == TransactionID(7))
        #expect(view.cached(Self.oid, at: TransactionID(6), isForWriting: false) != nil)
        #expect(view.cached(Self.oid, at: TransactionID(7), isForWriting: false) == nil)
        // The next load is not touched by what is over.
        view.willLoad(Self.oid)
        #expect(view.loaded(Self.oid, RevisionCacheTests.revision(9))?.next == nil)
        #expect(view.cached(Self.oid, at: .latest, isForWriting: false)?.serial == TransactionID(9))
    }

    @Test("a load that already saw the new revision is current, though the invalidation came in between")
    func ahead() {
        var view = Self.view()
        view.willLoad(Self.oid)
        view.willLoad(Self.oid)
        view.apply(Invalidation(tid: TransactionID(7), oids: [Self.oid]))
        #expect(view.loaded(Self.oid, RevisionCacheTests.revision(7))?.next == nil)
        #expect(view.loaded(Self.oid, RevisionCacheTests.revision(6))?.next == TransactionID(7))
    }

    @Test("each commit is reported once, and the tid follows it")
    func reports() {
        var view = Self.view()
        let first = Invalidation(tid: TransactionID(3), oids: [Self.oid])
        view.apply(first)
        view.apply(first)
        #expect(view.lastTransaction == TransactionID(3))
        #expect(view.takeUnreported() == [first])
        #expect(view.takeUnreported().isEmpty)
    }

    @Test("a transaction of our own ends what was current, as others' do, and is not reported")
    func committed() {
        var view = Self.view()
        view.willLoad(Self.oid)
        _ = view.loaded(Self.oid, RevisionCacheTests.revision(5))
        view.willLoad(Self.oid)
        view.committed([Self.oid], as: TransactionID(7))
        #expect(view.lastTransaction == TransactionID(7))
        #expect(view.takeUnreported().isEmpty)
        #expect(view.cached(Self.oid, at: TransactionID(7), isForWriting: false) == nil)
        #expect(view.cached(Self.oid, at: TransactionID(6), isForWriting: false)?.next == TransactionID(7))
        // A load that was answered before it.
        #expect(view.loaded(Self.oid, RevisionCacheTests.revision(5))?.next == TransactionID(7))
        // What others commit goes on from there.
        let next = Invalidation(tid: TransactionID(9), oids: [.root])
        view.apply(next)
        #expect(view.takeUnreported() == [next])
        view.committed([], as: TransactionID(8))
        #expect(view.lastTransaction == TransactionID(9))
    }

    @Test("commits nobody looks at do not pile up for ever")
    func limit() {
        var view = Self.view()
        for number in 1...25_000 { view.apply(Invalidation(tid: TransactionID(UInt64(number)), oids: [Self.oid])) }
        let reported = view.takeUnreported()
        #expect(reported.count <= SharedView.mostUnreported + 1)
        #expect(reported.first?.isComplete == false)
        #expect(reported.last?.tid == TransactionID(25_000))
    }
}

@Suite("Trying again")
struct BackoffTests {
    @Test("waits twice as long each time, up to half a minute")
    func delays() {
        var backoff = Backoff()
        let delays = (0..<11).map { _ in backoff.next() / .milliseconds(1) }
        #expect(delays == [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000])
        backoff.reset()
        #expect(backoff.next() == .milliseconds(100))
    }
}
