import Foundation
import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

@Suite(
    "Who last changed what, in histories that Python wrote",
    .enabled(if: PythonPeer.zeo6.isReady, Comment(rawValue: PythonPeer.zeo6.reason)))
struct BlameTests {
    static let seeds = (0..<2).map { _ in UInt64.random(in: 0..<1_000_000) }

    private struct Facts: Decodable {
        var keys: [String: String]
        var entries: [String: String]
        /// Each line, and who wrote it.
        var lines: [[String]]
        var items: [String]
    }

    @Test(
        "is found for every key of a tree, every entry, line and element", arguments: seeds,
        [PythonPeer.zeo6, .zeo5Python2].filter(\.isReady))
    func blame(seed: UInt64, peer: PythonPeer) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString).fs").path
        defer {
            for suffix in ["", ".index", ".lock", ".tmp"] { try? FileManager.default.removeItem(atPath: path + suffix) }
        }
        let program = try String(
            contentsOf: SampleData.root.deletingLastPathComponent().appending(
                path: "Tests/TestSupport/python/blame_judge.py"), encoding: .utf8)
        let output = try peer.run(program, [path, String(seed)])
        let facts = try JSONDecoder().decode(Facts.self, from: Data(output.utf8))
        let workspace = try Workspace(FileStorage(path))
        let resolver = PathResolver(workspace)
        let what: Comment = "seed \(seed) on \(peer)"

        let tree = try workspace.subject(of: resolver.resolve("//tree").node)
        let keys = try #require(BTreeBlame(tree, in: workspace)).rest()
        #expect(Self.tids(keys) == facts.keys, what)
        #expect(keys.compactMap(\.path) == keys.compactMap(\.path).sorted(), what)

        let entries = try Blame(workspace).parts(of: try resolver.resolve("//thing"))
            .filter { !["text", "list"].contains($0.path) }
        #expect(Self.tids(entries) == facts.entries, what)

        let lines = try Blame(workspace).parts(of: try resolver.resolve("//thing/text"))
        #expect(lines.map { [$0.line ?? "", $0.tid.hex] } == facts.lines, what)
        let items = try Blame(workspace).parts(of: try resolver.resolve("//thing/list"))
        #expect(items.map(\.tid.hex) == facts.items, what)
    }

    @Test("in a tree from a key on, only the leaves that are asked for are gone through")
    func range() throws {
        let workspace = try Samples.workspace("fs/deep-btree.fs")
        let storage = CountingStorage(workspace.storage)
        let counted = try Workspace(storage)
        let tree = try #require(try counted.firstTree())
        let all = try #require(BTreeBlame(tree, in: counted)).rest()
        let middle = all[all.count / 2].components.first
        guard case .key(let key)? = middle else {
            Issue.record("a key that is no number: \(String(describing: middle))")
            return
        }
        let whole = storage.loads.oids.count
        storage.forget()
        let fresh = try Workspace(storage)
        let tail = try #require(try fresh.firstTree())
        let from = try #require(BTreeBlame(tail, in: fresh, from: key))
        #expect(try from.next()?.components == all[all.count / 2].components)
        #expect(storage.loads.oids.count < whole / 4)
    }

    private static func tids(_ parts: [BlamedPart]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: parts.map { ($0.path ?? "", $0.tid.hex) })
    }
}

extension Workspace {
    /// The first BTree among the root's items.
    fileprivate func firstTree() throws -> Subject? {
        let items = try items(of: .object(.root, at: at))
        while let node = try items.next() {
            let subject = try subject(of: node)
            if subject.isObject, BTreeState.Kind(subject.record) != nil { return subject }
        }
        return nil
    }
}

@Suite("Who last changed what, in small histories")
struct BlameShapeTests {
    private typealias P = PickleMaker

    /// A history of one object, below the root's key `thing`.
    private func place(_ states: [P.Code?], _ path: String) throws -> (Place, Workspace, [TransactionID]) {
        let storage = MemoryStorage()
        try storage.commit([.root: P.root([("thing", P.reference(1, "app.Thing"))])])
        let oid = ObjectID(rawValue: 1)
        let tids = try states.map { try storage.commit([oid: P.record("app.Thing", $0 ?? P.none)]) }
        let workspace = try Workspace(storage)
        return (try PathResolver(workspace).resolve(path), workspace, tids)
    }

    @Test("a value that came back is blamed on who brought it back")
    func returned() throws {
        let (place, workspace, tids) = try place(
            ["a", "b", "a"].map { P.attributes([("title", P.text($0)), ("other", P.none)]) }, "//thing")
        let parts = try Blame(workspace).parts(of: place)
        #expect(parts.map(\.path) == [".title", ".other"])
        #expect(parts.map(\.tid) == [tids[2], tids[0]])
        #expect(parts.map(\.certainty) == [.known, .oldest])
    }

    @Test("an attribute that the object did not have at first is certain")
    func appeared() throws {
        let (place, workspace, tids) = try place(
            [P.attributes([]), P.attributes([("title", P.text("a"))])], "//thing/.title")
        let parts = try Blame(workspace).parts(of: place)
        #expect(parts.map(\.tid) == [tids[1]])
        #expect(parts.map(\.certainty) == [.known])
        #expect(parts.map(\.path) == [nil])
    }

    @Test("with a limit, what was not found is said to be at least that old")
    func limited() throws {
        let (place, workspace, tids) = try place(
            (0..<5).map { P.attributes([("n", P.int($0)), ("fixed", P.none)]) }, "//thing")
        let parts = try Blame(workspace, limit: 2).parts(of: place)
        #expect(parts.map(\.tid) == [tids[4], tids[3]])
        #expect(parts.map(\.certainty) == [.known, .limited])
    }
}
