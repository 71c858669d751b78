import Pickle
import Synchronization
import TestSupport
import Testing
import ZODB

@testable import ObjectGraph

@Suite("Staged edits")
struct StagingTests {
    private static func titled(_ title: String) -> [UInt8] {
        PickleMaker.record("site.Page", PickleMaker.attributes([("title", PickleMaker.text(title))]))
    }

    /// A database with a root that refers to one page, oid 1.
    private func made() throws -> MemoryStorage {
        let storage = MemoryStorage()
        let page = try #require(try storage.newObjectIDs(1).first)
        #expect(page.rawValue == 1)
        let transaction = try storage.begin(TransactionMetadata())
        let root = PickleMaker.root([("page", PickleMaker.reference(1, "site.Page"))])
        try transaction.store(root, for: .root, basedOn: .none)
        try transaction.store(Self.titled("first"), for: page, basedOn: .none)
        _ = try transaction.vote()
        _ = try transaction.finish()
        return storage
    }

    private func title(_ oid: UInt64, _ workspace: Workspace) throws -> String? {
        try workspace.subject(of: .object(ObjectID(rawValue: oid), at: workspace.at)).text(of: "title")
    }

    private let page = ObjectID(rawValue: 1)

    @Test("are seen in the staged view, and nowhere else, until they are committed")
    func views() throws {
        let storage = try made()
        let workspace = try Workspace(storage)
        let before = workspace.at
        #expect(workspace.stagedView == nil)
        try workspace.stage(Self.titled("second"), for: page)
        #expect(try title(1, workspace) == "first")
        workspace.at = try #require(workspace.stagedView)
        #expect(try title(1, workspace) == "second")
        #expect(try workspace.object(.root).serial == before)
        #expect(try storage.load(page, at: .latest).data == Self.titled("first"))

        let result = try workspace.commit(TransactionMetadata(user: Array("anna".utf8)))
        #expect(result.objectCount == 1)
        #expect(!workspace.hasStagedChanges && !workspace.at.isStaged)
        #expect(try title(1, workspace) == "second")
        #expect(try storage.load(page, at: .latest).serial == result.tid)
        workspace.at = before
        #expect(try title(1, workspace) == "first")
    }

    @Test("what was read before the server was back is compared at the commit, also if it was staged only afterwards")
    func readBefore() throws {
        let server = try made()
        let isBack = Back()
        let workspace = try Workspace(
            ReturningStorage(server, isBack: { isBack.value.load(ordering: .relaxed) }) {
                $0 == Self.titled("first") ? Self.titled("worse") : $0
            })
        #expect(try title(1, workspace) == "worse")
        let before = workspace.rereadings
        isBack.value.store(true, ordering: .relaxed)
        #expect(!workspace.hasDoubtfulBases)
        #expect(try title(1, workspace) == "first")
        #expect(workspace.rereadings == before + 1)
        #expect(workspace.hasDoubtfulBases)
        // Made of what the server has: the doubt goes.
        try workspace.stage(Self.titled("second"), for: page)
        _ = try workspace.commit(TransactionMetadata())
        #expect(!workspace.hasDoubtfulBases)
        #expect(try server.load(page, at: .latest).data == Self.titled("second"))
    }

    private final class Back: Sendable {
        let value = Atomic(false)
    }

    @Test("a value read before an edit is not taken for one of the edited record")
    func stale() throws {
        let workspace = try Workspace(try made())
        try workspace.stage(Self.titled("second"), for: page)
        workspace.at = try #require(workspace.stagedView)
        let node = try #require(try workspace.child(.attribute("title"), of: .object(page, at: workspace.at)))
        #expect(try workspace.subject(of: node).value == .text(Array("second".utf8)))
        try workspace.stage(Self.titled("a longer title"), for: page)
        #expect(throws: StorageError.self) { try workspace.subject(of: node) }
    }

