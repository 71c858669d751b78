import Pickle
import TestSupport
import Testing
import ZODB

@testable import ObjectGraph

@Suite("Objects that no Python would write")
struct HostileTests {
    typealias Make = PickleMaker
    static let tree = "BTrees.OOBTree.OOBTree"
    static let bucket = "BTrees.OOBTree.OOBucket"

    private func node(_ oid: UInt64, _ children: [UInt8], first: [UInt8]) -> [UInt8] {
        Make.record(Self.tree, Make.tuple([children, first]))
    }

    private func leaf(_ keys: [String], next: UInt64? = nil) -> [UInt8] {
        let items = Make.tuple(keys.flatMap { [Make.text($0), Make.int(1)] })
        return Make.record(Self.bucket, Make.tuple([items] + (next.map { [Make.reference($0, Self.bucket)] } ?? [])))
    }

    private func labels(_ storage: HandmadeStorage, _ oid: UInt64 = 1) throws -> [String] {
        let workspace = try Workspace(storage)
        return try workspace.items(of: .object(ObjectID(rawValue: oid), at: workspace.at)).rest(limit: 1000)
            .map { $0.problem == nil ? $0.label : "!\($0.oid)" }
    }

    @Test("a tree that contains itself is listed as far as it goes, and looking a key up ends")
    func treeCycle() throws {
        let storage = HandmadeStorage([
            1: node(
                1, Make.tuple([Make.reference(2, Self.bucket), Make.text("m"), Make.reference(1, Self.tree)]),
                first: Make.reference(2, Self.bucket)),
            2: leaf(["a", "b"]),
        ])
        #expect(try labels(storage) == ["a", "b", "!0x01"])
        let workspace = try Workspace(storage)
        let tree = try workspace.subject(of: .object(ObjectID(rawValue: 1), at: workspace.at))
        #expect(try workspace.child(.name("a"), of: tree)?.label == "a")
        #expect(throws: StorageError.self) { try workspace.child(.name("z"), of: tree) }
        #expect(throws: StorageError.self) { try workspace.count(itemsOf: tree) }
        #expect(try Walk(workspace, from: .object(ObjectID(rawValue: 1), at: workspace.at)).rest(limit: 100).count < 10)
    }

    @Test("a tree whose nodes all hold each other twice does not double the work at each level")
    func treeBomb() throws {
        var records: [UInt64: [UInt8]] = [100: leaf(["k"])]
        for level in 1..<60 as Range<UInt64> {
            let child = Make.reference(level == 59 ? 100 : level + 1, level == 59 ? Self.bucket : Self.tree)
            records[level] = node(
                level, Make.tuple([child, Make.text("k"), child]), first: Make.reference(100, Self.bucket))
        }
        #expect(try labels(HandmadeStorage(records)).count < 200)
    }

    @Test("buckets in a ring are walked once: the parents' lists count")
    func bucketRing() throws {
        let storage = HandmadeStorage([
            1: node(
                1, Make.tuple([Make.reference(2, Self.bucket), Make.text("c"), Make.reference(3, Self.bucket)]),
                first: Make.reference(2, Self.bucket)),
            2: leaf(["a"], next: 3), 3: leaf(["c"], next: 2),
        ])
        #expect(try labels(storage) == ["a", "c"])
        #expect(try labels(storage, 2) == ["a"])
    }

    @Test("a lost or wrong leaf stands in the listing, and the others too")
    func lostLeaf() throws {
        let bucket = Self.bucket
        let children = Make.tuple([
            Make.reference(2, bucket), Make.text("c"), Make.reference(3, bucket), Make.text("e"),
            Make.reference(4, bucket), Make.text("g"), Make.reference(5, "app.Thing"),
        ])
        let storage = HandmadeStorage([
            1: node(1, children, first: Make.reference(2, bucket)), 2: leaf(["a"]), 4: leaf(["e"]),
            5: Make.record("app.Thing", Make.attributes([])),
        ])
        #expect(try labels(storage) == ["a", "!0x03", "e", "!0x05"])
    }

