import ByteCoding
import TestSupport
import Testing
import ZODB
import ZODBFile

/// `expected/undo.json`, `tails`: what Python's read-only open makes of each damaged file.
struct TailFacts: Decodable {
    struct Outcome: Decodable {
        var error: String?
        var getSize: Int?
        var objects: Int?
    }

    var readOnly: Outcome

    enum CodingKeys: String, CodingKey {
        case readOnly = "read_only"
    }

    static let all: [String: TailFacts] = (try? UndoFacts.part("tails")) ?? [:]
    static let names = all.keys.sorted()
}

@Suite("Files with a damaged end")
struct TailTests {
    @Test("the sample has them all")
    func complete() { #expect(TailFacts.names.count == 12) }

    @Test(
        "size, objects and refusal are Python's; the last transaction is the last good one", arguments: TailFacts.names)
    func tails(name: String) throws {
        let expected = try #require(TailFacts.all[name]).readOnly
        let path = Samples.path("tails/\(name)")
        if let error = expected.error {
            #expect(throws: StorageError.self, "\(error)") {
                let storage = try FileStorage(path)
                _ = try storage.lastTransaction()
            }
            return
        }
        let storage = try FileStorage(path)
        let whole: WalkedFile = try Samples.expected("undo.fs")
        let end = expected.getSize ?? 0
        let last = whole.transactions.last { $0.pos + $0.tlen + 8 == end }
        #expect(try storage.lastTransaction().hex == last?.tid ?? TransactionID.none.hex)
        #expect(try storage.objectCount() == expected.objects)
        // Python counts the magic that it would write into an empty file.
        #expect(try storage.information().size == (name == "empty.fs" ? 0 : end))
        let before = whole.transactions.filter { $0.pos < end }.map(\.summary.tid)
        #expect(try storage.transactionLog().rest().map(\.tid) == before.reversed())
        #expect(try storage.transactions(from: .none, through: .latest).rest().map(\.tid) == before)
    }

    @Test(
        "what lies behind the last transaction is said",
        arguments: [
            ("tail-garbage.fs", "37 bytes at offset 3879: not a transaction"),
            ("tail-short-header.fs", "10 bytes at offset 3879: too few for a transaction"),
            ("tail-half-transaction.fs", "60 bytes at offset 3699: the beginning of transaction 040d271cef892822"),
            ("tail-missing-length.fs", "75 bytes at offset 3796: the beginning of transaction 040d271cef89cf88"),
            ("tail-checkpoint.fs", "83 bytes at offset 3796: transaction 040d271cef89cf88, voted but not finished"),
        ])
    func said(name: String, words: String) throws {
        let information = try FileStorage(Samples.path("tails/\(name)")).information()
        #expect(information.details.contains(.init("after the last transaction", words)))
    }

    @Test("a wrong trailer is an error that names file, offset and both lengths")
    func wrongTrailer() throws {
        let path = Samples.path("tails/tail-bad-redundant-length.fs")
        let storage = try FileStorage(path)
        #expect(
            throws: StorageError.corrupt(
                path, .init(.invalid(field: "trailing transaction length", found: "76, not 75"), at: 3871))
        ) {
            try storage.lastTransaction()
        }
        // What can be said without the end is said.
        #expect(try storage.information().details.first?.value.contains("3871") == true)
    }

    @Test("a file that is no Data.fs is refused when it is opened, with what it begins with")
    func badMagic() throws {
        let error = #expect(throws: StorageError.self) { try FileStorage(Samples.path("tails/bad-magic.fs")) }
        #expect(error?.description.contains("'FS99' (46533939), not FS21 or FS30") == true)
        #expect(throws: StorageError.self) { try FileStorage(Samples.path("expected/undo.json")) }
        #expect(throws: StorageError.self) { try FileStorage(Samples.path("fs")) }
        #expect(throws: StorageError.self) { try FileStorage(Samples.path("fs/none.fs")) }
        #expect(throws: StorageError.self) { try FileStorage("/dev/null") }
    }

    @Test("a transaction undone by Zope 2.3 is listed, and its records are void")
    func undoneStatus() throws {
        var builder = FileBuilder()
        let first = builder.transaction([.data(1, "one")])
        builder.transaction([.data(1, "void"), .data(2, "void")], status: "u")
        let storage = try builder.storage()
        #expect(try storage.load(ObjectID(rawValue: 1), at: .latest).serial == first)
        #expect(throws: StorageError.self) { try storage.load(ObjectID(rawValue: 2), at: .latest) }
        let log = try storage.transactionLog().rest()
        #expect(log.map(\.status) == [.undone, .complete])
        #expect(try storage.records(of: log[0].tid).records.rest().isEmpty)
        #expect(try storage.lastTransaction() == log[0].tid)
    }

    @Test("truncated at any byte, a file shows exactly the transactions that are complete")
    func everyTruncation() throws {
        let bytes = try SampleData.bytes("fs/undo.fs")
        let whole: WalkedFile = try Samples.expected("undo.fs")
        let directory = try TemporaryDirectory()
        for count in (4...bytes.count).reversed() {
            let path = try directory.write(Array(bytes.prefix(count)))
            let complete = whole.transactions.filter { $0.pos + $0.tlen + 8 <= count }
            let storage = try FileStorage(path)
            #expect(try storage.lastTransaction().hex == complete.last?.tid ?? TransactionID.none.hex, "\(count) bytes")
            let oids = Set(complete.flatMap { $0.records.map(\.oid) })
            #expect(try storage.objectCount() == oids.count)
            #expect(try storage.transactionLog().rest().count == complete.count)
        }
        for count in 1..<4 {
            #expect(throws: StorageError.self) { try FileStorage(directory.write(Array(bytes.prefix(count)))) }
        }
    }
}
