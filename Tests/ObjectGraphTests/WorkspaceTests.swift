import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

@Suite("Workspace")
struct WorkspaceTests {
    @Test("shows each object as of its transaction, as Python's loadBefore does")
    func snapshots() throws {
        let storage = CountingStorage(try FileStorage(SampleData.path("fs/zope5.fs")))
        let workspace = try Workspace(storage)
        let tids = try #require(try SampleData.json("expected/zope5.fs.json")["transactions"]).elements
            .compactMap { $0["tid"]?.string.flatMap { UInt64($0, radix: 16) }.map { TransactionID(rawValue: $0) } }
        #expect(tids.count == 17)
        for tid in tids.reversed() + tids {
            workspace.at = tid
            for oid in [0, 1, 11] as [UInt64] {
                let expected = try? storage.load(ObjectID(rawValue: oid), at: tid)
                let record = try? workspace.object(ObjectID(rawValue: oid))
                #expect(record?.serial == expected?.serial)
                #expect(record?.document.source == expected?.data)
            }
        }
    }

    @Test("what was read once is not read again, in any snapshot in which it is the same; nor what is missing")
    func cache() throws {
        let storage = CountingStorage(try FileStorage(SampleData.path("fs/zope5.fs")))
        let workspace = try Workspace(storage)
        let last = workspace.at
        let root = try workspace.object(.root)
        workspace.at = last.predecessor
        storage.forget()
        #expect(try workspace.object(.root).serial == root.serial)
        #expect(try workspace.object(.root, at: root.serial).serial == root.serial)
        #expect(storage.loads.oids.isEmpty)
        let missing = ObjectID(rawValue: 99_999)
        for _ in 0..<3 { #expect(throws: StorageError.noSuchObject(missing)) { try workspace.object(missing) } }
        #expect(storage.loads.oids == [missing])
    }

    @Test("several objects are fetched in one call, those at hand left out")
    func prefetch() throws {
        let storage = CountingStorage(try FileStorage(SampleData.path("fs/zope5.fs")))
        let workspace = try Workspace(storage)
        _ = try workspace.object(ObjectID(rawValue: 1))
        storage.forget()
        workspace.prefetch((0..<5).map { ObjectID(rawValue: $0) } + [ObjectID(rawValue: 99_999)])
        #expect(storage.loads.calls == 1)
        #expect(storage.loads.oids.map(\.rawValue) == [0, 2, 3, 4, 99_999])
        for oid in 0..<5 as Range<UInt64> { _ = try workspace.object(ObjectID(rawValue: oid)) }
        #expect(storage.loads.calls == 1)
    }

    @Test("the cache keeps to its limit and stays right")
    func bounded() throws {
        let storage = CountingStorage(try FileStorage(SampleData.path("fs/deep-btree.fs")))
        let workspace = try Workspace(storage, cacheSize: 20_000)
        let items = try workspace.items(of: .object(ObjectID(rawValue: 1), at: workspace.at))
        #expect(try items.rest().count == 8000)
        storage.forget()
        let again = try workspace.items(of: .object(ObjectID(rawValue: 1), at: workspace.at))
        #expect(try again.rest().count == 8000)
        // Most of it had to be read again.
        #expect(storage.loads.oids.count > 300)
    }

    @Test(
        "which Python wrote a database is known, or found out from the root",
        arguments: [
            ("zope213", PythonGeneration.python2), ("zope5", .python3), ("py27-zodb5", .python2),
            ("py27-zodb38", .python2),
            ("py3-zodb6", .python3),
        ])
    func generation(name: String, generation: PythonGeneration) throws {
        let file = try FileStorage(SampleData.path("fs/\(name).fs"))
        #expect(try Workspace(file).generation() == generation)
        #expect(try Workspace(SilentStorage(file)).generation() == generation)
    }

    /// A storage that does not tell its generation, like a server.
    private final class SilentStorage: Storage {
        private let base: any Storage
        init(_ base: any Storage) { self.base = base }
        var name: String { base.name }
        func information() -> StorageInformation { StorageInformation(kind: "silent", storageName: name) }
        func lastTransaction() throws(StorageError) -> TransactionID { try base.lastTransaction() }
        func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
            try base.load(oid, at: tid)
        }
        func close() {}
    }
}
