import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

@Suite("Searching")
struct SearchTests {
    private func find(_ site: String, _ change: (inout FindQuery) throws -> Void) throws -> Set<String> {
        let workspace = try Samples.workspace("fs/\(site).fs")
        var query = FindQuery()
        try change(&query)
        let places = try workspace.find(query, below: try PathResolver(workspace).resolve("/")).rest()
        return Set(places.map(\.description))
    }

    @Test("find by class, whole or in part, by size, by value", arguments: ["zope213", "zope5"])
    func find(site: String) throws {
        #expect(try find(site) { $0.classNames = ["OFS.Image.File"] } == ["/site/small_file", "/site/big_file"])
        #expect(try find(site) { $0.classNames = ["File"] } == ["/site/small_file", "/site/big_file"])
        #expect(try find(site) { $0.classNames = ["*.PythonScripts.*"] } == ["/site/adder", "/site/access_rule"])
        #expect(try find(site) { $0.minimumSize = 100_000 } == ["/site/big_file"])
        #expect(
            try find(site) { $0.conditions = [try .init(parsing: "title == 'The Site'")] } == ["/site"])
        #expect(try find(site) { $0.conditions = [try .init(parsing: ".number>=42")] } == ["/site"])
        #expect(try find(site) { $0.conditions = [try .init(parsing: "title ~ Site")] }.contains("/site"))
        #expect(try find(site) { $0.conditions = [try .init(parsing: "size < 16")] } == ["/site/small_file"])
        #expect(try find(site) { $0.since = .latest }.isEmpty)
        #expect(try find(site) { _ in }.count > 60)
    }

    @Test("conditions that are none say so", arguments: ["", "== 3", "title ==", "/x == 3", "a* == 1", "x == 'y"])
    func badConditions(text: String) {
        #expect(throws: PathSyntaxError.self) { try FindQuery.Condition(parsing: text) }
    }

    @Test("grep finds text in values, keys and sources, and says where", arguments: ["zope213", "zope5"])
    func grep(site: String) throws {
        let workspace = try Samples.workspace("fs/\(site).fs")
        let start = try PathResolver(workspace).resolve("/")
        func grep(_ pattern: TextPattern) throws -> [GrepMatch] { try workspace.grep(pattern, below: start).rest() }
        let hello = try grep(TextPattern(text: "hello"))
        #expect(hello.map(\.place.description) == ["/site/dtml_method/.raw"])
        #expect(hello[0].lineNumber == 2 && hello[0].line == "<p>hello</p>")
        #expect(hello[0].line[hello[0].range] == "hello")
        #expect(
            try grep(TextPattern(expression: "return a \\+ b$")).map(\.place.description).contains("/site/adder/._body")
        )
        #expect(try grep(TextPattern(text: "HELLO")).isEmpty)
        #expect(try grep(TextPattern(text: "HELLO", ignoringCase: true)).count == 1)
        let key = try grep(TextPattern(text: "sample.annotation"))
        #expect(key.contains { $0.isKey && $0.place.description == "/site/page/.__annotations__/sample.annotation" })
        #expect(throws: (any Error).self) { try TextPattern(expression: "(") }
        for match in hello + key {
            #expect(
                try PathResolver(workspace).resolve(match.place.description).node.target == match.place.node.target)
        }
    }

    @Test("grep looks into BTrees, each value once")
    func grepTree() throws {
        let workspace = try Samples.workspace("fs/py3-zodb6-btrees.fs")
        let place = try PathResolver(workspace).resolve("//OOBTree-many")
        let matches = try workspace.grep(TextPattern(text: "v77"), below: place).rest()
        #expect(matches.map(\.place.description) == ["//OOBTree-many/k077"])
    }

    @Test("a search stops when asked to")
    func interrupted() throws {
        let workspace = try Samples.workspace("fs/zope5.fs")
        let cursor = workspace.find(FindQuery(), below: try PathResolver(workspace).resolve("/"))
        _ = try cursor.next()
        workspace.interruption.raise()
        #expect(throws: StorageError.interrupted) { try cursor.rest() }
    }

    @Test("a walk loads its objects in batches")
    func batches() throws {
        let storage = CountingStorage(try FileStorage(SampleData.path("fs/zope5.fs")))
        let workspace = try Workspace(storage)
        let start = try PathResolver(workspace).resolve("/")
        storage.forget()
        let places = try Walk(workspace, from: start).rest()
        for place in places where place.node.isObject { _ = try workspace.subject(of: place.node) }
        #expect(places.count > 60)
        #expect(storage.loads.calls < 30)
    }
}

