import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

@Suite("Writing to servers", .serialized)
struct WritingTests {
    /// Makes a `Length` of 1 and a mapping in Python; their oids, and the tid.
    static func prepare(_ server: PythonServer) throws -> (length: ObjectID, mapping: ObjectID, tid: TransactionID) {
        let words = try server.client(
            """
            from BTrees.Length import Length
            from persistent.mapping import PersistentMapping
            from binascii import hexlify
            root['length'], root['mapping'] = Length(1), PersistentMapping()
            transaction.commit()
            for value in root['length']._p_oid, root['mapping']._p_oid, storage.lastTransaction():
                print(hexlify(value).decode())
            """
        ).split(whereSeparator: \.isWhitespace).map(String.init)
        return (try ObjectID(hex: words[0]), try ObjectID(hex: words[1]), try TransactionID(hex: words[2]))
    }

    @Test("a transaction is stored, voted, finished, and read by Python and by us", arguments: ServerKind.all)
    func commit(_ kind: ServerKind) throws {
        let server = try kind.serve()
        let (length, mapping, tid) = try Self.prepare(server)
        let storage = try server.connect(writable: true)
        let watcher = try server.connect()
        // What is current is cached, and must not stay so.
        let old = try storage.load([length, mapping], at: .latest).map { try $0.get() }
        #expect(old.map(\.serial) == [tid, tid])

        let new = try storage.newObjectIDs(250)
        #expect(new.count == 250)
        #expect(Set(new).count == 250)
        #expect(!new.contains(length))
        let metadata = TransactionMetadata(
            "jörg", "three objects", extension: Array("}(U\u{0B}zeoshell-idU\u{5}abc-1U\u{1}nK\u{7}u.".utf8))
        let transaction = try storage.begin(metadata)
        try transaction.store(Record.length(5), for: length, basedOn: tid)
        try transaction.store(Record.mapping("k", "v"), for: mapping, basedOn: tid)
        try transaction.store(Record.length(9), for: new[0], basedOn: .none)
        #expect(try transaction.vote() == VoteResult())
        var published: [TransactionID] = []
        let made = try transaction.finish { published.append($0) }
        #expect(published == [made])
        #expect(made > tid)
        transaction.abort()

        #expect(try storage.lastTransaction() == made)
        #expect(try storage.poll().isEmpty)
        let now = try storage.load([length, mapping, new[0]], at: .latest).map { try $0.get() }
        #expect(now.map(\.serial) == [made, made, made])
        #expect(now.map(\.data) == [Record.length(5), Record.mapping("k", "v"), Record.length(9)])
        let before = try storage.load(length, at: tid)
        #expect((before.data, before.next) == (old[0].data, made))
        #expect(
            try LiveChangeTests.eventually { try watcher.lastTransaction() == made })
        // Before ZEO 5.2 nobody is told of objects that are new.
        let told = kind.generation < .v5 ? [length, mapping] : [length, mapping, new[0]]
        #expect(try watcher.poll() == [Invalidation(tid: made, oids: told)])

