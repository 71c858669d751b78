import TestSupport
import Testing
import ZEOProtocol
import ZEOServer
import ZODB
import ZODBFile

@Suite("The commit lock, when clients die")
struct LockTests {
    private static let oid = ObjectID(rawValue: 1)

    private func server(_ policy: ServicePolicy = ServicePolicy()) throws -> RunningServer {
        let storage = MemoryStorage()
        try storage.commit([(.root, Records.mapping(0)), (Self.oid, Records.length(1))])
        return try RunningServer(storage, policy: policy)
    }

    private func prepared(_ server: RunningServer, _ id: Int64, _ dialect: Dialect = .z5) throws -> ZEOClient {
        let client = try server.client(dialect)
        try client.begin(id, [(ObjectID(rawValue: 100 + UInt64(id)), .none, Records.length(1))])
        return client
    }

    @Test("who has the lock longer than transaction-timeout is disconnected, and the next one is voted")
    func timeout() throws {
        var policy = ServicePolicy()
        policy.transactionTimeout = 0.3
        let server = try server(policy)
        let slow = try prepared(server, 1)
        #expect(try slow.vote(1) == nil)
        let next = try prepared(server, 2)
        #expect(try next.vote(2) == nil)
        _ = try next.finish(2)
        #expect(try slow.raw.isClosedByPeer())
        #expect(server.log.all.contains { $0.contains("transaction-timeout") })
        // What it had voted on is gone.
        #expect(try next.load(ObjectID(rawValue: 101)).isException)
        // Between two transactions no time runs.
        for id in Int64(3)...5 {
            try next.commit(id, [(ObjectID(rawValue: 200 + UInt64(id)), .none, Records.length(1))])
        }
    }

    enum Phase: CaseIterable {
        case connected, greeted, registered, begun, stored, inMidMessage, voteSent, voted, finishSent, aborted
    }

    @Test(
        "a client that dies in any phase leaves the lock to others, and its data only if it was finished",
        arguments: Phase.allCases)
    func deaths(phase: Phase) throws {
        let server = try server()
        let other = try server.client()
        for round in 0..<5 {
            let oid = ObjectID(rawValue: 1000 + UInt64(round))
            try die(phase, oid, server)
            try other.commit(Int64(round), [(ObjectID(rawValue: 2000 + UInt64(round)), .none, Records.length(1))])
            let isThere = try !other.load(oid).isException
            if phase != .finishSent { #expect(!isThere) }
        }
        #expect(try other.call("server_status").arguments["waiting"]?.integer == 0)
    }

    private func die(_ phase: Phase, _ oid: ObjectID, _ server: RunningServer) throws {
        if phase == .connected {
            try RawClient(port: server.port).hangUp()
            return
        }
        let client = try ZEOClient(port: server.port)
        defer { client.raw.hangUp() }
        if phase == .greeted { return }
        try client.register()
        if phase == .registered { return }
        try client.begin(1)
        if phase == .begun { return }
        client.store(1, oid, .none, Records.length(1))
        if phase == .stored { return }
        if phase == .inMidMessage {
            client.raw.send([0, 0, 1, 0, 0x80, 3])
            return
        }
        client.send("vote", [.integer(1)])
        if phase == .voteSent { return }
        _ = try client.answer()
        switch phase {
        case .finishSent: client.send("tpc_finish", [.integer(1)])
        case .aborted: client.send("tpc_abort", [.integer(1)])
        default: break
        }
    }

    @Test("fifty votes wait; half of the clients die at random, and every other one is served")
    func crowd() throws {
        let server = try server()
        var random = SystemRandomNumberGenerator()
        let holder = try prepared(server, 0)
        #expect(try holder.vote(0) == nil)
        var clients: [(id: Int64, client: ZEOClient)] = []
        for id in Int64(1)...50 {
            let dialects = [Dialect.z5, .m5, Dialect(.v4, .pickle), Dialect(.v308, .pickle)]
            let client = try prepared(server, id, dialects[Int(id) % 4])
            client.send("vote", [.integer(id)])
            clients.append((id, client))
        }
        // All have been heard.
        for (_, client) in clients {
            client.send("get_info", [])
            _ = try client.answer()
        }
        #expect(try holder.call("server_status").arguments["waiting"]?.integer == 50)
        clients.shuffle(using: &random)
        for (_, client) in clients.prefix(20) { client.raw.hangUp() }
        clients.removeFirst(20)
        _ = try holder.finish(0)
        // In the order of arrival: each is answered when the one before has ended, some of them by dying.
        for (index, (id, client)) in clients.sorted(by: { $0.id < $1.id }).enumerated() {
            let reply = try client.answer()
            #expect(client.failure(ofVote: reply) == nil, "\(id)")
            switch index % 3 {
            case 0: _ = try client.finish(id)
            case 1: try client.abort(id)
            default: client.raw.hangUp()
            }
        }
        try holder.commit(99, [(ObjectID(rawValue: 9999), .none, Records.length(1))])
        #expect(try holder.call("server_status").arguments["lock_time"]?.isNone == true)
    }

    @Test("a client that aborts while its vote waits loses its place; it may vote again")
    func abortedWaiting() throws {
        let server = try server()
        let holder = try prepared(server, 1)
        #expect(try holder.vote(1) == nil)
        let waiter = try prepared(server, 2)
        waiter.send("vote", [.integer(2)])
        let abort = waiter.send("tpc_abort", [.integer(2)])
        #expect(try waiter.answer().id == abort)
        try waiter.begin(3, [(ObjectID(rawValue: 300), .none, Records.length(1))])
        let vote = waiter.send("vote", [.integer(3)])
        _ = try holder.finish(1)
        let reply = try waiter.answer()
        #expect(reply.id == vote)
        #expect(!reply.isException)
        _ = try waiter.finish(3)
    }

    @Test("a server that is closed while clients are in every phase ends, and they are disconnected")
    func closing() throws {
        for _ in 0..<3 {
            let server = try server()
            var clients = [
                try server.client(), try prepared(server, 1), try prepared(server, 2), try prepared(server, 3),
            ]
            #expect(try clients[1].vote(1) == nil)
            clients[2].send("vote", [.integer(2)])
            clients[3].send("undoInfo", [.integer(0), .integer(-100), .none])
            clients.append(try ZEOClient(port: server.port))
            server.server.close()
            for client in clients { #expect(try client.raw.isClosedByPeer()) }
        }
    }

    @Test("a server that is closed answers the tpc_finish that it has heard, and what it answers is in the file")
    func closingWhileFinishing() throws {
        for _ in 0..<5 {
            let folder = try TemporaryFolder()
            let server = try RunningServer(try folder.dataFile())
            let client = try server.client()
            try client.begin(1, [(.root, .none, Records.mapping(1))])
            #expect(try client.vote(1) == nil)
            let finish = client.send("tpc_finish", [.integer(1)])
            server.server.close()
            var isAnswered = false
            while let answer = try? client.answer() { isAnswered = answer.id == finish && !answer.isException }
            let file = try FileStorage(folder.path + "/Data.fs")
            let isThere = (try? file.load(.root, at: .latest)) != nil
            if isAnswered { #expect(isThere) }
        }
    }
}
