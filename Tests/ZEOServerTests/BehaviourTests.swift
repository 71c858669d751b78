import TestSupport
import Testing
import ZEOProtocol
import ZEOServer
import ZODB

/// What raw clients saw of ZEO 4.3.1 and 6.2, asked of our server; generations in between behave as one of the two.
@Suite("Behaviour of Python's servers")
struct BehaviourTests {
    private static let generations: [Dialect] = [
        Dialect(.v303, .pickle), Dialect(.v308, .pickle), Dialect(.v3101, .pickle), Dialect(.v4, .pickle), .z5, .m5,
    ]
    private static let first = ObjectID(rawValue: 0x67), second = ObjectID(rawValue: 0x68)

    private func server(_ policy: ServicePolicy = ServicePolicy()) throws -> RunningServer {
        let storage = MemoryStorage()
        try storage.commit([
            (.root, Records.mapping(0)), (Self.first, Records.length(1)), (Self.second, Records.length(1)),
        ])
        return try RunningServer(storage, policy: policy)
    }

    private func serial(_ client: ZEOClient, _ oid: ObjectID) throws -> TransactionID {
        try ZEOClient.revision(try client.load(oid)).serial
    }

    @Test(
        "a vote waits while another client has the lock, and is answered after the other's invalidation",
        arguments: generations)
    func waiting(dialect: Dialect) throws {
        let server = try server()
        let a = try server.client(dialect), b = try server.client(dialect)
        let serial = try serial(a, Self.first)
        try a.begin(1, [(Self.first, serial, Records.length(2))])
        #expect(try a.vote(1) == nil)
        try b.begin(2, [(Self.second, serial, Records.length(2))])
        let vote = b.send("vote", [.integer(2)])
        // Other calls go on being answered.
        #expect(try b.call("get_info").arguments["length"]?.integer == 3)
        let again = try b.call("vote", [.integer(2)])
        #expect(again.arguments.text.contains("Already voting (waiting)"))
        let tid = try a.finish(1)
        #expect(a.notices.map(\.name) == ["info"])
        let reply = try b.answer()
        #expect(reply.id == vote)
        let names = b.notices.map(\.name)
        #expect(
            names == (dialect.generation <= .v4 ? ["invalidateTransaction", "serialnos"] : ["invalidateTransaction"]))
        #expect(b.notices[0].arguments.elements?.first?.rawBytes == tid.bytes)
        #expect(b.failure(ofVote: reply) == nil)
        #expect(try b.call("vote", [.integer(2)]).arguments.text.contains("Already voting (locked)"))
        let next = try b.finish(2)
        #expect(next > tid)
        #expect(try a.notice("info").count == 1)
        #expect(try a.notice("invalidateTransaction").first?.rawBytes == next.bytes)
    }

    @Test("votes wait in the order in which they came")
    func order() throws {
        let server = try server()
        let clients = try (0..<6).map { _ in try server.client() }
        for (index, client) in clients.enumerated() {
            try client.begin(Int64(index), [(ObjectID(rawValue: UInt64(1000 + index)), .none, Records.length(1))])
            client.send("vote", [.integer(Int64(index))])
            // The next one votes when this one waits: both go through one socket thread, each has been heard then.
            if index > 0 { try client.call("ping") } else { #expect(try client.answer().arguments == .list([])) }
        }
        var tids: [TransactionID] = []
        for (index, client) in clients.enumerated() {
            if index > 0 { _ = try client.answer() }
            tids.append(try client.finish(Int64(index)))
        }
        #expect(tids == tids.sorted())
        #expect(Set(tids).count == 6)
    }

    @Test("a conflict is told with oid and serials; what Length can merge is merged", arguments: generations)
    func conflicts(dialect: Dialect) throws {
        let server = try server()
        let client = try server.client(dialect)
        let old = try serial(client, .root)
        let new = try client.commit(1, [(.root, old, Records.mapping(1)), (Self.first, old, Records.length(2))])
        try client.begin(2, [(.root, old, Records.mapping(2))])
        let failure = try #require(try client.vote(2))
        #expect(failure.contains("ConflictError"))
        try client.abort(2)
        // Merged: 5 - 1 + 2.
        try client.begin(3, [(Self.first, old, Records.length(5))])
        let reply = try client.call("vote", [.integer(3)])
        if dialect.generation <= .v4 {
            let serials = try #require(client.notices.last { $0.name == "serialnos" }?.arguments.elements?.first)
            #expect(serials.elements?.first?.elements?.last?.rawBytes == Array("rs".utf8))
            #expect(reply.arguments.isNone)
        } else {
            #expect(reply.arguments.elements?.map(\.rawBytes) == [Self.first.bytes])
        }
        let merged = try client.finish(3)
        #expect(merged > new)
        let (data, serial) = try ZEOClient.revision(try client.load(Self.first))
        #expect(data == Records.length(6))
        #expect(serial == merged)
    }

    @Test(
        "what was only read and has changed is a ReadConflictError at the vote",
        arguments: [Dialect(.v4, .pickle), .z5, .m5])
    func readConflicts(dialect: Dialect) throws {
        let server = try server()
        let client = try server.client(dialect)
        let old = try serial(client, Self.first)
        try client.commit(1, [(Self.first, old, Records.length(2))])
        try client.begin(2)
        client.send(
            "checkCurrentSerialInTransaction", [.bytes(Self.first.bytes), .bytes(old.bytes), .integer(2)],
            isOneWay: true)
        #expect(try #require(try client.vote(2)).contains("ReadConflictError"))
        try client.abort(2)
        // The lock is free, whatever the client does next.
        let other = try server.client(dialect)
        try other.begin(3)
        #expect(try other.vote(3) == nil)
    }

    @Test("an empty transaction is committed and told, with no objects", arguments: generations)
    func empty(dialect: Dialect) throws {
        let server = try server()
        let client = try server.client(dialect), watcher = try server.client(dialect)
        let tid = try client.commit(1, [])
        let told = try watcher.notice("invalidateTransaction")
        #expect(told.first?.rawBytes == tid.bytes)
        #expect(told.last?.elements?.isEmpty == true)
        #expect(try watcher.lastTransaction() == tid)
    }

    @Test(
        "beginning the same transaction twice is one; another one beside it ends a ZEO 5 connection",
        arguments: generations)
    func twoBegins(dialect: Dialect) throws {
        let server = try server()
        let client = try server.client(dialect)
        try client.begin(1)
        try client.begin(1)
        #expect(try client.lastTransaction() != nil)
        if dialect.generation <= .v309 {
            try client.begin(2)
            #expect(try client.lastTransaction() != nil)
        } else {
            try client.begin(2)
            client.send("lastTransaction", [])
            if dialect.generation >= .v5 {
                #expect(try client.raw.isClosedByPeer())
            } else {
                #expect(try client.answer().arguments.rawBytes?.count == 8)
            }
        }
    }

    @Test("a read-only connection reads, packs and lists; it writes nothing", arguments: generations)
    func readOnly(dialect: Dialect) throws {
        let server = try server()
        let client = try server.client(dialect, readOnly: true)
        #expect(try client.load(Self.first).isException == false)
        for (name, arguments) in [
            ("new_oids", []), ("vote", [.integer(1)]), ("tpc_abort", [.integer(1)]), ("tpc_finish", [.integer(1)]),
        ] as [(String, [WireValue])] {
            #expect(try client.call(name, arguments).arguments.text.contains("ReadOnlyError"), "\(name)")
        }
        #expect(try client.lastTransaction() != nil)
        // Without an answer to give, ZEO 5 ends the connection; before, nothing happens.
        client.send(
            "tpc_begin", [.integer(1), .string(""), .string(""), .dict([]), .none, .string(" ")], isOneWay: true)
        client.send("lastTransaction", [])
        if dialect.generation >= .v5 {
            #expect(try client.raw.isClosedByPeer())
        } else {
            #expect(try client.answer().arguments.rawBytes?.count == 8)
        }
    }

    @Test("calls outside of a transaction are answered as Python does", arguments: generations)
    func outside(dialect: Dialect) throws {
        let server = try server()
        let client = try server.client(dialect)
        #expect(try client.call("vote", [.integer(7)]).arguments.text.contains("StorageTransactionError"))
        #expect(try client.call("tpc_finish", [.integer(7)]).arguments.isNone)
        if dialect.generation > .v309 { #expect(try client.call("tpc_abort", [.integer(7)]).arguments.isNone) }
        #expect(try client.call("loadBefore").arguments.text.contains("TypeError"))
        // A store without a transaction has no answer: it is lost, or the connection is.
        client.store(7, Self.first, .none, Records.length(1))
        client.send("lastTransaction", [])
        if dialect.generation >= .v5 {
            #expect(try client.raw.isClosedByPeer())
        } else {
            #expect(try client.answer().arguments.rawBytes?.count == 8)
        }
    }

    @Test("register: unknown storages and second calls", arguments: generations)
    func register(dialect: Dialect) throws {
        let server = try server()
        let client = try ZEOClient(port: server.port, dialect, python2: dialect.generation < .v4)
        let unknown = try client.call("register", [.string("nope"), .integer(0)])
        #expect(unknown.arguments.text.contains("ValueError"))
        #expect(unknown.arguments.text.contains("unknown storage: nope"))
        try client.register()
        #expect(client.registered.isNone == (dialect.generation <= .v4))
        client.send("register", [.string("1"), .integer(0)])
        if dialect.generation >= .v5 {
            #expect(try client.raw.isClosedByPeer())
        } else {
            #expect(try client.answer().arguments.text.contains("duplicate register() call"))
        }
    }

    @Test("loads: past revisions, exact tids, tids beyond the last, unknown objects", arguments: generations)
    func loads(dialect: Dialect) throws {
        let server = try server()
        let client = try server.client(dialect)
        let oid = WireValue.bytes(Self.first.bytes)
        let old = try serial(client, Self.first)
        let new = try client.commit(1, [(Self.first, old, Records.length(2))])
        func before(_ tid: [UInt8]) throws -> [[UInt8]?]? {
            try client.call("loadBefore", [oid, .bytes(tid)]).arguments.elements?.map(\.rawBytes)
        }
        #expect(try before(old.bytes) == nil)
        #expect(try before(new.bytes) == [Records.length(1), old.bytes, new.bytes])
        #expect(try before(old.successor.bytes) == [Records.length(1), old.bytes, new.bytes])
        #expect(try before(TransactionID.latest.bytes) == [Records.length(2), new.bytes, nil])
        #expect(try before(Array(repeating: 0xff, count: 8)) == [Records.length(2), new.bytes, nil])
        #expect(try client.call("loadSerial", [oid, .bytes(old.bytes)]).arguments.rawBytes == Records.length(1))
        let unknown = WireValue.bytes(ObjectID(rawValue: 0xdead).bytes)
        let missing = try client.call("loadBefore", [unknown, .bytes(TransactionID.latest.bytes)])
        #expect(missing.arguments.text.contains("POSKeyError"))
        let wrongSerial = try client.call("loadSerial", [oid, .bytes(old.successor.bytes)])
        #expect(wrongSerial.arguments.text.contains("POSKeyError"))
        let changed = try client.call("getInvalidations", [.bytes(old.bytes)]).arguments.elements
        #expect(changed?.first?.rawBytes == new.bytes)
        #expect(changed?.last?.elements?.count == 1)
        #expect(try client.call("getInvalidations", [.bytes([0, 0, 0, 0, 0, 0, 0, 1])]).arguments.isNone)
    }

    @Test(
        "iterators: an end, and KeyErrors after it",
        arguments: [Dialect(.v309, .pickle), Dialect(.v4, .pickle), .z5, .m5])
    func iterators(dialect: Dialect) throws {
        let server = try server()
        let client = try server.client(dialect)
        let id = try client.call("iterator_start", [.none, .none]).arguments
        #expect(id == .integer(0))
        let transaction = try client.call("iterator_next", [id]).arguments
        let tid = try #require(transaction.elements?.first)
        let records = try client.call("iterator_record_start", [id, tid]).arguments
        #expect(records == .integer(1))
        for _ in 0..<3 { #expect(try client.call("iterator_record_next", [records]).arguments.elements?.count == 4) }
        #expect(try client.call("iterator_record_next", [records]).arguments.isNone)
        #expect(try client.call("iterator_record_next", [records]).arguments.text.contains("KeyError"))
        #expect(try client.call("iterator_next", [id]).arguments.isNone)
        #expect(try client.call("iterator_next", [id]).arguments.text.contains("KeyError"))
        #expect(try client.call("iterator_record_start", [.integer(99), tid]).arguments.text.contains("KeyError"))
    }

    @Test(
        "old clients that verify their caches are told of every stale object, then of the end",
        arguments: [
            Dialect(.v303, .pickle), Dialect(.v308, .pickle), Dialect(.v3101, .pickle), Dialect(.v4, .pickle),
        ])
    func verification(dialect: Dialect) throws {
        let server = try server()
        let client = try server.client(dialect)
        let old = try serial(client, Self.first)
        try client.commit(1, [(Self.first, old, Records.length(2))])
        client.notices = []
        let version: [WireValue] = dialect.generation <= .v308 ? [.string("")] : []
        for oid in [Self.first, Self.second, ObjectID(rawValue: 0xdead)] {
            client.send("verify", [.bytes(oid.bytes)] + version + [.bytes(old.bytes)], isOneWay: true)
        }
        client.send("endZeoVerify", [], isOneWay: true)
        _ = try client.lastTransaction()
        #expect(client.notices.map(\.name) == ["invalidateVerify", "invalidateVerify", "endVerify"])
        let told = client.notices.prefix(2).compactMap { $0.arguments.elements?.first }
        #expect(
            told.map { $0.rawBytes ?? $0.elements?.first?.rawBytes } == [
                Self.first.bytes, ObjectID(rawValue: 0xdead).bytes,
            ])
    }

    @Test("ruok: the greeting, then the figures as JSON, then the end")
    func monitor() throws {
        let server = try server()
        let raw = try RawClient(port: server.port)
        raw.send(body: Array("ruok".utf8))
        #expect(try raw.receive() == Array("Z5".utf8))
        let text = String(decoding: try raw.receive(), as: UTF8.self)
        #expect(text.hasPrefix("{\"1\": {"))
        #expect(text.contains("\"lock_time\": null"))
        #expect(try raw.isClosedByPeer())
    }

    @Test(
        "a client may begin its next transaction before it has heard that the last one has ended",
        arguments: [Dialect.z5, .m5])
    func pipelined(dialect: Dialect) throws {
        let server = try server()
        let client = try server.client(dialect)
        var tids: [TransactionID] = []
        try client.begin(1, [(ObjectID(rawValue: 5001), .none, Records.length(1))])
        #expect(try client.vote(1) == nil)
        for number in Int64(1)...20 {
            let finish = client.send("tpc_finish", [.integer(number)])
            try client.begin(number + 1, [(ObjectID(rawValue: 5001 + UInt64(number)), .none, Records.length(1))])
            let vote = client.send("vote", [.integer(number + 1)])
            // The vote may be answered first: the lock is free before the disk has been waited for.
            for _ in 0..<2 {
                let answer = try client.answer()
                #expect(!answer.isException)
                if answer.id == finish {
                    tids.append(try #require(TransactionID(bytes: answer.arguments.rawBytes ?? [])))
                }
                #expect(answer.id == finish || answer.id == vote)
            }
        }
        #expect(tids.count == 20)
        #expect(tids == tids.sorted())
        #expect(try client.finish(21) > tids[19])
    }

    @Test("the answer to a vote that was aborted meanwhile is not taken for that of the next one")
    func lateVotes() throws {
        let server = try server()
        let client = try server.client()
        let old = try serial(client, .root)
        try client.commit(1, [(.root, old, Records.mapping(1))])
        for round in 0..<50 {
            let id = Int64(10 + round * 2)
            // One that cannot be: then, in the same breath, one that can.
            try client.begin(id, [(.root, old, Records.mapping(2))])
            let bad = client.send("vote", [.integer(id)])
            let abort = client.send("tpc_abort", [.integer(id)])
            try client.begin(id + 1, [(ObjectID(rawValue: 7000 + UInt64(round)), .none, Records.length(1))])
            let good = client.send("vote", [.integer(id + 1)])
            var isAnswered = false
            while !isAnswered {
                let answer = try client.answer()
                #expect([bad, abort, good].contains(answer.id))
                if answer.id == good {
                    #expect(!answer.isException)
                    isAnswered = true
                }
            }
            _ = try client.finish(id + 1)
        }
    }
}

extension WireValue {
    /// All text in it, exceptions of every form included.
    var text: String {
        switch self {
        case .bytes(let bytes), .text(let bytes), .nativeString(let bytes): String(decoding: bytes, as: UTF8.self)
        case .tuple(let elements), .list(let elements): elements.map(\.text).joined(separator: " ")
        case .dict(let entries): entries.map { "\($0.key.text) \($0.value.text)" }.joined(separator: " ")
        case .global(let module, let name): "\(module).\(name)"
        case .instance(let instance):
            "\(instance.callable.text) \(instance.arguments.text) \(instance.state?.text ?? "")"
        default: description
        }
    }
}
