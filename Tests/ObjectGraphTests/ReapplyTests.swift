import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

@Suite("Edits made again on what others committed")
struct ReapplyTests {
    private static let maker = """
        from persistent.mapping import PersistentMapping
        from BTrees.OOBTree import OOBTree
        from BTrees.Length import Length
        page = root['page'] = PersistentMapping({'a': 1, 'b': 2, 'c': {'x': 1, 'y': 2}, 'list': [1, 2]})
        page.title = 'Start'
        page.color = 'red'
        from ZODB.tests.MinPO import MinPO
        folder = root['folder'] = MinPO()
        folder._objects = ({'id': 'one', 'meta_type': 'M'}, {'id': 'two', 'meta_type': 'M'})
        folder.one = PersistentMapping({'id': 'one'})
        folder.two = PersistentMapping({'id': 'two'})
        root['count'] = Length(5)
        tree = root['tree'] = OOBTree()
        for n in range(200):
            tree['k%03d' % (n * 2)] = n
        tree['object'] = PersistentMapping()
        """

    /// A workspace with edits, on a file that somebody else then changes too.
    private func race(
        _ mine: (Workspace) throws -> Void, _ theirs: (Workspace) throws -> Void,
        _ check: (Workspace, ReapplyResult) throws -> Void, _ judge: () -> String? = { nil }
    ) throws {
        let file = try EditedFile(.zeo6, Self.maker)
        defer { file.remove() }
        let storage = try file.open()
        let workspace = try Workspace(storage)
        try mine(workspace)
        let other = try Workspace(storage)
        try theirs(other)
        _ = try other.commit(TransactionMetadata())
        let result = try workspace.reapply()
        try check(workspace, result)
        guard let judge = judge() else {
            storage.close()
            return
        }
        _ = try workspace.commit(TransactionMetadata())
        storage.close()
        #expect(try file.python(judge + "\nprint('fine')") == "fine\n")
    }

    @Test("attributes and keys that differ are merged")
    func merged() throws {
        try race(
            { mine in
                try mine.set(mine.edited("//page/.title"), to: .text("Mine"))
                try mine.set(mine.edited("//page/a"), to: .integer(10))
                try mine.set(mine.edited("//page/c/x"), to: .integer(11))
                try mine.unset(mine.edited("//page/b"))
                try mine.set(.attribute("same"), of: mine.edited("//page"), to: .integer(1))
                try mine.set(mine.edited("//count/.__state__"), to: .integer(7))
            },
            { theirs in
                try theirs.set(theirs.edited("//page/.color"), to: .text("blue"))
                try theirs.set(theirs.edited("//page/c/y"), to: .integer(22))
                try theirs.add(.integer(3), to: theirs.edited("//page/list"))
                try theirs.set(.name("new"), of: theirs.edited("//page"), to: .integer(5))
                try theirs.set(.attribute("same"), of: theirs.edited("//page"), to: .integer(1))
                try theirs.set(theirs.edited("//count/.__state__"), to: .integer(4))
            },
            { workspace, result in
                #expect(result.conflicts.isEmpty)
                #expect(result.reapplied.count == 2)
                #expect(workspace.stagedObjects.allSatisfy { $0.base?.serial == workspace.basis })
            },
            {
                """
                page = root['page']
                assert page.title == 'Mine' and page.color == 'blue' and page.same == 1
                assert dict(page) == {'a': 10, 'c': {'x': 11, 'y': 22}, 'list': [1, 2, 3], 'new': 5}, page
                assert root['count']() == 6
                """
            })
    }

    @Test("the same key is a conflict that shows all three values, and changes nothing")
    func conflicts() throws {
        try race(
            { mine in
                try mine.set(mine.edited("//page/a"), to: .integer(10))
                try mine.set(mine.edited("//page/.title"), to: .text("Mine"))
                try mine.set(mine.edited("//page/list[0]"), to: .integer(9))
                try mine.set(mine.edited("//tree/k002"), to: .text("mine"))
            },
            { theirs in
                try theirs.set(theirs.edited("//page/a"), to: .integer(20))
                try theirs.add(.integer(3), to: theirs.edited("//page/list"))
                try theirs.unset(theirs.edited("//tree/k002"))
            },
            { workspace, result in
                #expect(result.conflicts.count == 3)
                let key = try #require(result.conflicts.first { $0.components == [.name("a")] })
                #expect(key.reason == .changedByBoth && key.place?.description == "//page")
                #expect(key.base?.value == .integer(1) && key.mine?.value == .integer(10))
                #expect(key.theirs?.value == .integer(20) && key.committed != nil)
                #expect(result.conflicts.contains { $0.components == [.name("list")] })
                let entry = try #require(result.conflicts.first { $0.components.first?.plainText == "k002" })
                #expect(entry.theirs == nil && entry.mine?.value == .text("mine") && entry.base?.value == .integer(1))
                #expect(workspace.stagedObjects.count == 2)
                #expect(throws: CommitFailure.self) { try workspace.commit(TransactionMetadata()) }
            })
    }

