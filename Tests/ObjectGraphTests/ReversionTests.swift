import Foundation
import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

@Suite("Bringing objects back as they were")
struct ReversionTests {
    private typealias P = PickleMaker
    private static let (bucket, tree) = ("BTrees.OOBTree.OOBucket", "BTrees.OOBTree.OOBTree")

    private func oid(_ number: UInt64) -> ObjectID { ObjectID(rawValue: number) }

    private func folder(_ title: String) -> P.Code {
        P.record(
            "app.Folder",
            P.attributes([("title", P.text(title)), ("_tree", P.reference(2, Self.tree))]))
    }

    private func leaf(_ keys: [String], next: UInt64? = nil) -> P.Code {
        let items = P.tuple(keys.flatMap { [P.text($0), P.int(1)] })
        return P.record(Self.bucket, P.tuple([items] + (next.map { [P.reference($0, Self.bucket)] } ?? [])))
    }

    /// A folder over a tree of two buckets, which lost a key, a bucket and its title afterwards.
    private func history() throws -> (MemoryStorage, before: TransactionID) {
        let storage = MemoryStorage()
        let children = P.tuple([P.reference(3, Self.bucket), P.text("m"), P.reference(4, Self.bucket)])
        let before = try storage.commit([
            .root: P.root([("folder", P.reference(1, "app.Folder"))]),
            oid(1): folder("old"), oid(2): P.record(Self.tree, P.tuple([children, P.reference(3, Self.bucket)])),
            oid(3): leaf(["a", "b"], next: 4), oid(4): leaf(["m", "n"]),
        ])
        try storage.commit([oid(3): leaf(["a"], next: 4)])
        let one = P.tuple([P.tuple([P.reference(3, Self.bucket)]), P.reference(3, Self.bucket)])
        try storage.commit([oid(1): folder("new"), oid(2): P.record(Self.tree, one), oid(3): leaf(["a"])])
        return (storage, before)
    }

    private func keys(_ workspace: Workspace) throws -> [String] {
        let place = try PathResolver(workspace).resolve("//folder/_tree")
        return try workspace.items(of: place.node).rest().compactMap { $0.component?.plainText }
    }

    @Test("a container comes with its tree and all buckets, and is committed as one")
    func container() throws {
        let (storage, before) = try history()
        let workspace = try Workspace(storage)
        #expect(try keys(workspace) == ["a"])
        workspace.at = before
        let old = try PathResolver(workspace).resolve("//folder")
        let result = try Reversion(workspace).stage(old)
        // The second bucket has not changed since.
        #expect(result.staged == [oid(1), oid(2), oid(3)])
        #expect(result.count == 4)
        workspace.at = try #require(workspace.stagedView)
        #expect(try keys(workspace) == ["a", "b", "m", "n"])
        let tid = try #require(try workspace.commit(TransactionMetadata()).tid)
        #expect(try keys(workspace) == ["a", "b", "m", "n"])
        #expect(try storage.load(oid(1), at: tid).data == storage.load(oid(1), at: before).data)
    }

    @Test("what is as it was is not staged")
    func unchanged() throws {
        let (storage, _) = try history()
        let workspace = try Workspace(storage)
        let result = try Reversion(workspace).stage(try PathResolver(workspace).resolve("//folder"))
        #expect(result.staged.isEmpty)
        #expect(!workspace.hasStagedChanges)
    }

    @Test("an object that was un-made comes back under its oid, on top of its deletion")
    func deleted() throws {
        let storage = MemoryStorage()
        try storage.commit([.root: P.root([])])
        let made = try storage.commit([
            .root: P.root([("thing", P.reference(1, "app.Thing"))]), oid(1): P.record("app.Thing", P.attributes([])),
        ])
        try storage.undo([made])
        #expect(throws: StorageError.noSuchObject(oid(1))) { try storage.load(oid(1), at: .latest) }
        let workspace = try Workspace(storage)
        workspace.at = made
        let root = try PathResolver(workspace).resolve("//")
        let result = try Reversion(workspace).stage(root)
        #expect(result.staged == [.root, oid(1)])
        #expect(result.broughtBack == [oid(1)])
        let tid = try #require(try workspace.commit(TransactionMetadata()).tid)
        #expect(try storage.load(oid(1), at: tid).serial == tid)
    }

