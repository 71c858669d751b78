import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph
@testable import Shell

@Suite("refs and referrers")
struct WhoTests {
    private func rows(_ outcome: Look.Outcome) throws -> [JSONValue] {
        try outcome.lines.map { try JSONValue(parsing: Array($0.utf8)) }
    }

    @Test(
        "refs tells the references that Python finds; weak ones and other databases are told apart",
        arguments: ["py27-zodb310-refs", "py27-zodb5-refs", "py3-zodb6-refs"])
    func references(name: String) throws {
        let look = try Look("fs/\(name).fs")
        for member in try SampleData.json("expected/\(name).references.json").members {
            let rows = try rows(look.run("refs #\(member.key) -o jsonl"))
            let strong = rows.filter { $0["kind"] == .string("strong") }.compactMap { $0["oid"]?.string }
            #expect(Set(strong) == Set(member.value.elements.compactMap(\.string)))
        }
        let root = try rows(look.run("refs // -o jsonl"))
        func kinds(_ attribute: String) -> [JSONValue?] {
            root.filter { $0["attribute"] == .string(attribute) }.map { $0["kind"] }
        }
        #expect(kinds("weak") == [.string("weak")])
        #expect(kinds("cross_m") == [.string("cross")])
        #expect(root.first { $0["attribute"] == .string("cross_m") }?["database"] == .string("other"))
        #expect(kinds("same_twice[1]") == [.string("strong")])
    }

    @Test("a reference to nothing is marked")
    func missing() throws {
        let look = try Look("fs/py3-zodb6-refs.fs")
        let row = look.run("refs #3f1 --fields attribute,oid,class,note")
        #expect(row.output == ".body\t#0xdead\tappclasses.Document\tno such object\n")
        #expect(row.code == .done)
        #expect(look.run("refs #dead").code == .data)
    }

    @Test("a bucket's references come once each")
    func bucket() throws {
        let look = try Look("fs/zope5.fs")
        let rows = look.run("refs /site/btf/._tree/.firstbucket --fields oid").lines
        #expect(rows.count == Set(rows).count)
        #expect(rows.count >= 15)
    }

    @Test("who tells every referrer, and where in it the reference stands")
    func referrers() throws {
        let look = try Look("fs/zope5.fs")
        #expect(look.run("who /site/page --fields path,attribute,kind").output == "/site\t.page\tstrong\n")
        let users = look.run("referrers /site/acl_users --fields path,attribute").lines
        #expect(Set(users) == ["/site\t.acl_users", "/site\t.__allow_groups__"])
        #expect(look.run("who //").code == .negative)
    }

    @Test("an object that is missing has referrers all the same")
    func lost() throws {
        let look = try Look("fs/py3-zodb6-refs.fs")
        let rows = try rows(look.run("who #dead -o jsonl"))
        #expect(rows.map { $0["oid"]?.string } == ["00000000000003f1"])
        #expect(look.run("who #beef").code == .negative)
    }

    /// The same records, of a storage that can only be asked for one after the other.
    private final class Plain: CurrentRecordStorage {
        let base: FileStorage
        init(_ base: FileStorage) { self.base = base }
        var name: String { base.name }
        func information() throws(StorageError) -> StorageInformation { try base.information() }
        func lastTransaction() throws(StorageError) -> TransactionID { try base.lastTransaction() }
        func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
            try base.load(oid, at: tid)
        }
        func currentRecords(from first: ObjectID) throws(StorageError) -> any Cursor<CurrentRecord> {
            try base.currentRecords(from: first)
        }
        func close() {}
    }

    /// A storage that can do nothing but load.
    private final class Bare: Storage {
        let base: FileStorage
        init(_ base: FileStorage) { self.base = base }
        var name: String { base.name }
        func information() throws(StorageError) -> StorageInformation { try base.information() }
        func lastTransaction() throws(StorageError) -> TransactionID { try base.lastTransaction() }
        func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
            try base.load(oid, at: tid)
        }
        func close() {}
    }

    @Test(
        "a file that is scanned and records that are fetched give the same referrers",
        arguments: ["zope5", "py27-zodb5-refs", "zlib"])
    func routes(name: String) throws {
        let file = try FileStorage(SampleData.path("fs/\(name).fs"))
        let scanned = Look.Lines(try Look(file))
        let fetched = Look.Lines(try Look(Plain(file)))
        var count = 0
        let records = try file.currentRecords(from: .root)
        while let record = try records.next() {
            let line = "who \(record.oid.path) -o jsonl"
            let answer = scanned(line)
            #expect(answer == fetched(line))
            count += answer.count
        }
        #expect(count > 4)
    }

    @Test("a storage that cannot list its objects says so")
    func unsupported() throws {
        let look = try Look(Bare(try FileStorage(SampleData.path("fs/zope5.fs"))))
        let outcome = look.run("who #1")
        #expect(outcome.code == .refused && outcome.errors.contains("cannot list its objects"))
    }
}

extension Look {
    /// What lines write, for comparing sessions.
    struct Lines {
        let look: Look
        init(_ look: Look) { self.look = look }
        func callAsFunction(_ line: String) -> [String] { look.run(line).lines }
    }
}
