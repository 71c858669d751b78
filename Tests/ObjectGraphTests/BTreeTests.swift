import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

@Suite("BTrees of every family")
struct BTreeTests {
    static let files = ["py27-zodb38-btrees", "py3-zodb6-btrees"]

    @Test("each has the class, the length and the ends that Python sees", arguments: files)
    func ends(file: String) throws {
        var facts = SampleFacts(try FileStorage(SampleData.path("fs/\(file).fs")))
        try facts.btrees(file)
        #expect(facts.checked > 600)
        #expect(facts.differences.isEmpty)
    }

    @Test("each finds every one of its keys", arguments: files)
    func contents(file: String) throws {
        let workspace = try Samples.workspace("fs/\(file).fs")
        let resolver = PathResolver(workspace)
        let expected = try SampleData.json("expected/\(file).btrees.json").members.filter { $0.value["len"] != nil }
        #expect(expected.count > 100)
        for member in expected {
            let subject = try workspace.subject(of: try resolver.resolve("//\(member.key)").node)
            for node in try workspace.items(of: subject).rest() {
                let component = try #require(node.component)
                #expect(try workspace.child(component, of: subject)?.target == node.target, "\(member.key)\(component)")
            }
            #expect(try workspace.child(.name("no such key"), of: subject) == nil)
        }
    }

    @Test("a key of a deep tree costs one load for each level")
    func lookupLoads() throws {
        let storage = CountingStorage(try FileStorage(SampleData.path("fs/deep-btree.fs")))
        for key in [0, 1, 14, 15, 4000, 7999] {
            let workspace = try Workspace(storage)
            let tree = try workspace.subject(of: .object(ObjectID(rawValue: 1), at: workspace.at))
            storage.forget()
            let node = try workspace.child(.key(.integer(PickleInteger(Int64(key)))), of: tree)
            #expect(node?.component == .key(.integer(PickleInteger(Int64(key)))))
            // The root is at hand: one interior node, one leaf.
            #expect(storage.loads.oids.count == 2)
        }
        let workspace = try Workspace(storage)
        let tree = try workspace.subject(of: .object(ObjectID(rawValue: 1), at: workspace.at))
        storage.forget()
        #expect(try workspace.child(.key(.integer(PickleInteger(8000))), of: tree) == nil)
        #expect(try workspace.child(.name("title"), of: tree) == nil)
        #expect(storage.loads.oids.count <= 4)
    }

    @Test("a page of 100 keys reads a handful of leaves, in a few round trips")
    func pageLoads() throws {
        let storage = CountingStorage(try FileStorage(SampleData.path("fs/deep-btree.fs")))
        let workspace = try Workspace(storage)
        let items = try workspace.items(of: .object(ObjectID(rawValue: 1), at: workspace.at))
        let page = try items.rest(limit: 100)
        #expect(page.map(\.label) == (0..<100).map { "[\($0)]" })
        // The tree, one interior node, seven leaves of 15 keys; read ahead at most as much again.
        #expect(storage.loads.oids.count <= 24)
        #expect(storage.loads.calls <= 8)
    }

    @Test("the size of a deep tree is estimated from one way down")
    func estimate() throws {
        let storage = CountingStorage(try FileStorage(SampleData.path("fs/deep-btree.fs")))
        let workspace = try Workspace(storage)
        let tree = try workspace.subject(of: .object(ObjectID(rawValue: 1), at: workspace.at))
        storage.forget()
        let estimate = try #require(try workspace.estimatedCount(of: tree))
        #expect((2_000...32_000).contains(estimate))
        #expect(storage.loads.oids.count == 2)
        #expect(try workspace.count(itemsOf: tree) == 8000)
    }

    @Test("a stretch in the middle is found without what is before it")
    func range() throws {
        let storage = CountingStorage(try FileStorage(SampleData.path("fs/deep-btree.fs")))
        let workspace = try Workspace(storage)
        let tree = try #require(
            BTree(try workspace.subject(of: .object(ObjectID(rawValue: 1), at: workspace.at)), in: workspace))
        storage.forget()
        let page = try tree.items(from: .integer(PickleInteger(6543))).rest(limit: 50)
        #expect(page.map(\.label) == (6543..<6593).map { "[\($0)]" })
        #expect(storage.loads.oids.count <= 16)
        #expect(try tree.items(from: .integer(PickleInteger(7990))).rest().count == 10)
        #expect(try tree.items(from: .integer(PickleInteger(9000))).rest().isEmpty)
    }

    @Test("completion reads only the keys with the prefix", arguments: files)
    func completion(file: String) throws {
        let workspace = try Samples.workspace("fs/\(file).fs")
        let place = try PathResolver(workspace).resolve("//OOBTree-many")
        let found = try workspace.completions(of: place.node, prefix: "k04").rest()
        #expect(found.map(\.label) == (40..<50).map { "k0\($0)" })
        #expect(try workspace.completions(of: place.node, prefix: "x").rest().isEmpty)
        let integers = try PathResolver(workspace).resolve("//IOBTree-many")
        #expect(try workspace.completions(of: integers.node, prefix: "").rest(limit: 5).count == 5)
    }

    @Test("counting stops when asked to")
    func interrupted() throws {
        let workspace = try Samples.workspace("fs/deep-btree.fs")
        let tree = try workspace.subject(of: .object(ObjectID(rawValue: 1), at: workspace.at))
        #expect(throws: StorageError.interrupted) {
            try workspace.count(itemsOf: tree) { _ in workspace.interruption.raise() }
        }
    }

    @Test("None is below all other keys, and has no order inside a tuple that Python 3 compares")
    func none() {
        let (none, number) = (PythonLiteral.none, PythonLiteral.integer(PickleInteger(5)))
        let text = PythonLiteral.text([0x61])
        let (odd, plain) = (PythonLiteral.tuple([number, none]), PythonLiteral.tuple([number, text]))
        #expect(KeyOrder(generation: .python3).compare(none, number) == .less)
        #expect(KeyOrder(generation: .python3).compare(odd, plain) == .disjoint)
        #expect(KeyOrder(generation: .python3).compare(plain, odd) == .disjoint)
        #expect(KeyOrder(generation: .python3).compare(odd, odd) == .equal)
        #expect(KeyOrder(generation: .python2).compare(odd, plain) == .less)
    }
}