@Suite("References")
struct ReferenceTests {
    @Test(
        "outgoing references are those that Python finds, each with a path that leads there",
        arguments: ["py27-zodb310-refs", "py27-zodb5-refs", "py3-zodb6-refs"])
    func outgoing(name: String) throws {
        let workspace = try Samples.workspace("fs/\(name).fs")
        let resolver = PathResolver(workspace)
        for member in try SampleData.json("expected/\(name).references.json").members {
            let place = Place.object(try #require(ObjectID(hex: member.key)), at: workspace.at)
            let references = try workspace.references(from: place)
            // The same objects; the order here is that of a listing.
            #expect(Set(references.compactMap { $0.target?.hex }) == Set(member.value.elements.compactMap(\.string)))
            for reference in references {
                let again = try resolver.resolve(reference.place.description)
                #expect(again.node.target == reference.place.node.target, "\(reference.place)")
            }
        }
    }

    @Test("who refers to an object is found in every record, and nowhere else", arguments: ["zope213", "zope5"])
    func referrers(site: String) throws {
        let workspace = try Samples.workspace("fs/\(site).fs")
        let resolver = PathResolver(workspace)
        for path in ["/acl_users", "/site/page", "/site/btf/sub07", "/site/big_file/.data"] {
            let target = try resolver.resolve(path).node.oid
            let found = try workspace.referrers(of: [target]).rest()
            var expected: Set<ObjectID> = []
            let records = try #require(workspace.storage as? any CurrentRecordStorage).currentRecords(from: .root)
            while let current = try records.next() {
                let record = try ObjectRecord(current.revision, oid: current.oid)
                if record.document.references.contains(where: { $0.oid == target }) { expected.insert(current.oid) }
            }
            #expect(!expected.isEmpty)
            #expect(Set(found.map(\.oid)) == expected)
            #expect(
                found.allSatisfy { $0.references.allSatisfy { $0.reference.oid == target } && !$0.references.isEmpty })
        }
    }

    @Test("weak references and those into other databases are shown, and not followed")
    func notFollowed() throws {
        let storage = HandmadeStorage([
            0: PickleMaker.root([
                ("weak", PickleMaker.weakReference(1)), ("other", PickleMaker.otherDatabase(1, "temp")),
                ("gone", PickleMaker.reference(9, "app.Thing")), ("here", PickleMaker.reference(1, "app.Thing")),
            ]),
            1: PickleMaker.record("app.Thing", PickleMaker.none),
        ])
        let workspace = try Workspace(storage)
        let resolver = PathResolver(workspace)
        let nodes = try workspace.items(of: .object(.root, at: workspace.at)).rest()
        #expect(nodes.map(\.label) == ["weak", "other", "gone", "here"])
        #expect(nodes.map(\.isObject) == [false, false, true, true])
        #expect(nodes[0].reference?.kind == .weak && nodes[1].reference?.database == "temp")
        let facts = try nodes.map { try workspace.facts(of: $0) }
        #expect(facts[0].kind == "weak reference")
        #expect(facts[2].problem == .noSuchObject(ObjectID(rawValue: 9)))
        #expect(facts[2].className?.description == "app.Thing")
        #expect(nodes[2].referrer == .root)
        let error = #expect(throws: PathError.self) { try resolver.resolve("/weak/x") }
        #expect(error?.description.contains("weak reference") == true)
        let missing = #expect(throws: PathError.self) { try resolver.resolve("/gone/x") }
        #expect(missing?.description.contains("referred to by #0x00") == true)
        #expect(try Walk(workspace, from: try resolver.resolve("/")).rest().count == 3)
    }
}
