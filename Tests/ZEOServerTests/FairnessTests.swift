import Dispatch
import Synchronization
import TestSupport
import Testing
import ZEOProtocol
import ZEOServer
import ZODB

@Suite("A client that asks for much waits for itself only")
struct FairnessTests {
    private static let far = ObjectID(rawValue: 1)
    private static let other = ObjectID(rawValue: 2)
    private static let records: [(ObjectID, [UInt8])] = [
        (.root, Records.mapping(0)), (far, Records.mapping(1)), (other, Records.mapping(2)),
    ]

    private func storage(blobSize: Int = 0) throws -> HeldStorage {
        try HeldStorage(Self.records, far: [Self.far, Self.other], blobSize: blobSize)
    }

    @Test(
        "a revision far back is looked for by another thread: others are answered meanwhile, and so are the client's near ones",
        arguments: [Dialect(.v308, .pickle), Dialect(.v4, .pickle), .z5, .m5])
    func farLoads(dialect: Dialect) throws {
        let storage = try storage()
        let server = try RunningServer(storage)
        let client = try server.client(dialect), other = try server.client()
        let asked = (0..<10).map { _ in client.send(client.loadName, client.loadArguments(Self.far)) }
        storage.waitForBegin()
        #expect(try ZEOClient.revision(try other.load(.root)).data == Records.mapping(0))
        let near = client.send(client.loadName, client.loadArguments(.root))
        #expect(try client.answer().id == near)
        storage.letGo(10)
        // Of one client in order, each once.
        for id in asked {
            let reply = try client.answer()
            #expect(reply.id == id)
            #expect(try ZEOClient.revision(reply).data == Records.mapping(1))
        }
        #expect(storage.looks.load(ordering: .relaxed) == 10)
    }

    @Test("a look far back that a commit overtakes is made again; one that a commit of something else overtakes is not")
    func staleLooks() throws {
        let storage = try storage()
        let server = try RunningServer(storage)
        let client = try server.client(), committer = try server.client()
        let serial = try storage.memory.lastTransaction()
        let id = client.send(client.loadName, client.loadArguments(Self.far))
        storage.waitForBegin()
        // Something else, and then the object.
        try committer.commit(1, [(.root, serial, Records.mapping(8))])
        let tid = try committer.commit(2, [(Self.far, serial, Records.mapping(9))])
        storage.letGo()
        storage.waitForBegin()
        storage.letGo()
        let reply = try client.answer()
        #expect(reply.id == id)
        let revision = try ZEOClient.revision(reply)
        #expect(revision.serial == tid && revision.data == Records.mapping(9))
        #expect(client.notices.map(\.name) == ["invalidateTransaction", "invalidateTransaction"])
        client.notices = []

        let again = client.send(client.loadName, client.loadArguments(Self.far))
        storage.waitForBegin()
        try committer.commit(3, [(ObjectID(rawValue: 77), .none, Records.mapping(1))])
        storage.letGo()
        let answer = try client.answer()
        #expect(answer.id == again)
        #expect(try ZEOClient.revision(answer).serial == tid)
        #expect(client.notices.count == 1)
        #expect(storage.looks.load(ordering: .relaxed) == 3)
    }

    @Test("looks of several clients take turns, and those of a client that has gone are not made")
    func turns() throws {
        let storage = try storage()
        let server = try RunningServer(storage)
        let greedy = try server.client(), modest = try server.client(), watcher = try server.client()
        for _ in 0..<20 { greedy.send(greedy.loadName, greedy.loadArguments(Self.far)) }
        storage.waitForBegin()
        let id = modest.send(modest.loadName, modest.loadArguments(Self.other))
        // It waits in line when that is answered.
        try modest.call("ping", [])
        storage.letGo(2)
        #expect(try modest.answer().id == id)
        storage.waitForBegin()
        storage.waitForBegin()
        greedy.raw.hangUp()
        while try watcher.call("server_status").arguments["connections"]?.integer != 2 {}
        modest.send(modest.loadName, modest.loadArguments(Self.other))
        storage.letGo(2)
        _ = try modest.answer()
        #expect(storage.looks.load(ordering: .relaxed) == 4)
    }

    @Test("a client with many calls under way waits for some of them before more are taken")
    func manyLooks() throws {
        let storage = try storage()
        let server = try RunningServer(storage)
        let client = try server.client(), other = try server.client()
        let asked = (0..<200).map { _ in client.send(client.loadName, client.loadArguments(Self.far)) }
        let last = client.send("ping", [])
        storage.waitForBegin()
        #expect(try !other.load(.root).isException)
        storage.letGo(200)
        var answered: [WireValue] = []
        while answered.count < 201 { answered.append(try client.answer().id) }
        #expect(answered.filter { $0 != last } == asked)
        // At the end at most so many are under way that no others are waited for.
        #expect(try #require(answered.firstIndex(of: last)) >= 200 - 64)
    }

