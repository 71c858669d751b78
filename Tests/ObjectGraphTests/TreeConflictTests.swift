import Foundation
import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

/// Two workspaces on one database, as two shells are, and one BTree.
@Suite("One BTree, edited by two")
struct TreeConflictTests {
    private static let keys = (100..<200).map { "k\($0)" }

    /// `//tree` of 100 keys in several leaves, and two workspaces on it.
    private func workspaces() throws -> (first: Workspace, second: Workspace) {
        let storage = MemoryStorage()
        let transaction = try storage.begin(TransactionMetadata())
        try transaction.store(Self.root, for: .root, basedOn: .none)
        try transaction.store(Self.tree, for: ObjectID(rawValue: 1), basedOn: .none)
        _ = try transaction.vote()
        _ = try transaction.finish()
        let first = try Workspace(storage)
        for key in Self.keys { try set(key, to: key, in: first) }
        _ = try first.commit(TransactionMetadata())
        #expect(keys(first).count == 100)
        return (first, try Workspace(MemoryStorage(sharing: storage)))
    }

    private static let root = record(
        "persistent.mapping\nPersistentMapping",
        Array("}".utf8) + text("data") + Array("}".utf8) + text("tree") + [
            UInt8(ascii: "C"), 8, 0, 0, 0, 0, 0, 0, 0, 1,
        ]
            + Array("cBTrees.OOBTree\nOOBTree\n".utf8) + [0x86] + Array("Qss".utf8))
    private static let tree = record("BTrees.OOBTree\nOOBTree", Array("N".utf8))

    private static func record(_ name: String, _ state: [UInt8]) -> [UInt8] {
        [0x80, 3] + Array("c\(name)\n.".utf8) + [0x80, 3] + state + Array(".".utf8)
    }

    private static func text(_ text: String) -> [UInt8] {
        [UInt8(ascii: "X"), UInt8(text.utf8.count), 0, 0, 0] + Array(text.utf8)
    }

    private func set(_ key: String, to text: String, in workspace: Workspace) throws {
        try workspace.set(.key(.text(Array(key.utf8))), of: try workspace.edited("//tree"), to: .text(text))
    }

    private func keys(_ workspace: Workspace) -> [String] {
        Self.keys.filter { (try? workspace.edited("//tree/\($0)")) != nil }
    }

    @Test("two who set different keys of one leaf both have them, without doing anything again")
    func merged() throws {
        let (first, second) = try workspaces()
        try set("k100a", to: "first", in: first)
        try set("k100b", to: "second", in: second)
        _ = try first.commit(TransactionMetadata())
        #expect(try second.commit(TransactionMetadata()).mergedOIDs.count == 1)
        try first.refresh()
        #expect(try value("//tree/k100a", first) == "first")
        #expect(try value("//tree/k100b", first) == "second")
        #expect(try value("//tree/k100", first) == "k100")
    }

    @Test("a key for a leaf of a tree that was cleared meanwhile is a conflict, and made again it is in the tree")
    func cleared() throws {
        let (first, second) = try workspaces()
        try set("k150", to: "new", in: second)
        #expect(second.stagedObjects.map(\.oid) != [ObjectID(rawValue: 1)])
        // What `clear` does: the root alone is written.
        try first.stage(Self.tree, for: ObjectID(rawValue: 1))
        let cleared = try #require(try first.commit(TransactionMetadata()).tid)
        let read = try second.object(ObjectID(rawValue: 1), at: second.basis).serial
        #expect(
            throws: CommitFailure.refused(.conflict(ObjectID(rawValue: 1), committed: cleared, read: read)),
            "the key would be where nobody finds it"
        ) {
            try second.commit(TransactionMetadata())
        }
        // The old value is gone with the tree: that is for the user to decide.
        #expect(try second.reapply().conflicts.map(\.reason) == [.changedByBoth])
    }

    @Test("a new key for a tree that was cleared meanwhile is the only one in it")
    func clearedNewKey() throws {
        let (first, second) = try workspaces()
        try set("k150a", to: "new", in: second)
        try first.stage(Self.tree, for: ObjectID(rawValue: 1))
        _ = try first.commit(TransactionMetadata())
        #expect(throws: CommitFailure.self) { try second.commit(TransactionMetadata()) }
        #expect(try second.reapply().conflicts.isEmpty)
        _ = try second.commit(TransactionMetadata())
        try first.refresh()
        #expect(try value("//tree/k150a", first) == "new")
        #expect(keys(first) == [])
    }

    private func value(_ path: String, _ workspace: Workspace) throws -> String? {
        workspace.at = workspace.basis
        let subject = try workspace.subject(of: try PathResolver(workspace).resolve(path).node)
        return subject.document.stringBytes(subject.slot).map { String(decoding: $0, as: UTF8.self) }
    }
}
