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
        #expect(try watcher.poll() == [Invalidation(tid: made, oids: [length, mapping, new[0]])])

        let summary = try #require(try storage.transactionLog().next())
        #expect(summary.tid == made)
        #expect(summary.user == metadata.user)
        let told = try server.client(
            """
            info = storage.undoInfo(0, -1)[0]
            print(root['length'](), sorted(root['mapping'].items()), info['user_name'] == u'j\\xf6rg'.encode('utf-8'))
            print(info['zeoshell-id'], info['n'], connection.get(b'\\0' * 6 + \(Self.bytes(new[0])))())
            """)
        #expect(told.contains("[('k', 'v')]"))
        #expect(told.hasPrefix("5 "))
        #expect(told.contains("abc-1 7 9"))
        #expect(told.contains("True"))
    }

    /// The last two bytes of an oid as a Python literal.
    static func bytes(_ oid: ObjectID) -> String {
        "b'" + oid.bytes.suffix(2).map { "\\x" + String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            + "'"
    }
}