        let summary = try #require(try storage.transactionLog().next())
        #expect(summary.tid == made)
        #expect(summary.user == metadata.user)
        let said = try server.client(
            """
            info = storage.undoInfo(0, -1)[0]
            print(root['length'](), sorted(root['mapping'].items()), info['user_name'] == u'j\\xf6rg'.encode('utf-8'))
            print(info['zeoshell-id'], info['n'], connection.get(b'\\0' * 6 + \(Self.bytes(new[0])))())
            """)
        #expect(said.contains("[('k', 'v')]"))
        #expect(said.hasPrefix("5 "))
        #expect(said.contains("abc-1 7 9"))
        #expect(said.contains("True"))
    }

    @Test(
        "a change that others overtook is a conflict with both serials, and leaves no trace", arguments: ServerKind.all)
    func conflict(_ kind: ServerKind) throws {
        let server = try kind.serve()
        let (length, mapping, tid) = try Self.prepare(server)
        let (storage, other) = (try server.connect(writable: true), try server.connect(writable: true))
        let theirs = try other.commit([(mapping, Record.mapping("k", "theirs"), tid)])

        let transaction = try storage.begin(.plain)
        try transaction.store(Record.length(2), for: length, basedOn: tid)
        try transaction.store(Record.mapping("k", "ours"), for: mapping, basedOn: tid)
        #expect(throws: StorageError.conflict(mapping, committed: theirs, read: tid)) { try transaction.vote() }
        #expect(throws: StorageError.self) { try transaction.store(Record.length(3), for: length, basedOn: tid) }
        #expect(throws: StorageError.self) { try transaction.vote() }
        #expect(throws: StorageError.self) { try transaction.finish() }
        transaction.abort()
        #expect(try storage.load(length, at: .latest).serial == tid)
        #expect(storage.isConnected)

        // A new object under an oid that is taken: nothing is overwritten.
        let taken = try storage.begin(.plain)
        try taken.store(Record.mapping("k", "new"), for: mapping, basedOn: .none)
        #expect(throws: StorageError.conflict(mapping, committed: theirs, read: .none)) { try taken.vote() }
        taken.abort()

        // What had to stay as it was did not.
        let dependent = try storage.begin(.plain)
        try dependent.requireCurrent(mapping, serial: tid)
        try dependent.store(Record.length(2), for: length, basedOn: tid)
        #expect(throws: StorageError.conflict(mapping, committed: theirs, read: tid)) { try dependent.vote() }
        dependent.abort()

        // And the next one goes through, on the same connection.
        let again = try storage.begin(.plain)
        try again.requireCurrent(mapping, serial: theirs)
        try again.store(Record.length(2), for: length, basedOn: tid)
        _ = try again.vote()
        let made = try again.finish()
        #expect(try storage.load(length, at: made).data == Record.length(2))
        #expect(try other.load(mapping, at: .latest).data == Record.mapping("k", "theirs"))
    }

    @Test("the server merges two changes of a Length, and the vote says so", arguments: ServerKind.all)
    func merged(_ kind: ServerKind) throws {
        let server = try kind.serve()
        let (length, _, tid) = try Self.prepare(server)
        let (storage, other) = (try server.connect(writable: true), try server.connect(writable: true))
        try other.commit([(length, Record.length(11), tid)])
        let transaction = try storage.begin(.plain)
        try transaction.store(Record.length(4), for: length, basedOn: tid)
        #expect(try transaction.vote() == VoteResult(changedOIDs: [length]))
        let made = try transaction.finish()
        // 1 + 10 + 3. What was handed in is not what is there.
        #expect(try server.client("print(root['length']())") == "14\n")
        #expect(try storage.load(length, at: made).data != Record.length(4))
    }

    @Test("aborted at any time, a transaction leaves nothing and the lock is free", arguments: ServerKind.all)
    func abort(_ kind: ServerKind) throws {
        let server = try kind.serve()
        let (length, _, tid) = try Self.prepare(server)
        let storage = try server.connect(writable: true)
        try storage.begin(.plain).abort()
        let stored = try storage.begin(.plain)
        try stored.store(Record.length(2), for: length, basedOn: tid)
        stored.abort()
        let voted = try storage.begin(.plain)
        try voted.store(Record.length(3), for: length, basedOn: tid)
        _ = try voted.vote()
        voted.abort()
        voted.abort()
        // Given up without a word.
        do {
            let forgotten = try storage.begin(.plain)
            try forgotten.store(Record.length(4), for: length, basedOn: tid)
            _ = try forgotten.vote()
        }
        // An empty one.
        let empty = try storage.begin(.plain)
        #expect(try empty.vote() == VoteResult())
        empty.abort()
        let other = try server.connect(writable: true)
        let made = try other.commit([(length, Record.length(7), tid)])
        #expect(try storage.load(length, at: .latest).serial == made)
        #expect(try storage.lastTransaction() == made)
        #expect(storage.isConnected)
    }

    @Test(
        "transactions are undone, several at once too; what cannot be says which object is in the way",
        arguments: ServerKind.all)
    func undo(_ kind: ServerKind) throws {
        let server = try kind.serve()
        let (length, mapping, tid) = try Self.prepare(server)
        let storage = try server.connect(writable: true)
        #expect(storage.supportsUndo)
        let first = try storage.commit([(mapping, Record.mapping("k", "1"), tid)])
        let second = try storage.commit([(length, Record.length(9), tid)])
        let third = try storage.commit([(mapping, Record.mapping("k", "3"), first)])

        // Changed since by the third.
        let tooLate = try storage.begin(.plain)
        #expect {
            // Before ZODB 3.10 it is refused at once, else at the vote.
            try tooLate.undo(first)
            _ = try tooLate.vote()
        } throws: { error in
            guard case StorageError.undoFailed(first, let obstacles) = error else { return false }
            return obstacles.map(\.oid) == [mapping] && obstacles[0].reason.contains("later transaction")
        }
        tooLate.abort()
        let unknown = try storage.begin(.plain)
        #expect {
            try unknown.undo(first.predecessor)
            _ = try unknown.vote()
        } throws: { error in
            guard case StorageError.undoFailed(first.predecessor, let obstacles) = error else { return false }
            return obstacles.map(\.reason) == ["Invalid transaction id"] && obstacles[0].oid == nil
        }
        unknown.abort()

        let undo = try storage.begin(.init("tests", "undo"))
        for tid in [third, second, first] { try undo.undo(tid) }
        #expect(try undo.vote() == VoteResult(changedOIDs: [length, mapping]))
        let made = try undo.finish()
        let now = try storage.load([length, mapping], at: .latest).map { try $0.get() }
        #expect(now.map(\.serial) == [made, made])
        #expect(try now.map(\.data) == storage.load([length, mapping], at: tid).map { try $0.get().data })
        #expect(try server.client("print(root['length'](), len(root['mapping']))").contains("1"))
    }

    @Test(
        "a server that lets nobody write refuses the connection, and serves who only reads", arguments: ServerKind.all)
    func readOnly(_ kind: ServerKind) throws {
        let file = kind.isPython2 ? "fs/py27-zodb38.fs" : "fs/undo.fs"
        let server = try kind.serve(SampleData.path(file), options: " read-only true")
        #expect {
            try server.connect(writable: true)
        } throws: { error in
            guard case StorageError.readOnly(let what) = error else { return false }
            return what.contains(server.endpoint.description)
        }
        let storage = try server.connect()
        #expect(!storage.isWritable)
        #expect(throws: StorageError.self) { try storage.begin(.plain) }
        #expect(throws: StorageError.self) { try storage.newObjectIDs(1) }
        #expect(try storage.load(.root, at: .latest).data.count > 10)
    }

    @Test(
        "blobs go up, as large as they are, and are what Python and we read",
        arguments: ServerKind.all.filter(\.generation.hasBlobs))
    func blobs(_ kind: ServerKind) throws {
        let server = try kind.serve(blobs: true)
        try server.client("root['n'] = 1; transaction.commit()")
        let storage = try server.connect(writable: true)
        let oids = try storage.newObjectIDs(2)
        let block = (0..<250_000).map { UInt8(truncatingIfNeeded: $0 * 7 ^ $0 >> 9) }
        var contents: [UInt8] = []
        for _ in 0..<20 { contents += block }
        let chunks = stride(from: 0, to: contents.count, by: 777_777).map {
            Array(contents[$0..<min($0 + 777_777, contents.count)])
        }
        let transaction = try storage.begin(.plain)
        try transaction.storeBlob(Record.blob, for: oids[0], basedOn: .none, contents: ArrayCursor(chunks))
        try transaction.storeBlob(Record.blob, for: oids[1], basedOn: .none, contents: ArrayCursor([]))
        _ = try transaction.vote()
        let made = try transaction.finish()
        #expect(try storage.load(oids, at: .latest).map { try $0.get().data } == [Record.blob, Record.blob])
        #expect(try storage.blob(oids[0], serial: made).rest().flatMap { $0 } == contents)
        #expect(try storage.blob(oids[1], serial: made).rest().flatMap { $0 }.isEmpty)
        let told = try server.client(
            """
            block = bytes(bytearray((i * 7 ^ i >> 9) & 255 for i in range(250000)))
            for oid in \(Self.bytes(oids[0])), \(Self.bytes(oids[1])):
                with connection.get(b'\\0' * 6 + oid).open() as file:
                    data = file.read()
                    print(len(data), data == block * (len(data) // 250000))
            """)
        #expect(told == "5000000 True\n0 True\n")

        // Broken off in the middle: the connection can be used for the next one.
        let broken = try storage.begin(.plain)
        #expect(throws: StorageError.interrupted) {
            try broken.storeBlob(Record.blob, for: oids[0], basedOn: made, contents: BrokenCursor(chunks))
        }
        broken.abort()
        let next = try storage.begin(.plain)
        try next.storeBlob(Record.blob, for: oids[0], basedOn: made, contents: ArrayCursor([[1, 2, 3]]))
        _ = try next.vote()
        let second = try next.finish()
        #expect(try storage.blob(oids[0], serial: second).rest() == [[1, 2, 3]])
        #expect(try storage.blob(oids[0], serial: made).rest().flatMap { $0 } == contents)
    }

    @Test("a storage without blobs is not sent any", .needs(.zeo6))
    func noBlobs() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        try server.client("root['n'] = 1; transaction.commit()")
        let storage = try server.connect(writable: true)
        let oid = try storage.newObjectIDs(1)[0]
        let transaction = try storage.begin(.plain)
        #expect {
            try transaction.storeBlob(Record.blob, for: oid, basedOn: .none, contents: ArrayCursor([[1]]))
        } throws: { error in
            if case StorageError.unsupported = error { true } else { false }
        }
        transaction.abort()
        #expect(storage.isConnected)
    }

    /// The last two bytes of an oid as a Python literal.
    static func bytes(_ oid: ObjectID) -> String {
        "b'" + oid.bytes.suffix(2).map { "\\x" + String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            + "'"
    }
}

/// Some chunks, and then the user's Ctrl-C.
private final class BrokenCursor: Cursor {
    private var chunks: [[UInt8]]

    init(_ chunks: [[UInt8]]) { self.chunks = chunks }

    func next() throws(StorageError) -> [UInt8]? {
        if chunks.isEmpty { throw .interrupted }
        return chunks.removeFirst()
    }
}
