import TestSupport
import Testing
import ZEOProtocol
import ZEOServer
import ZODB

@Suite("What an operator can choose")
struct PolicyTests {
    private static let oid = ObjectID(rawValue: 1)

    private func server(_ policy: ServicePolicy) throws -> RunningServer {
        let storage = MemoryStorage()
        try storage.commit([(.root, Records.mapping(0)), (Self.oid, Records.length(1))])
        return try RunningServer(storage, policy: policy)
    }

    @Test(
        "client-conflict-resolution: ZEO 5 clients get their conflicts back and vote again; older ones get a ConflictError"
    )
    func clientConflictResolution() throws {
        var policy = ServicePolicy()
        policy.resolvesConflictsInClients = true
        let server = try server(policy)
        let client = try server.client()
        let old = try ZEOClient.revision(try client.load(Self.oid)).serial
        let new = try client.commit(1, [(Self.oid, old, Records.length(2))])
        let fresh = ObjectID(rawValue: 9)
        try client.begin(2, [(Self.oid, old, Records.length(9)), (fresh, .none, Records.length(1))])
        let vote = try client.call("vote", [.integer(2)])
        let conflicts = try #require(vote.arguments.elements)
        #expect(conflicts.count == 1)
        #expect(conflicts[0]["oid"]?.rawBytes == Self.oid.bytes)
        #expect(conflicts[0]["serials"]?.elements?.map(\.rawBytes) == [new.bytes, old.bytes])
        #expect(conflicts[0]["data"]?.rawBytes == Records.length(9))
        // Meanwhile the lock is free.
        let other = try server.client()
        let newer = try other.commit(1, [(Self.oid, new, Records.length(3))])
        client.store(2, Self.oid, new, Records.length(10))
        let again = try client.call("vote", [.integer(2)])
        #expect(again.arguments.elements?.first?["serials"]?.elements?.map(\.rawBytes) == [newer.bytes, new.bytes])
        client.store(2, Self.oid, newer, Records.length(11))
        #expect(try client.call("vote", [.integer(2)]).arguments.elements?.isEmpty == true)
        let tid = try client.finish(2)
        for (oid, data) in [(Self.oid, Records.length(11)), (fresh, Records.length(1))] {
            let revision = try ZEOClient.revision(try other.load(oid))
            #expect(revision.data == data)
            #expect(revision.serial == tid)
        }
        let elder = try server.client(Dialect(.v4, .pickle), python2: true)
        try elder.begin(3, [(.root, .none, Records.mapping(1))])
        #expect(try #require(try elder.vote(3)).contains("ConflictError"))
    }

    @Test("a read-only server takes readers, and refuses writers until they ask to read")
    func readOnly() throws {
        var policy = ServicePolicy()
        policy.isReadOnly = true
        let server = try server(policy)
        for dialect in [Dialect(.v308, .pickle), Dialect(.v4, .pickle), .z5] {
            let client = try ZEOClient(port: server.port, dialect, python2: dialect.generation < .v5)
            let refused = try client.call("register", [.string("1"), .integer(0)])
            #expect(refused.arguments.text.contains("ReadOnlyError"))
            // read-only-fallback: on the same connection.
            try client.register(readOnly: true)
            #expect(try !client.load(.root).isException)
        }
    }

    @Test("M5 can be announced; ZEO 5 clients may still answer Z5")
    func messagePack() throws {
        var policy = ServicePolicy()
        policy.announced = .m5
        let server = try server(policy)
        let raw = try RawClient(port: server.port)
        #expect(try raw.receive() == Array("M5".utf8))
        for dialect in [Dialect.z5, .m5] { #expect(try !server.client(dialect).load(.root).isException) }
    }

    @Test("the invalidation queue is as long as it is said to be, from the start of the server on")
    func queue() throws {
        let storage = MemoryStorage()
        var tids: [TransactionID] = []
        for number in 1...5 {
            tids.append(try storage.commit([(ObjectID(rawValue: UInt64(number)), Records.length(1))]))
        }
        var policy = ServicePolicy()
        policy.invalidationQueueSize = 3
        let server = try RunningServer(storage, policy: policy)
        let client = try server.client()
        func changes(_ tid: TransactionID) throws -> Int? {
            try client.call("getInvalidations", [.bytes(tid.bytes)]).arguments.elements?.last?.elements?.count
        }
        #expect(try changes(tids[1]) == nil)
        #expect(try changes(tids[2]) == 2)
        #expect(try changes(tids[4]) == 0)
        try client.commit(1, [(ObjectID(rawValue: 6), .none, Records.length(1))])
        #expect(try changes(tids[2]) == nil)
        #expect(try changes(tids[3]) == 2)
    }

    @Test("two clients of a kind that never met work on one server: each sees what the other commits")
    func generations() throws {
        let server = try server(ServicePolicy())
        let dialects: [(Dialect, Bool)] = [
            (Dialect(.v201, .pickle), true), (Dialect(.v303, .pickle), true), (Dialect(.v308, .pickle), true),
            (Dialect(.v3101, .pickle), true), (Dialect(.v4, .pickle), true), (Dialect(.v4, .pickle), false),
            (.z5, true),
            (.z5, false), (.m5, false),
        ]
        let clients = try dialects.map { try server.client($0, python2: $1) }
        var serial = try ZEOClient.revision(try clients[0].load(.root)).serial
        for (number, client) in clients.enumerated() {
            let id = Int64(number + 1)
            serial = try client.commit(id, [(.root, serial, Records.mapping(UInt8(number + 1)))])
            for (other, watcher) in clients.enumerated() where other != number {
                #expect(try watcher.notice("invalidateTransaction").first?.rawBytes == serial.bytes)
                let revision = try ZEOClient.revision(try watcher.load(.root))
                #expect(revision.serial == serial)
                #expect(revision.data == Records.mapping(UInt8(number + 1)))
            }
            client.notices = []
        }
    }
}
