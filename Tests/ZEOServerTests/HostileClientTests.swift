import Foundation
import TestSupport
import Testing
import ZEOProtocol
import ZEOServer
import ZODB

@Suite("Clients that mean harm")
struct HostileClientTests {
    private func server(_ policy: ServicePolicy = ServicePolicy()) throws -> RunningServer {
        let storage = MemoryStorage()
        try storage.commit([(.root, Records.mapping(0))])
        return try RunningServer(storage, policy: policy)
    }

    private func isWell(_ client: ZEOClient) throws -> Bool { try !client.load(.root).isException }

    @Test(
        "length words: before the greeting 64 bytes, before register 64 kB, then the limit; never memory on a promise")
    func lengths() throws {
        var policy = ServicePolicy()
        policy.messageLimit = 1 << 20
        let server = try server(policy)
        let other = try server.client()
        for word in [[0xff, 0xff, 0xff, 0xff], [0x80, 0, 0, 4], [0, 0, 0, 65], [0x7f, 0xff, 0xff, 0xff]] as [[UInt8]] {
            let raw = try RawClient(port: server.port)
            raw.send(word)
            #expect(try raw.isClosedByPeer())
        }
        for word in [[0, 1, 0, 1], [0xff, 0xff, 0xff, 0xff]] as [[UInt8]] {
            let client = try ZEOClient(port: server.port)
            client.raw.send(word)
            #expect(try client.raw.isClosedByPeer())
        }
        for word in [[0, 0x10, 0, 1], [0x80, 0, 0, 20]] as [[UInt8]] {
            let client = try server.client()
            client.raw.send(word)
            #expect(try client.raw.isClosedByPeer())
        }
        // As long as it may be is not too long.
        let client = try server.client()
        try client.begin(1, [(ObjectID(rawValue: 1), .none, Array(repeating: 1, count: (1 << 20) - 200))])
        #expect(try client.vote(1) == nil)
        #expect(try isWell(other))
        #expect(server.log.all.contains { $0.contains("4294967295 bytes") })
    }