    @Test(
        "a state of another form is an error that says what was found",
        arguments: [
            Make.int(1), Make.tuple([Make.int(1), Make.int(2)]), Make.tuple([Make.tuple([Make.int(1)]), Make.int(2)]),
            Make.tuple([Make.tuple([Make.none, Make.none]), Make.none]), Make.text("x"), Make.list([]),
            Make.tuple([]), Make.tuple([Make.tuple([])]), Make.tuple([Make.tuple([Make.tuple([])])]),
            Make.tuple([Make.tuple([Make.reference(1, HostileTests.tree)]), Make.int(0), Make.int(0)]),
        ])
    func wrongStates(state: [UInt8]) throws {
        for name in [
            Self.tree, Self.bucket, "BTrees.IISet", "BTrees.LFBTree.LFTreeSet", "app.Thing", "OFS.Folder.Folder",
        ] {
            let storage = HandmadeStorage([1: Make.record(name, state)])
            let workspace = try Workspace(storage)
            let place = Place.object(ObjectID(rawValue: 1), at: workspace.at)
            let subject = try workspace.subject(of: place.node)
            // An error or an answer; neither a trap nor an endless loop.
            _ = try? workspace.children(of: subject).rest(limit: 1000)
            _ = try? workspace.child(.name("x"), of: subject)
            _ = try? workspace.child(.ordinal(0), of: subject)
            _ = try workspace.facts(of: place.node)
            _ = try workspace.references(from: place)
            _ = try Walk(workspace, from: place).rest(limit: 1000)
            _ = try workspace.grep(TextPattern(text: "x"), below: place).rest(limit: 1000)
            #expect(workspace.attribute("__state__", of: subject) != nil)
        }
    }

    @Test(
        "attributes that Zope's classes rely on may be anything",
        arguments: [
            "_objects", "_tree", "_count", "_mt_index", "data", "_container", "_user_passwords", "_userid_to_login",
            "_principal_roles", "_roles", "_properties", "__before_traverse__", "__before_publishing_traverse__",
            "__ac_local_roles__", "_owner", "__ac_roles__", "_View_Permission", "content_type", "size", "next", "_blob",
            "_body", "_params", "raw", "_text", "src", "__parent__", "_SampleContainer__data", "_BTreeContainer__len",
            "title", "_ofs_migrated",
        ])
    func wrongAttributes(name: String) throws {
        let classes = [
            "OFS.Folder.Folder", "OFS.Image.File", "OFS.Image.Pdata", "OFS.userfolder.UserFolder", "app.Mapping",
            "Products.PluggableAuthService.PluggableAuthService.PluggableAuthService", "ZODB.blob.Blob",
        ]
        let values = [
            Make.none, Make.int(-1), Make.text("x"), Make.list([Make.int(1), Make.none]), Make.tuple([Make.tuple([])]),
            Make.attributes([("id", Make.int(3))]), Make.list([Make.attributes([("id", Make.int(1))])]),
            Make.list([Make.attributes([("id", Make.text("nowhere"))])]), Make.reference(1, "BTrees.OOBTree.OOBTree"),
            Make.reference(99, "persistent.mapping.PersistentMapping"), Make.weakReference(1),
            Make.instance("app.Hook", Make.int(1)), Make.dict([(Make.tuple([Make.int(1)]), Make.none)]),
        ]
        for className in classes {
            for value in values {
                var attributes = [(name, value), ("content_type", Make.text("text/plain"))]
                for companion in [
                    "_count", "data", "_user_passwords", "_userid_to_login", "_roles", "_principal_roles",
                ]
                where companion != name { attributes.append((companion, Make.reference(1, "app.Mapping"))) }
                let storage = HandmadeStorage([1: Make.record(className, Make.attributes(attributes))])
                try exercise(try Workspace(storage))
            }
        }
    }