    @Test("a client that sends thousands of calls at once lets others have their turn in between")
    func slices() throws {
        let storage = try storage()
        let server = try RunningServer(storage)
        let greedy = try server.client(), blocker = try server.client(), other = try server.client()
        storage.holdsQuestions.store(true, ordering: .relaxed)
        blocker.send("lastTransaction", [])
        storage.waitForBegin()
        // The loop stands still: all of this arrives before anything is answered.
        let call = Message(id: .integer(1), name: "lastTransaction", arguments: .tuple([])).body(in: .pickle)
        greedy.raw.send((0..<1500).flatMap { _ in Frames.bytes(call) })
        other.send(other.loadName, other.loadArguments(.root))
        storage.letGo()
        _ = try other.answer()
        #expect(storage.questionsAtLoad.load(ordering: .relaxed) < 700)
        for _ in 0..<1500 { _ = try greedy.answer() }
    }

    @Test("a walk through a log ends when nobody wants to hear of it any more", arguments: [true, false])
    func abandonedLog(hangsUp: Bool) throws {
        let storage = try storage()
        let server = try RunningServer(storage)
        storage.hasEndlessLog.store(true, ordering: .relaxed)
        let client = try server.client(), other = try server.client()
        let filter = WireValue.dict([.init(.string("user_name"), .bytes(Array("nobody".utf8)))])
        client.send("undoInfo", [.integer(0), .integer(10), filter])
        client.send("undoInfo", [.integer(0), .integer(10), filter])
        storage.logBegun.wait()
        // Another client's calls have a thread of their own.
        storage.hasEndlessLog.store(false, ordering: .relaxed)
        if hangsUp {
            #expect(try !other.call("undoInfo", [.integer(0), .integer(10), filter]).isException)
            client.raw.hangUp()
        } else {
            try Background { server.server.close() }.result()
        }
        #expect(storage.logEnded.wait(timeout: .now() + 60) == .success)
    }

    @Test("blobs that are asked for all at once come one after the other, however slowly they are taken")
    func blobs() throws {
        let size = 4 << 20
        let storage = try storage(blobSize: size)
        let server = try RunningServer(storage)
        let client = try server.client(), other = try server.client()
        let tid = try storage.memory.lastTransaction()
        let asked = (0..<6).map { _ in client.send("sendBlob", [.bytes(Self.far.bytes), .bytes(tid.bytes)]) }
        #expect(try !other.load(.root).isException)
        for id in asked {
            client.notices = []
            #expect(try client.answer().id == id)
            let names = client.notices.map(\.name)
            #expect(names.first == "receiveBlobStart" && names.last == "receiveBlobStop")
            #expect(names.dropFirst().dropLast().allSatisfy { $0 == "receiveBlobChunk" })
            let bytes = client.notices.dropFirst().dropLast().map { $0.arguments.elements?.last?.rawBytes?.count ?? 0 }
            #expect(bytes.reduce(0, +) == size)
        }
    }

    @Test("what a client wants to commit that has gone is not begun")
    func goneVoters() throws {
        let storage = try SlowStorage(.blocking, Self.records)
        let server = try RunningServer(storage)
        let first = try server.client(), gone = try server.client(), watcher = try server.client()
        try first.begin(1, [(ObjectID(rawValue: 50), .none, Records.mapping(1))])
        #expect(try first.vote(1) == nil)
        first.send("tpc_finish", [.integer(1)])
        storage.waitForFinish()
        // The storage's thread is at the disk; this waits behind.
        try gone.begin(1, [(ObjectID(rawValue: 51), .none, Records.mapping(1))])
        gone.send("vote", [.integer(1)])
        try gone.call("ping")
        gone.raw.hangUp()
        while try watcher.call("server_status").arguments["connections"]?.integer != 2 {}
        storage.letGo(2)
        _ = try first.answer()
        try watcher.commit(1, [(ObjectID(rawValue: 52), .none, Records.mapping(1))])
        #expect(storage.begins.load(ordering: .relaxed) == 2)
    }

    @Test("objects that are new after all cost a vote one more look at the transaction, not one for each")
    func unknownObjects() throws {
        var policy = ServicePolicy()
        policy.resolvesConflictsInClients = true
        let folder = try TemporaryFolder()
        let storage = CountingStorage(try folder.dataFile())
        let server = try RunningServer(storage, policy: policy)
        let client = try server.client()
        let old = TransactionID(rawValue: 77)
        try client.begin(1, (1...300).map { (ObjectID(rawValue: $0), old, Records.mapping(1)) })
        #expect(try client.vote(1) == nil)
        _ = try client.finish(1)
        #expect(storage.begins.load(ordering: .relaxed) == 2)
    }
}