    @Test("a client that says nothing, or only a part, is let go after its time; one that has registered is not")
    func silence() throws {
        var policy = ServicePolicy()
        policy.handshakeTimeout = 0.5
        let server = try server(policy)
        let registered = try server.client()
        let silent = try RawClient(port: server.port)
        let slow = try RawClient(port: server.port)
        slow.send([0, 0, 0])
        let greeted = try ZEOClient(port: server.port)
        greeted.send("getAuthProtocol", [])
        let waiting = try ZEOClient(port: server.port, Dialect(.v4, .pickle), python2: true)
        #expect(try waiting.call("getAuthProtocol").arguments.isNone)
        for raw in [silent, slow, greeted.raw, waiting.raw] { #expect(try raw.isClosedByPeer()) }
        #expect(try isWell(registered))
    }

    @Test(
        "a pickle that makes Python call a builtin ends the connection, with a line in the log",
        arguments: [
            "builtins\neval", "__builtin__\ngetattr", "os\nsystem",
        ])
    func builtins(name: String) throws {
        let server = try server()
        let other = try server.client()
        for dialect in [Dialect.z5, Dialect(.v4, .pickle), Dialect(.v308, .pickle)] {
            let client = try server.client(dialect, python2: dialect.generation < .v5)
            client.raw.send(body: Array("(K\u{1}K\u{0}U\u{8}undoInfo(K\u{0}K\u{1}c\(name)\n(U\u{1}1tRtt.".utf8))
            #expect(try client.raw.isClosedByPeer())
        }
        let lines = server.log.all.filter { $0.contains(name.replacing("\n", with: ".")) }
        #expect(lines.count == 3)
        #expect(try isWell(other))
    }

    @Test("deep, huge and endless pickles cost the sender its connection, and nobody anything else")
    func bombs() throws {
        let server = try server()
        let other = try server.client()
        let bombs: [[UInt8]] = [
            Array(repeating: UInt8(ascii: "("), count: 120_000),
            Array(repeating: UInt8(ascii: "]"), count: 120_000),
            Array("(K\u{1}K\u{0}U\u{4}ping".utf8) + Array(repeating: UInt8(ascii: "("), count: 5000)
                + Array(repeating: UInt8(ascii: "t"), count: 5001) + Array(".".utf8),
            // Each level holds the one below twice.
            Array("(K\u{1}K\u{0}U\u{4}ping)".utf8) + (0..<100).flatMap { _ in [0x32, 0x86] as [UInt8] }
                + Array("t.".utf8),
            Array("ccopy_reg\n_reconstructor\n)R".utf8) + (0..<45_000).flatMap { _ in Array("Na".utf8) }
                + Array(".".utf8),
            Array("I".utf8) + Array(repeating: UInt8(ascii: "9"), count: 1_000_000) + Array("\n.".utf8),
            [0x8b, 0xff, 0xff, 0xff, 0x7f], [UInt8(ascii: "X"), 0xff, 0xff, 0xff, 0x7f],
            [UInt8(ascii: "T"), 0, 0, 0, 0x80],
        ]
        for bomb in bombs {
            for dialect in [Dialect.z5, Dialect(.v4, .pickle), .m5] {
                let client = try server.client(dialect)
                client.raw.send(body: bomb)
                client.raw.send(body: [])
                #expect(try client.raw.isClosedByPeer())
            }
        }
        #expect(try isWell(other))
    }

    @Test("one client too many is turned away, and comes in when another has gone")
    func tooMany() throws {
        var policy = ServicePolicy()
        policy.connectionLimit = 3
        let server = try server(policy)
        var clients = try (0..<3).map { _ in try server.client() }
        for _ in 0..<3 { #expect(try RawClient(port: server.port).isClosedByPeer()) }
        clients.removeLast().raw.hangUp()
        // It has gone when the server says so.
        while try clients[0].call("server_status").arguments["connections"]?.integer != 2 {}
        let late = try server.client()
        #expect(try isWell(late))
        for client in clients { #expect(try isWell(client)) }
    }

    @Test("a client that asks and never takes is let go; the memory that waits for it is bounded")
    func greedy() throws {
        let storage = MemoryStorage()
        let oid = ObjectID(rawValue: 1)
        try storage.commit([(.root, Records.mapping(0)), (oid, Array(repeating: 7, count: 1 << 20))])
        var policy = ServicePolicy()
        policy.outboxLimit = 8 << 20
        let server = try RunningServer(storage, policy: policy)
        let other = try server.client()
        let greedy = try server.client()
        let load = Message(id: .integer(1), name: greedy.loadName, arguments: .tuple(greedy.loadArguments(oid)))
        let frames = (0..<64).flatMap { _ in Frames.bytes(load.body(in: .pickle)) }
        // It is held back, or let go: it never gets all of that into memory.
        greedy.raw.send(frames)
        #expect(try isWell(other))
        var received = 0
        while received < 64, let message = try? greedy.receive() {
            #expect(!message.isException)
            received += 1
        }
        #expect(try isWell(other))
    }

    @Test("a message that comes too slowly ends the connection; one that comes on, and a client without one, stay")
    func slowMessages() throws {
        var policy = ServicePolicy()
        policy.messageTimeout = 0.5
        let server = try server(policy)
        let idle = try server.client(), slow = try server.client()
        slow.raw.send([0, 0x0f, 0, 0, 1, 2, 3])
        let dead = try server.client()
        dead.raw.send([0, 0x0f])
        #expect(try slow.raw.isClosedByPeer())
        #expect(try dead.raw.isClosedByPeer())
        #expect(try isWell(idle))
        #expect(server.log.all.contains { $0.contains("of a message that is not complete; 7 have come") })
    }

    @Test("what is kept of messages that are not complete is bounded: the oldest goes")
    func heldMessages() throws {
        var policy = ServicePolicy()
        policy.heldLimit = 3 << 20
        let server = try server(policy)
        let idle = try server.client(), first = try server.client(), second = try server.client()
        let piece = [UInt8](repeating: UInt8(ascii: "("), count: 2 << 20)
        first.raw.send([0, 0x30, 0, 0] + piece)
        // A few bytes are nothing to be let go for.
        let ping = Frames.bytes(Message(id: .integer(9), name: "ping", arguments: .tuple([])).body(in: .pickle))
        idle.raw.send(Array(ping.prefix(2)))
        let data = [UInt8](repeating: 1, count: 5 << 19)
        let store = Message(
            id: .integer(0), isOneWay: true, name: "storea",
            arguments: .tuple([
                .bytes(ObjectID(rawValue: 5).bytes), .bytes(TransactionID.none.bytes), .bytes(data), .integer(1),
            ]))
        try second.begin(1)
        second.raw.send(body: store.body(in: .pickle))
        #expect(try first.raw.isClosedByPeer())
        #expect(try second.vote(1) == nil)
        idle.raw.send(Array(ping.dropFirst(2)))
        #expect(try idle.answer().id == .integer(9))
        #expect(server.log.all.filter { $0.contains("is the oldest") }.count == 1)
    }

    @Test("the system is asked to look after connections that say nothing")
    func keepAlive() throws {
        let server = try server()
        let client = try server.client()
        try client.call("ping")
        let port = String(server.port, radix: 16, uppercase: true)
        // What was sent last is acknowledged a little later, and until then another timer runs.
        var timers: [String] = []
        for _ in 0..<3000 {
            timers = try Self.timers(ofPort: port)
            if timers == ["02"] { break }
            usleep(20_000)
        }
        #expect(timers == ["02"])
    }

    /// The system's timers of the server's established connections, `timer` of `timer:when`: 2 is keepalive.
    private static func timers(ofPort port: String) throws -> [String] {
        // Its size is not known, so that it is not read whole as a file.
        let table = try #require(try FileHandle(forReadingAtPath: "/proc/net/tcp")?.readToEnd())
        return String(decoding: table, as: UTF8.self).split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 5, fields[1].hasSuffix(":\(port)"), fields[3] == "01" else { return nil }
            return String(fields[5].prefix(2))
        }
    }

    @Test("a transaction larger than a server takes ends the connection")
    func largeTransactions() throws {
        var policy = ServicePolicy()
        policy.transactionLimit = 1 << 20
        let server = try server(policy)
        let other = try server.client()
        let client = try server.client()
        try client.begin(1)
        for number in 1...40 {
            client.store(1, ObjectID(rawValue: UInt64(number)), .none, Array(repeating: 1, count: 50_000))
        }
        #expect(try client.raw.isClosedByPeer())
        #expect(try isWell(other))
    }

    @Test("labels and names of clients cannot write their own lines into the log")
    func logLines() throws {
        let server = try server()
        let client = try server.client()
        client.send("set_client_label", [.string("evil\n2026 error: all is lost\u{1b}[2J\u{202e}")], isOneWay: true)
        try client.call("ping")
        client.send("no\nsuch\u{1b}method", [])
        #expect(try client.raw.isClosedByPeer())
        while !server.log.all.contains(where: { $0.contains("disconnected") }) {}
        for line in server.log.all {
            #expect(
                line.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202e }, "\(line.debugDescription)")
        }
    }
}
