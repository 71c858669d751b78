import TestSupport
import Testing
import ZEOProtocol
import ZEOServer
import ZODB
import ZODBFile

@Suite("Blobs on the wire")
struct BlobTests {
    private static let oid = ObjectID(rawValue: 1)
    private static let record = Records.mapping(1)

    private func store(_ client: ZEOClient, _ id: Int64, _ serial: TransactionID, _ pieces: [[UInt8]]) throws {
        let version: [WireValue] = client.generation.hasVersionArguments ? [.string("")] : []
        try client.begin(id)
        // As ZEO 5 does it: the record by itself, and again with the blob.
        if client.generation >= .v5 { client.store(id, Self.oid, serial, Self.record) }
        client.send("storeBlobStart", [], isOneWay: true)
        for piece in pieces { client.send("storeBlobChunk", [.bytes(piece)], isOneWay: true) }
        client.send(
            "storeBlobEnd",
            [.bytes(Self.oid.bytes), .bytes(serial.bytes), .bytes(Self.record)] + version + [.integer(id)],
            isOneWay: true)
    }

    @Test(
        "a blob goes in and comes out in pieces, which come before the answer",
        arguments: [Dialect(.v308, .pickle), Dialect(.v3101, .pickle), Dialect(.v4, .pickle), .z5, .m5])
    func roundTrip(dialect: Dialect) throws {
        let folder = try TemporaryFolder()
        let server = try RunningServer(try folder.dataFile(blobs: true))
        let client = try server.client(dialect)
        let pieces = [Array("hello ".utf8), Array(repeating: 7, count: 150_000), Array(" blob".utf8)] as [[UInt8]]
        try store(client, 1, .none, pieces)
        #expect(try client.vote(1) == nil)
        let tid = try client.finish(1)
        client.notices = []
        let reply = try client.call("sendBlob", [.bytes(Self.oid.bytes), .bytes(tid.bytes)])
        #expect(reply.arguments.isNone)
        let names = client.notices.map(\.name)
        #expect(names.first == "receiveBlobStart")
        #expect(names.last == "receiveBlobStop")
        #expect(names.dropFirst().dropLast().allSatisfy { $0 == "receiveBlobChunk" })
        let received = client.notices.filter { $0.name == "receiveBlobChunk" }
        #expect(received.flatMap { $0.arguments.elements?.last?.rawBytes ?? [] } == pieces.flatMap(\.self))
        for notice in client.notices {
            #expect(notice.arguments.elements?.prefix(2).map(\.rawBytes) == [Self.oid.bytes, tid.bytes])
        }
        let missing = try client.call("sendBlob", [.bytes(Self.oid.bytes), .bytes(tid.successor.bytes)])
        #expect(missing.arguments.text.contains("POSKeyError"))
        #expect(!missing.arguments.text.contains(folder.path))
    }

    @Test(
        "a transaction whose blob did not arrive whole is not committed without it",
        arguments: [Dialect(.v308, .pickle), Dialect(.v3101, .pickle), Dialect(.v4, .pickle)])
    func brokenOnTheWay(dialect: Dialect) throws {
        let folder = try TemporaryFolder()
        let server = try RunningServer(try folder.dataFile(blobs: true))
        let client = try server.client(dialect)
        try client.begin(1)
        client.store(1, .root, .none, Records.mapping(0))
        // A piece of a blob that has not begun: the client hears of nothing, since it asked for no answer.
        client.send("storeBlobChunk", [.bytes([1])], isOneWay: true)
        #expect(try client.vote(1) != nil)
        try client.abort(1)
        // The next one is as it should be.
        try store(client, 2, .none, [[1], [2]])
        #expect(try client.vote(2) == nil)
        _ = try client.finish(2)
        #expect(server.log.all.contains { $0.contains("a call of its transaction failed") })
    }

    @Test("who merges conflicts itself commits a transaction with a blob after one")
    func mergedInClient() throws {
        var policy = ServicePolicy()
        policy.resolvesConflictsInClients = true
        let folder = try TemporaryFolder()
        let server = try RunningServer(try folder.dataFile(blobs: true), policy: policy)
        let client = try server.client()
        try client.begin(1)
        client.store(1, .root, .none, Records.mapping(0))
        #expect(try client.vote(1) == nil)
        let first = try client.finish(1)
        try client.begin(2)
        client.store(2, .root, first, Records.mapping(1))
        #expect(try client.vote(2) == nil)
        let second = try client.finish(2)
        // Based on what was before: a conflict beside a new blob.
        try store(client, 3, .none, [[7, 8, 9]])
        client.store(3, .root, first, Records.mapping(2))
        let conflicts = try client.call("vote", [.integer(3)])
        #expect(conflicts.arguments.elements?.first?["oid"]?.rawBytes == ObjectID.root.bytes)
        client.store(3, .root, second, Records.mapping(3))
        #expect(try client.vote(3) == nil)
        let third = try client.finish(3)
        client.notices = []
        _ = try client.call("sendBlob", [.bytes(Self.oid.bytes), .bytes(third.bytes)])
        let received = client.notices.filter { $0.name == "receiveBlobChunk" }
        #expect(received.flatMap { $0.arguments.elements?.last?.rawBytes ?? [] } == [7, 8, 9])
    }

    @Test("a storage without blobs says so with a TypeError")
    func none() throws {
        let storage = MemoryStorage()
        let tid = try storage.commit([(.root, Records.mapping(0))])
        let server = try RunningServer(storage)
        let client = try server.client()
        let reply = try client.call("sendBlob", [.bytes(ObjectID.root.bytes), .bytes(tid.bytes)])
        #expect(reply.arguments.text == "builtins.TypeError Blobs are not supported")
    }

    @Test("a client that dies in the middle of a blob, or aborts, leaves no file behind")
    func leftovers() throws {
        let folder = try TemporaryFolder()
        let storage = try folder.dataFile(blobs: true)
        let server = try RunningServer(storage)
        let directory = try #require(try storage.blobReceptionDirectory())
        let other = try server.client()
        for isAborted in [false, true] {
            let client = try server.client()
            try store(client, 1, .none, [[1, 2, 3]])
            try client.call("ping")
            #expect(try !TemporaryFolder.files(in: directory).isEmpty)
            if isAborted { try client.abort(1) } else { client.raw.hangUp() }
            while try !TemporaryFolder.files(in: directory).isEmpty { try other.call("ping") }
        }
    }
}