    /// Everything that can be asked about object 1.
    private func exercise(_ workspace: Workspace) throws {
        let place = Place.object(ObjectID(rawValue: 1), at: workspace.at)
        let subject = try workspace.subject(of: place.node)
        let children = try workspace.children(of: subject).rest(limit: 1000)
        #expect(children.count < 1000)
        for child in children { _ = try workspace.facts(of: child) }
        _ = try workspace.facts(of: place.node)
        _ = try workspace.traversalHooks(of: subject)
        _ = (workspace.properties(of: subject), subject.security, subject.source)
        _ = try? workspace.content(of: subject)?.measuredSize()
        _ = try? workspace.userFolder(at: place).map { try workspace.users(of: $0).rest(limit: 1000) }
        _ = try? workspace.count(itemsOf: subject)
        _ = try? PathResolver(workspace).resolve("#1/x/..")
        #expect(try Walk(workspace, from: place).rest(limit: 1000).count < 1000)
    }

    @Test("a file whose chunks form a ring is an error, not an endless file")
    func chunkRing() throws {
        let storage = HandmadeStorage([
            1: Make.record(
                "OFS.Image.File",
                Make.attributes([
                    ("content_type", Make.text("a/b")), ("size", Make.int(9)),
                    ("data", Make.reference(2, "OFS.Image.Pdata")),
                ])),
            2: Make.record(
                "OFS.Image.Pdata",
                Make.attributes([("data", Make.bytes([1])), ("next", Make.reference(3, "OFS.Image.Pdata"))])),
            3: Make.record(
                "OFS.Image.Pdata",
                Make.attributes([("data", Make.bytes([2])), ("next", Make.reference(2, "OFS.Image.Pdata"))])),
        ])
        let workspace = try Workspace(storage)
        let content = try #require(try workspace.content(of: .object(ObjectID(rawValue: 1), at: workspace.at)))
        #expect(content.size == 9)
        #expect(throws: StorageError.self) { try content.measuredSize() }
    }

    @Test("values that contain themselves, or nest 100,000 deep, are walked to their end")
    func values() throws {
        let ring = Array("]q".utf8) + [9] + Array("h".utf8) + [9] + Array("a".utf8)
        let deep =
            [UInt8](repeating: UInt8(ascii: "("), count: 100_000) + Make.text("needle")
            + [UInt8](repeating: UInt8(ascii: "t"), count: 100_000)
        let storage = HandmadeStorage([0: Make.root([("ring", ring), ("deep", deep)])])
        let workspace = try Workspace(storage)
        let place = try PathResolver(workspace).resolve("//")
        var options = Walk.Options()
        (options.values, options.attributes) = (true, true)
        #expect(try Walk(workspace, from: place, options).rest(limit: 300_000).count < 300_000)
        #expect(try workspace.grep(TextPattern(text: "needle"), below: place, depth: 3).rest(limit: 10).count == 1)
        #expect(try PathResolver(workspace).resolve("//ring[0][0][0]").description == "//ring[0][0][0]")
    }

    @Test("a chain of 20,000 folders has an end, and every one a path that leads to it")
    func deepFolders() throws {
        var records: [UInt64: [UInt8]] = [:]
        for oid in 0..<20_000 as Range<UInt64> {
            let child: (String, [UInt8]) = oid == 19_999 ? ("x", Make.none) : ("x", Make.reference(oid + 1, "a.M"))
            records[oid] = Make.root([child])
        }
        let workspace = try Workspace(HandmadeStorage(records))
        let resolver = PathResolver(workspace)
        let places = try Walk(workspace, from: try resolver.resolve("//")).rest()
        #expect(places.count == 20_000)
        for place in places.suffix(10) + places.dropFirst(245).prefix(10) {
            #expect(try resolver.resolve(place.description).node.oid == place.node.oid)
        }
    }