    @Test("children of a folder are merged by their ids")
    func children() throws {
        try race(
            { mine in
                try mine.remove(mine.edited("//folder/one"))
            },
            { theirs in
                try theirs.addChild(
                    .object(theirs.edited("//page").node.oid), as: "three", to: theirs.edited("//folder"), metaType: "M"
                )
            },
            { _, result in #expect(result.conflicts.isEmpty) },
            {
                """
                folder = root['folder']
                assert [o['id'] for o in folder._objects] == ['two', 'three'], folder._objects
                assert not hasattr(folder, 'one') and folder.three is root['page'] and folder.two['id'] == 'two'
                """
            })
    }

    @Test(
        "an object that both moved, to different places, or one moved and the other removed, is a conflict",
        arguments: [
            ("//page/one", "//tree/one", "moved to //page/one", "moved to /tree/one"),
            ("//folder/first", "//folder/second", "moved to //folder/.first", "moved to //folder/.second"),
            ("//page/one", nil, "moved to //page/one", "removed"),
            (nil, "//page/one", "removed", "moved to /page/one"),
        ] as [(String?, String?, String, String)])
    func moves(mine: String?, theirs: String?, mineText: String, theirText: String) throws {
        func move(_ workspace: Workspace, to path: String?) throws {
            guard let path else { return try workspace.remove(workspace.edited("//folder/one")) }
            try Self.move(workspace, "//folder/one", to: path)
        }
        try race(
            { try move($0, to: mine) }, { try move($0, to: theirs) },
            { workspace, result in
                let conflict = try #require(result.conflicts.first)
                guard case .moved(let mine, let theirs) = conflict.reason else {
                    Issue.record("\(conflict.reason)")
                    return
                }
                #expect(mine == mineText)
                #expect(theirs.hasPrefix(theirText), "\(theirs)")
                #expect(conflict.place?.description == "//folder")
            })
    }

    @Test("an object of a tree that both moved is a conflict as well; one that both removed, or moved alike, is none")
    func movesInTrees() throws {
        for (mine, theirs, isConflict) in [
            ("//page/x", "//folder/x", true), ("//page/x", "//page/x", false), (nil, nil, false),
            (nil, "//page/x", true),
        ] as [(String?, String?, Bool)] {
            func move(_ workspace: Workspace, to path: String?) throws {
                guard let path else { return try workspace.unset(workspace.edited("//tree/object")) }
                try Self.move(workspace, "//tree/object", to: path)
            }
            try race(
                { try move($0, to: mine) }, { try move($0, to: theirs) },
                { workspace, result in
                    #expect(result.conflicts.isEmpty != isConflict, "\(mine ?? "-") \(theirs ?? "-")")
                })
        }
    }

    /// Takes an object from one place and puts it in another, as `mv` does.
    private static func move(_ workspace: Workspace, _ from: String, to: String) throws {
        let place = try workspace.edited(from)
        let parent = try workspace.edited(String(to.prefix(upTo: to.lastIndex(of: "/") ?? to.startIndex)))
        let name = String(to.split(separator: "/").last ?? "")
        if from.hasPrefix("//folder") { try workspace.remove(place) } else { try workspace.unset(place) }
        if to.hasPrefix("//folder") {
            try workspace.addChild(.object(place.node.oid), as: name, to: workspace.edited("//folder"), metaType: "M")
        } else {
            try workspace.set(.name(name), of: parent, to: .object(place.node.oid))
        }
    }

    @Test("a tree is merged key by key, however its leaves were split or emptied", arguments: 0..<8)
    func trees(_ index: Int) throws {
        let seed = UInt64.random(in: 0..<1_000_000)
        print("trees edited again: seed \(seed)")
        var random = SeededGenerator(seed: seed)
        var model = Dictionary(uniqueKeysWithValues: (0..<200).map { ($0 * 2, $0) })
        // Mine are the keys that leave 0 or 1 divided by 4.
        func edit(_ workspace: Workspace, mine: Bool) throws {
            for _ in 0..<120 {
                let number =
                    Int.random(in: 0..<100, using: &random) * 4 + (mine ? 0 : 2) + Int.random(in: 0...1, using: &random)
                let name = "k" + String(repeating: "0", count: max(0, 3 - String(number).count)) + "\(number)"
                let tree = try workspace.edited("//tree")
                if Int.random(in: 0..<10, using: &random) < [0, 4, 8][index % 3] {
                    let value = Int.random(in: 0..<1000, using: &random)
                    try workspace.set(.name(name), of: tree, to: .integer(value))
                    model[number] = value
                } else if model.removeValue(forKey: number) != nil {
                    try workspace.unset(.name(name), of: tree)
                }
            }
        }
        try race(
            { try edit($0, mine: true) }, { try edit($0, mine: false) },
            { _, result in #expect(result.conflicts.isEmpty) },
            {
                """
                from BTrees.check import check
                check(root['tree'])
                root['tree']._check()
                wanted = {\(model.map { "\($0): \($1)" }.joined(separator: ", "))}
                found = dict((int(k[1:]), v) for k, v in root['tree'].items() if k != 'object')
                assert found == wanted, (set(found.items()) ^ set(wanted.items()))
                """
            })
    }

    @Test("nothing to do when nobody changed what was edited")
    func untouched() throws {
        try race(
            { try $0.set($0.edited("//page/a"), to: .integer(10)) },
            { try $0.set($0.edited("//count/.__state__"), to: .integer(9)) },
            { workspace, result in
                #expect(result.reapplied.isEmpty && result.conflicts.isEmpty)
                #expect(workspace.stagedObjects.count == 1)
            },
            { "assert root['page']['a'] == 10 and root['count']() == 9" })
    }
}
