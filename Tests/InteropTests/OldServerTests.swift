import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

/// What is not the same for servers of all generations is in the other suites, which old servers go through as well.
@Suite("Servers of older generations", .serialized)
struct OldServerTests {
    @Test("a commit of a Python client is reported, and the old state stays readable", arguments: ServerKind.old)
    func news(_ kind: ServerKind) throws { try LiveChangeTests().commitIsSeen(kind) }

    @Test(
        "a commit of new objects alone, which they tell nobody, is known after a round trip", arguments: ServerKind.old)
    func quiet(_ kind: ServerKind) throws {
        let server = try kind.serve()
        try server.client("root['n'] = 1; transaction.commit()")
        let (storage, other) = (try server.connect(), try server.connect(writable: true))
        let oid = try other.newObjectIDs(1)[0]
        let tid = try other.commit([(oid, Record.length(1), .none)])
        _ = try storage.ping()
        #expect(try storage.lastTransaction() == tid)
        #expect(try storage.load(oid, at: tid).data == Record.length(1))
    }

    @Test("after a restart it is connected again, and what was cached is not believed", arguments: ServerKind.old)
    func restart(_ kind: ServerKind) throws {
        let server = try kind.serve()
        try server.client("root['n'] = 1; transaction.commit()")
        let storage = try server.connect(writable: true)
        let before = try storage.lastTransaction()
        let old = try storage.load(.root, at: .latest)
        server.kill()
        try server.start()
        #expect(LiveChangeTests.eventually { storage.isConnected })
        try server.client("root['n'] = 2; transaction.commit()")
        #expect(
            try LiveChangeTests.eventually {
                _ = try storage.ping()
                return try storage.lastTransaction() > before
            })
        let new = try storage.load(.root, at: .latest)
        #expect(new.serial > before)
        #expect(try storage.load(.root, at: before).data == old.data)
        let again = try storage.commit([(.root, new.data, new.serial)])
        #expect(try server.client("print(root['n'])") == "2\n")
        #expect(try storage.load(.root, at: .latest).serial == again)
    }

    @Test("a pack leaves what is current and drops the rest", arguments: ServerKind.all)
    func pack(_ kind: ServerKind) throws {
        let server = try kind.serve()
        let (length, _, tid) = try WritingTests.prepare(server)
        let storage = try server.connect(writable: true, cache: 0)
        let second = try storage.commit([(length, Record.length(2), tid)])
        let third = try storage.commit([(length, Record.length(3), second)])
        #expect(try storage.history(of: length, limit: 10).count == 3)
        // Two seconds later: a time in seconds is coarser than a tid.
        _ = try storage.pack(to: TransactionID(rawValue: third.rawValue + (1 << 27)), PackOptions())
        #expect(try storage.history(of: length, limit: 10).map(\.transaction.tid) == [third])
        #expect(try storage.load(length, at: .latest).data == Record.length(3))
        #expect(throws: StorageError.noRevision(length, at: second)) { try storage.load(length, at: second) }
        let fourth = try storage.commit([(length, Record.length(4), third)])
        #expect(try storage.transactionLog().next()?.tid == fourth)
        #expect(try server.connect().lastTransaction() == fourth)
    }

    @Test(
        "what a transaction changed is told, new objects too, also where the server does not list it",
        arguments: ServerKind.all)
    func records(_ kind: ServerKind) throws {
        let server = try kind.serve()
        try server.client(
            """
            from persistent.mapping import PersistentMapping
            root['a'], root['b'] = PersistentMapping(), PersistentMapping()
            transaction.commit()
            root['a']['new'] = PersistentMapping({'deep': PersistentMapping({'x': 1})})
            root['b']['n'] = 1
            transaction.get().note('the one')
            transaction.commit()
            root['b']['n'] = 2
            transaction.commit()
            """)
        let storage = try server.connect()
        let log = try storage.transactionLog()
        var tid = TransactionID.none
        while let transaction = try log.next() {
            if transaction.description == Array("the one".utf8) { tid = transaction.tid }
        }
        // From the list of what changed while the server ran, and from all objects after a restart.
        for _ in 0..<2 {
            let records = try storage.records(of: tid).records.rest()
            #expect(Set(records.map(\.oid)).count == 4)
            for record in records {
                let revision = try storage.load(record.oid, at: tid)
                #expect((revision.data, revision.serial) == (record.data, tid))
            }
            server.kill()
            try server.start()
            #expect(LiveChangeTests.eventually { storage.isConnected })
        }
        #expect(throws: StorageError.noSuchTransaction(tid.successor)) { try storage.records(of: tid.successor) }
    }

    @Test("every fact of the samples is what Python says, through ZODB 3.7", .needs(.zodb37), .onlyInFull)
    func facts() throws { try LiveFactsTests.python2Facts(.zodb37) }

    @Test("the oldest does not know its last transaction after a pack; what is there can be read all the same")
    func packed() throws {
        func reply(_ id: Int64, _ value: WireValue) -> ScriptedServer.Step {
            .say(
                Frame.bytes(
                    Message(id: .integer(id), name: ".reply", arguments: value).body(in: .pickle, for: .python2)))
        }
        let serial = try TransactionID(hex: "040d2732285f61cc")
        let server = try ScriptedServer([
            .say(Frame.bytes(Array("Z200".utf8))), .hear(9), reply(1, .none), .hear(1),
            reply(2, .dict([.init(.string("length"), .integer(3)), .init(.string("size"), .integer(900))])), .hear(1),
            reply(3, .list([])), .hear(1),
            reply(4, .tuple([.bytes([1, 2]), .bytes(serial.bytes), .string(""), .none, .none])), .stay,
        ])
        let storage = try ZEOClientStorage(.host("127.0.0.1", port: server.port))
        let last = try storage.lastTransaction()
        #expect(last > serial)
        #expect(try storage.load(.root, at: last) == Revision(data: [1, 2], serial: serial, next: nil))
    }
}