    @Test("keys that no literal spells are reached by their position")
    func ordinals() throws {
        let object = Make.instance("app.Key", Make.none)
        let storage = HandmadeStorage([
            0: Make.record(
                "persistent.mapping.PersistentMapping",
                Make.attributes([
                    (
                        "data",
                        Make.dict([
                            (object, Make.int(1)), (Make.float("nan"), Make.int(2)), (Make.text("a"), Make.int(3)),
                            (Make.int(1), Make.int(4)), (Make.float("1.0"), Make.int(5)),
                            (Make.bytes([97]), Make.int(6)),
                        ])
                    )
                ]))
        ])
        let workspace = try Workspace(storage)
        let resolver = PathResolver(workspace)
        let nodes = try workspace.items(of: .object(.root, at: workspace.at)).rest()
        // 1 and 1.0 are one key for Python, and the last of them counts.
        #expect(nodes.map(\.label) == ["[#0]", "[#1]", "a", "[1.0]", "[b'a']"])
        for node in nodes {
            #expect(try resolver.resolve("//\(node.label)").node.target == node.target)
        }
    }

    @Test("a tree with keys that only code could order is searched from end to end")
    func unorderable() throws {
        let tree = Make.tuple([
            Make.tuple([
                Make.reference(2, Self.bucket), Make.instance("app.Key", Make.int(5)), Make.reference(3, Self.bucket),
            ]),
            Make.reference(2, Self.bucket),
        ])
        let storage = HandmadeStorage([
            1: Make.record(Self.tree, tree), 2: leaf(["a"]),
            3: Make.record(
                Self.bucket,
                Make.tuple([
                    Make.tuple([Make.instance("app.Key", Make.int(5)), Make.int(1), Make.text("b"), Make.int(2)])
                ])),
        ])
        let workspace = try Workspace(storage)
        let subject = try workspace.subject(of: .object(ObjectID(rawValue: 1), at: workspace.at))
        #expect(try workspace.child(.name("b"), of: subject)?.label == "b")
        #expect(try workspace.child(.name("c"), of: subject) == nil)
        let nodes = try workspace.items(of: subject).rest()
        #expect(nodes.map(\.label) == ["a", "[#1]", "b"])
        #expect(try workspace.child(.ordinal(1), of: subject)?.target == nodes[1].target)
        #expect(try workspace.count(itemsOf: subject) == 3)
    }

    @Test("Python 2 orders unlike keys by their types' names; unicode and str with other bytes stay apart")
    func python2Order() {
        let order = KeyOrder(generation: .python2)
        let sorted: [PythonLiteral] = [
            .none, .integer(PickleInteger(-1)), .float(0.5), .bool(true), .nativeString([97]), .nativeString([0xe9]),
            .tuple([.integer(PickleInteger(1))]), .tuple([.integer(PickleInteger(1)), .none]), .text([0xc3, 0xa9]),
        ]
        for (index, left) in sorted.enumerated() {
            for (other, right) in sorted.enumerated() {
                let expected: KeyOrder.Result = index < other ? .less : index > other ? .greater : .equal
                let result = order.compare(left, right)
                if case (.nativeString([0xe9]), .text) = (left, right) {
                    #expect(result == .unknown)
                } else if case (.text, .nativeString([0xe9])) = (left, right) {
                    #expect(result == .unknown)
                } else {
                    #expect(result == expected, "\(left) \(right)")
                }
            }
        }
        let python3 = KeyOrder(generation: .python3)
        #expect(python3.compare(.text([97]), .nativeString([97])) == .equal)
        #expect(python3.compare(.text([97]), .bytes([97])) == .disjoint)
        #expect(python3.compare(.text([97]), nil) == .unknown)
        #expect(python3.compare(.integer(PickleInteger(1 << 53 + 1)), .float(0x1p54)) == .less)
    }
}
