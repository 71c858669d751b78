import Foundation
import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

@Suite("Edits of values")
struct EditTests {
    private static let maker = #"""
        from persistent.mapping import PersistentMapping
        from persistent.list import PersistentList
        from collections import OrderedDict
        import datetime
        class Plain(object):
            pass
        Plain.__module__ = 'xmlrpc.client' if sys.version_info[0] > 2 else 'xmlrpclib'
        root['map'] = PersistentMapping({u'a': 1, 'b': [1, 2, 3]})
        root['list'] = PersistentList([1, u'two', (3, 4)])
        page = PersistentMapping()
        page.title = u'Start'
        page.plain = 'text'
        page.number = 5
        page.tags = ('red', 'green')
        page.one = ('single',)
        page.nested = {'x': {'y': [1, {'z': 'deep'}]}}
        page.set = set(['a', 'b'])
        page.ordered = OrderedDict([('first', 1), ('second', 2)])
        page.when = datetime.datetime(2026, 1, 2, 3, 4, 5)
        shared = ['shared']
        page.left = shared
        page.right = shared
        root['page'] = page
        root['other'] = page.other = PersistentMapping({'me': 'other'})
        root['back'] = PersistentMapping({'page': page})
        """#

    private static let peers = [PythonPeer.zeo6, .zeo5Python2]

    /// Does edits, and lets Python see what came of them.
    private func judge(_ peer: PythonPeer, _ edits: (Workspace) throws -> Void, _ assertions: String) throws {
        let file = try EditedFile(peer, Self.maker)
        defer { file.remove() }
        try file.edit(edits)
        #expect(try file.python("page = root['page']\n" + assertions + "\nprint('fine')") == "fine\n")
    }

    private static func string(_ text: String, _ peer: PythonPeer) -> PickleValue {
        peer == .zeo5Python2 ? .nativeString(text) : .text(text)
    }

    @Test("attributes, keys, elements, members: set, new, removed", arguments: peers.filter(\.isReady))
    func everything(_ peer: PythonPeer) throws {
        let text = { Self.string($0, peer) }
        try judge(
            peer,
            { workspace in
                try workspace.set(workspace.edited("//page/.title"), to: .text("Ende"))
                try workspace.set(.attribute("fresh"), of: workspace.edited("//page"), to: .list([.integer(1), .none]))
                try workspace.set(.name("fresher"), of: workspace.edited("//other"), to: text("key"))
                try workspace.set(workspace.edited("//page/.tags[1]"), to: text("blue"))
                try workspace.insert(text("black"), at: 0, into: workspace.edited("//page/.tags"))
                try workspace.add(text("white"), to: workspace.edited("//page/.tags"))
                try workspace.add(text("twin"), to: workspace.edited("//page/.one"))
                try workspace.set(workspace.edited("//page/.nested/x/y[1]/z"), to: text("deeper"))
                try workspace.set(.name("w"), of: workspace.edited("//page/.nested/x"), to: .float(1.5))
                try workspace.add(text("c"), to: workspace.edited("//page/.set"))
                try workspace.remove(.name("a"), of: workspace.edited("//page/.set"))
                try workspace.set(workspace.edited("//page/.ordered/second"), to: .integer(22))
                try workspace.set(.name("third"), of: workspace.edited("//page/.ordered"), to: .integer(3))
                try workspace.unset(.name("first"), of: workspace.edited("//page/.ordered"))
                try workspace.add(text("seen twice"), to: workspace.edited("//page/.left"))
                try workspace.unset(workspace.edited("//page/.number"))
                try workspace.set(workspace.edited("//map/a"), to: .integer(100))
                try workspace.set(.name("new"), of: workspace.edited("//map"), to: .bool(true))
                try workspace.set(workspace.edited("//map/b[-1]"), to: .integer(33))
                try workspace.unset(workspace.edited("//map/b[0]"))
                try workspace.add(.integer(9), to: workspace.edited("//list"))
                try workspace.set(workspace.edited("//list[2][0]"), to: .integer(30))
                try workspace.unset(workspace.edited("//back/page"))
            },
            #"""
            assert page.title == u'Ende' and isinstance(page.title, type(u'')), page.title
            assert page.fresh == [1, None]
            assert root['other']['fresher'] == 'key' and type(root['other']['fresher']) is str
            assert page.tags == ('black', 'red', 'blue', 'white'), page.tags
            assert page.one == ('single', 'twin')
            assert page.nested == {'x': {'y': [1, {'z': 'deeper'}], 'w': 1.5}}, page.nested
            assert page.set == set(['b', 'c']), page.set
            assert list(page.ordered.items()) == [('second', 22), ('third', 3)], page.ordered
            assert page.left is page.right and page.left == ['shared', 'seen twice'], page.left
            assert not hasattr(page, 'number') and page.plain == 'text'
            assert dict(root['map']) == {'a': 100, 'b': [2, 33], 'new': True}, root['map']
            assert list(root['list']) == [1, u'two', (30, 4), 9], root['list']
            assert dict(root['back']) == {}
            assert root['page'].other is root['other']
            import datetime
            assert page.when == datetime.datetime(2026, 1, 2, 3, 4, 5)
            """#)
    }

    @Test("references to objects are written as the record's Python does it", arguments: peers.filter(\.isReady))
    func references(_ peer: PythonPeer) throws {
        try judge(
            peer,
            { workspace in
                let other = try workspace.edited("//other").node.oid
                try workspace.set(.name("friend"), of: workspace.edited("//map"), to: .object(other))
                try workspace.set(
                    .attribute("friends"), of: workspace.edited("//page"), to: .list([.object(other), .object(other)]))
                let record = try workspace.editable(workspace.edited("//map").node.oid)
                let reference = try #require(record.document.references.first)
                #expect(reference.oid == other && reference.kind == .strong)
                #expect(reference.className?.description == "persistent.mapping.PersistentMapping")
            },
            """
            assert root['map']['friend'] is root['other']
            assert page.friends[0] is page.friends[1] is root['other']
            """)
    }

    @Test("what is set to what it is stages nothing", arguments: peers.filter(\.isReady))
    func noEdit(_ peer: PythonPeer) throws {
        let file = try EditedFile(peer, Self.maker)
        defer { file.remove() }
        let workspace = try Workspace(try file.open())
        try workspace.set(workspace.edited("//page/.title"), to: .text("Start"))
        try workspace.set(workspace.edited("//page/.number"), to: .integer(5))
        try workspace.set(
            workspace.edited("//page/.tags"), to: .tuple([Self.string("red", peer), Self.string("green", peer)]))
        try workspace.set(
            workspace.edited("//page/.other"), to: .object(workspace.edited("//other").node.oid))
        try workspace.add(Self.string("a", peer), to: workspace.edited("//page/.set"))
        #expect(!workspace.hasStagedChanges)
        // And back again is none as well.
        try workspace.set(workspace.edited("//page/.number"), to: .integer(6))
        #expect(workspace.stagedObjects.count == 1)
    }

    @Test("what cannot be done is said, and leaves the edits as they were")
    func refusals() throws {
        let file = try EditedFile(
            .zeo6,
            Self.maker + "\nfrom BTrees.IOBTree import IOBTree\n"
                + "from BTrees.OOBTree import OOBTree\nroot['numbers'] = IOBTree({1: 1})\n"
                + "root['names'] = OOBTree({'a': 1})"
        )
        defer { file.remove() }
        let workspace = try Workspace(try file.open())
        try workspace.set(workspace.edited("//page/.title"), to: .text("kept"))
        func kind(_ body: () throws -> Void) -> EditError.Kind? {
            do {
                try body()
            } catch let error as EditError {
                #expect(!error.path.isEmpty && !error.found.isEmpty)
                return error.kind
            } catch {}
            return nil
        }
        let place = { try workspace.edited($0) }
        #expect(kind { try workspace.set(.name("x"), of: place("//numbers"), to: .none) } == .wrongValue)
        #expect(
            kind { try workspace.set(.key(.integer(PickleInteger(1 << 40))), of: place("//numbers"), to: .none) }
                == .wrongValue)
        #expect(
            kind { try workspace.set(.key(.integer(PickleInteger(1))), of: place("//names"), to: .none) }
                == .unorderedKey)
        // A state that BTrees does not expect ends the process that loads it.
        let state = Component.attribute("__state__")
        #expect(kind { try workspace.set(state, of: place("//names"), to: .integer(PickleInteger(1))) } == .unsupported)
        #expect(kind { try workspace.unset(.attribute("none"), of: place("//page")) } == .notFound)
        #expect(kind { try workspace.unset(.name("none"), of: place("//names")) } == .notFound)
        #expect(kind { try workspace.set(.attribute("_v_x"), of: place("//page"), to: .none) } == .unsupported)
        #expect(
            kind { try workspace.set(.key(.integer(PickleInteger(7))), of: place("//list"), to: .none) } == .notFound)
        #expect(
            kind {
                try workspace.set(.name("x"), of: place("//map"), to: .object(ObjectID(rawValue: 0xffff)))
            } == .storage(.noSuchObject(ObjectID(rawValue: 0xffff))))
        #expect(kind { try workspace.set(.name("x"), of: place("//map"), to: .nativeString("2")) } == .unsupported)
        #expect(kind { try workspace.add(.none, to: place("//map")) } == .unsupported)
        #expect(kind { try workspace.remove(place("#0")) } == .notFound)
        #expect(workspace.stagedObjects.count == 1)
        workspace.at = workspace.basis
        let past = try PathResolver(workspace).resolve("//page")
        #expect(try workspace.editable(past.node.oid).document.source.contains(Array("kept".utf8)))
    }

    @Test("a place in the past is not edited")
    func past() throws {
        let file = try EditedFile(.zeo6, Self.maker)
        defer { file.remove() }
        try file.edit { try $0.set($0.edited("//page/.title"), to: .text("later")) }
        let workspace = try Workspace(try file.open())
        workspace.at = workspace.at.predecessor
        let place = try PathResolver(workspace).resolve("//page/.title")
        #expect(throws: EditError.self) { try workspace.set(place, to: .text("never")) }
        #expect(!workspace.hasStagedChanges)
    }
}