    @Test("the record as it was is no edit")
    func noEdit() throws {
        let workspace = try Workspace(try made())
        try workspace.stage(Self.titled("second"), for: page)
        try workspace.stage(Self.titled("first"), for: page)
        #expect(!workspace.hasStagedChanges)
    }

    @Test("a new object is found by its oid at once, and by others after the commit")
    func newObject() throws {
        let storage = try made()
        let workspace = try Workspace(storage)
        let oid = try workspace.newObject(Self.titled("new"))
        #expect(oid != page && oid != .root)
        #expect(workspace.stagedObjects.map(\.isNew) == [true])
        workspace.at = try #require(workspace.stagedView)
        #expect(try title(oid.rawValue, workspace) == "new")
        #expect(throws: StorageError.noSuchObject(oid)) { try storage.load(oid, at: .latest) }
        _ = try workspace.commit(TransactionMetadata())
        #expect(try storage.load(oid, at: .latest).data == Self.titled("new"))
    }

    @Test("go back to a savepoint, and to nothing")
    func savepoints() throws {
        let workspace = try Workspace(try made())
        try workspace.stage(Self.titled("second"), for: page)
        let savepoint = workspace.savepoint()
        try workspace.stage(Self.titled("third"), for: page)
        let oid = try workspace.newObject(Self.titled("new"))
        workspace.roll(back: savepoint)
        workspace.at = try #require(workspace.stagedView)
        #expect(try title(1, workspace) == "second")
        #expect(throws: StorageError.noSuchObject(oid)) { try workspace.object(oid) }
        workspace.abort()
        #expect(workspace.stagedObjects.isEmpty)
        #expect(try title(1, workspace) == "first")
    }

    @Test("a conflict stores nothing, and loses no edit")
    func conflict() throws {
        let storage = try made()
        let (mine, theirs) = (try Workspace(storage), try Workspace(MemoryStorage(sharing: storage)))
        let read = mine.at
        try mine.stage(Self.titled("mine"), for: page)
        let other = try mine.newObject(Self.titled("other"))
        try theirs.stage(Self.titled("theirs"), for: page)
        let committed = try #require(try theirs.commit(TransactionMetadata()).tid)
        #expect(throws: CommitFailure.refused(.conflict(page, committed: committed, read: read))) {
            try mine.commit(TransactionMetadata())
        }
        #expect(mine.stagedObjects.map(\.oid) == [page, other])
        #expect(try storage.load(page, at: .latest).data == Self.titled("theirs"))
        #expect(throws: StorageError.noSuchObject(other)) { try storage.load(other, at: .latest) }
        // The next attempt can begin: nothing is left locked.
        mine.unstage(page)
        #expect(try mine.commit(TransactionMetadata()).objectCount == 1)
    }

    @Test("a dry run finds the conflict, and otherwise stores nothing")
    func dryRun() throws {
        let storage = try made()
        let workspace = try Workspace(storage)
        try workspace.stage(Self.titled("second"), for: page)
        let last = try storage.lastTransaction()
        #expect(try workspace.commit(TransactionMetadata(), dryRun: true).tid == nil)
        #expect(try storage.lastTransaction() == last)
        #expect(workspace.hasStagedChanges)

        let theirs = try Workspace(MemoryStorage(sharing: storage))
        try theirs.stage(Self.titled("theirs"), for: page)
        _ = try theirs.commit(TransactionMetadata())
        #expect(throws: CommitFailure.self) { try workspace.commit(TransactionMetadata(), dryRun: true) }
    }

    @Test("a storage for reading refuses, and the edits stay")
    func readOnly() throws {
        let storage = MemoryStorage(sharing: try made(), isWritable: false)
        let workspace = try Workspace(storage)
        try workspace.stage(Self.titled("second"), for: page)
        #expect(throws: CommitFailure.refused(.readOnly(storage.name))) { try workspace.commit(TransactionMetadata()) }
        #expect(workspace.hasStagedChanges)
    }
}