    @Test("without an object it referred to, nothing is staged")
    func lost() throws {
        let storage = MemoryStorage()
        let before = try storage.commit([.root: P.root([("thing", P.reference(7, "app.Thing"))])])
        try storage.commit([.root: P.root([])])
        let workspace = try Workspace(storage)
        workspace.at = before
        let root = try PathResolver(workspace).resolve("//")
        #expect {
            try Reversion(workspace).stage(root)
        } throws: { error in
            guard case .object(oid(7), referrer: .root, _)? = error as? Reversion.Loss else { return false }
            return true
        }
        #expect(!workspace.hasStagedChanges)
    }

    @Test("with what is below it, except what says that its parent is elsewhere")
    func subtree() throws {
        func thing(_ title: String, parent: UInt64? = nil, _ more: [(String, P.Code)] = []) -> P.Code {
            let up = parent.map { [("__parent__", P.reference($0, "app.Thing"))] } ?? []
            return P.record("app.Thing", P.attributes([("title", P.text(title))] + up + more))
        }
        let storage = MemoryStorage()
        let children = [("data", P.attributes([("b", P.reference(2, "app.Thing"))]))]
        func container(_ title: String) -> P.Code {
            P.record(
                "app.Mapping",
                P.attributes(children + [("title", P.text(title)), ("friend", P.reference(3, "app.Thing"))]))
        }
        func all(_ title: String) -> [ObjectID: P.Code] {
            [
                oid(1): container(title), oid(2): thing(title, parent: 1, [("part", P.reference(4, "app.Thing"))]),
                oid(3): thing(title, parent: 0), oid(4): thing(title),
            ]
        }
        let root = [ObjectID.root: P.root([("a", P.reference(1, "app.Mapping")), ("f", P.reference(3, "app.Thing"))])]
        let before = try storage.commit(all("old").merging(root) { $1 })
        try storage.commit(all("new"))
        let workspace = try Workspace(storage)
        workspace.at = before
        let place = try PathResolver(workspace).resolve("//a")
        #expect(try Reversion(workspace).stage(place).staged == [oid(1)])
        workspace.abort()
        #expect(Set(try Reversion(workspace).stage(place, isRecursive: true).staged) == [oid(1), oid(2), oid(4)])
    }

    @Test("a blob comes with the bytes it had")
    func blob() throws {
        let storage = MemoryStorage()
        let record = P.record("ZODB.blob.Blob", P.none)
        func commit(_ text: String, _ records: [ObjectID: P.Code], on serial: TransactionID) throws -> TransactionID {
            let transaction = try storage.begin(TransactionMetadata())
            for (oid, data) in records { try transaction.store(data, for: oid, basedOn: .none) }
            try transaction.storeBlob(record, for: oid(2), basedOn: serial, contents: ArrayCursor([Array(text.utf8)]))
            _ = try transaction.vote()
            return try transaction.finish()
        }
        let file = P.record("app.File", P.attributes([("_blob", P.reference(2, "ZODB.blob.Blob"))]))
        let before = try commit(
            "old", [.root: P.root([("file", P.reference(1, "app.File"))]), oid(1): file], on: .none)
        _ = try commit("new", [:], on: before)
        let workspace = try Workspace(storage)
        workspace.at = before
        let result = try Reversion(workspace).stage(try PathResolver(workspace).resolve("//file"))
        #expect(result.staged == [oid(2)])
        let tid = try #require(try workspace.commit(TransactionMetadata()).tid)
        #expect(try storage.blob(oid(2), serial: tid).rest() == [Array("old".utf8)])
    }
}
