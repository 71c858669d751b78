import Foundation
import Pickle
import Synchronization
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

/// Objects that leave one database and come into another: by copying, and by files that Python's own export and import
/// write and read.
@Suite("Exports, imports, copies between databases")
struct ExchangeTests {
    private static let maker = #"""
        from persistent.mapping import PersistentMapping
        from persistent.wref import WeakRef
        from BTrees.OOBTree import OOBTree
        for n in range(300):
            root['filler%d' % n] = PersistentMapping()
        transaction.commit()
        top = PersistentMapping({'id': 'top'})
        top.id = 'top'
        tree = top['tree'] = OOBTree()
        for n in range(100):
            tree['k%03d' % n] = PersistentMapping({'n': n, 'top': top})
        top['shared'] = PersistentMapping({'text': u'gr\xfcn', 'bytes': 'abc'})
        top['again'] = [top['shared'], top['shared'], top]
        child = top['child'] = PersistentMapping()
        child.__parent__ = top
        root['outside'] = PersistentMapping({'me': 'outside'})
        root['top'] = top
        top.__parent__ = root
        if 'BLOBS' in sys.argv:
            from ZODB.blob import Blob
            top['blob'] = Blob(b'blob data ' * 10000)
            top['empty'] = Blob(b'')
        """#

    /// What `top` must be, wherever it is.
    private static let judge = #"""
        from BTrees.check import check
        def judge(top):
            assert top['id'] == 'top'
            tree = top['tree']
            check(tree)
            assert [v['n'] for v in tree.values()] == list(range(100))
            assert all(v['top'] is top for v in tree.values())
            assert top['shared']['text'] == u'gr\xfcn' and type(top['shared']['bytes']) is str
            assert top['again'][0] is top['again'][1] is top['shared'] and top['again'][2] is top
            assert top['child'].__parent__ is top
            if 'blob' in top:
                with top['blob'].open('r') as f:
                    assert f.read() == b'blob data ' * 10000
                with top['empty'].open('r') as f:
                    assert f.read() == b''

        """#

    private static let peers = [PythonPeer.zeo6, .zeo5Python2]

    @Test("copied from one database into another", arguments: peers.filter(\.isReady))
    func between(_ peer: PythonPeer) throws {
        let source = try EditedFile(peer, Self.maker, ["BLOBS"])
        let target = try EditedFile(
            peer,
            "root['there'] = 1\nfrom persistent.mapping import PersistentMapping\n"
                + "root['box'] = PersistentMapping()", ["BLOBS"])
        defer {
            source.remove()
            target.remove()
        }
        let storage = try source.open()
        defer { storage.close() }
        let other = try Workspace(storage)
        let top = try PathResolver(other).resolve("//top")
        try target.edit { workspace in
            let result = try workspace.copy(top, from: other, to: workspace.edited("//box"), as: "copied")
            #expect(result.objectCount > 105)
            #expect(result.blankedCount == 0)
        }
        let check =
            Self.judge + """
                judge(root['box']['copied'])
                assert root['box']['copied'].__parent__ is root['box'], root['box']['copied'].__parent__
                assert root['box']['copied'].id == 'copied'
                print('fine')
                """
        #expect(try target.python(check, ["BLOBS"]) == "fine\n")
    }

    @Test("what leads out of a copy is refused between databases, or blanked, or taken as well")
    func outside() throws {
        let source = try EditedFile(
            .zeo6, Self.maker + "\ntop['out'] = root['outside']\nroot['outside']['back'] = top\n")
        let target = try EditedFile(.zeo6, "root['there'] = 1")
        defer {
            source.remove()
            target.remove()
        }
        let storage = try source.open()
        defer { storage.close() }
        let other = try Workspace(storage)
        let top = try PathResolver(other).resolve("//top")
        try target.edit { workspace in
            let root = { try workspace.edited("//") }
            do {
                try workspace.copy(top, from: other, to: root(), as: "refused")
                Issue.record("copied what leads out")
            } catch let error as EditError {
                #expect(error.found.contains("persistent.mapping.PersistentMapping"))
            }
            #expect(!workspace.hasStagedChanges)
            var options = CopyOptions()
            options.outside = .blank
            let blanked = try workspace.copy(top, from: other, to: root(), as: "blanked", options)
            #expect(blanked.blankedCount == 1)
            options.outside = .take
            let taken = try workspace.copy(top, from: other, to: root(), as: "taken", options)
            #expect(taken.objectCount == blanked.objectCount + 1)
            options.limit = 10
            #expect(throws: EditError.self) {
                try workspace.copy(top, from: other, to: root(), as: "too many", options)
            }
        }
        let check =
            Self.judge + """
                judge(root['blanked'])
                judge(root['taken'])
                assert root['blanked']['out'] is None and root['taken']['out']['back'] is root['taken']
                assert 'refused' not in root
                print('fine')
                """
        #expect(try target.python(check) == "fine\n")
    }

    @Test("brought back from the past")
    func past() throws {
        let file = try EditedFile(.zeo6, Self.maker)
        defer { file.remove() }
        let storage = try file.open()
        let before = try storage.lastTransaction()
        storage.close()
        try file.edit { workspace in
            try workspace.remove(workspace.edited("//top/tree/k050"))
            try workspace.remove(workspace.edited("//top/shared"))
        }
        try file.edit { workspace in
            let resolver = PathResolver(workspace) { (_) throws(PathError) in before }
            workspace.at = workspace.basis
            try workspace.copy(
                resolver.resolve("//top/tree/k050@then"), to: workspace.edited("//top/tree"), as: "k050")
            try workspace.copy(resolver.resolve("//top@then"), to: workspace.edited("//"), as: "old")
        }
        let check =
            Self.judge + """
                judge(root['old'])
                assert root['old']['tree']['k049'] is not root['top']['tree']['k049']
                assert root['top']['tree']['k050']['top'] is root['top']
                assert 'shared' not in root['top'] and 'shared' in root['old']
                print('fine')
                """
        #expect(try file.python(check) == "fine\n")
    }

    @Test("an export is what Python imports, and Python's is imported", arguments: peers.filter(\.isReady))
    func exports(_ peer: PythonPeer) throws {
        let source = try EditedFile(peer, Self.maker, ["BLOBS"])
        let target = try EditedFile(peer, "root['there'] = 1", ["BLOBS"])
        defer {
            source.remove()
            target.remove()
        }
        let theirs = source.path + ".theirs.zexp"
        // Python's own follows `__parent__` to the root and takes everything.
        _ = try source.python(
            "del root['top'].__parent__\ntransaction.commit()\n"
                + "conn.exportFile(root['top']._p_oid, sys.argv[2]).close()", [theirs, "BLOBS"])
        let ours = source.path + ".ours.zexp"
        let storage = try source.open()
        let workspace = try Workspace(storage)
        var bytes: [UInt8] = []
        let result = try workspace.export(PathResolver(workspace).resolve("//top")) { bytes += $0 }
        storage.close()
        #expect(result.blobCount == 2 && result.blankedCount == 0 && result.weakReferenceCount == 0)
        try Data(bytes).write(to: URL(filePath: ours))
        #expect(bytes == [UInt8](try Data(contentsOf: URL(filePath: theirs))))

        try target.edit { workspace in
            let result = try workspace.importObjects(
                from: FileBytes(theirs), to: workspace.edited("//"), as: "theirs")
            #expect(result.objectCount > 105)
            try workspace.importObjects(from: FileBytes(ours), to: workspace.edited("//"))
        }
        let check =
            Self.judge + """
                judge(root['theirs'])
                judge(root['top'])
                assert root['theirs'].id == 'theirs' and root['top'].id == 'top'
                root['python'] = conn.importFile(sys.argv[2])
                transaction.commit()
                conn.cacheMinimize()
                judge(root['python'])
                print('fine')
                """
        #expect(try target.python(check, [ours, "BLOBS"]) == "fine\n")
    }

    @Test("a container above is left out of an export")
    func upward() throws {
        let source = try EditedFile(.zeo6, Self.maker)
        defer { source.remove() }
        let storage = try source.open()
        defer { storage.close() }
        let workspace = try Workspace(storage)
        var bytes: [UInt8] = []
        let result = try workspace.export(PathResolver(workspace).resolve("//top")) { bytes += $0 }
        #expect(result.blankedCount == 1 && result.objectCount < 120)
        let file = source.path + ".zexp"
        try Data(bytes).write(to: URL(filePath: file))
        let check =
            Self.judge + """
                root['python'] = conn.importFile(sys.argv[2])
                transaction.commit()
                conn.cacheMinimize()
                judge(root['python'])
                assert root['python'].__parent__ is None
                print('fine')
                """
        storage.close()
        #expect(try source.python(check, [file]) == "fine\n")
    }

    @Test("a site goes to Zope and back", .enabled(if: PythonPeer.zope5.isReady, "\(PythonPeer.zope5.reason)"))
    func site() throws {
        let source = try EditedFile(.zope5, copyOf: "fs/zope5.fs")
        defer { source.remove() }
        // Zope itself imports no object whose class is gone.
        try source.edit { try $0.remove($0.edited("/site/broken")) }
        let storage = try source.open()
        let workspace = try Workspace(storage)
        var bytes: [UInt8] = []
        _ = try workspace.export(PathResolver(workspace).resolve("/site")) { bytes += $0 }
        storage.close()
        let file = source.path + ".zexp"
        try Data(bytes).write(to: URL(filePath: file))
        let check = """
            import Zope2
            app = root['Application']
            app._importObjectFromFile(sys.argv[2], verify=0, set_owner=0) if 'site' not in app.objectIds() else None
            app.manage_delObjects(['site'])
            app._importObjectFromFile(sys.argv[2], verify=0, set_owner=0)
            transaction.commit()
            assert 'site' in app.objectIds() and app.site.btf.objectCount() == 40
            assert app.site.page.read() and app.site.btf._cleanup() == 1
            app.site.btf._p_jar.exportFile(app.site.btf._p_oid, sys.argv[2] + '2').close()
            print('fine')
            """
        #expect(try source.python(check, [file]) == "fine\n")
        try source.edit { workspace in
            try workspace.importObjects(from: FileBytes(file + "2"), to: workspace.edited("/"), as: "imported")
        }
        let after = """
            import Zope2
            app = root['Application']
            assert app.imported.objectCount() == 40 and app.imported._cleanup() == 1, app.objectIds()
            assert app.imported.meta_type == 'BTreeFolder2' and app.imported.getId() == 'imported'
            assert app.imported.sub00._p_oid != app.site.btf.sub00._p_oid
            print('fine')
            """
        #expect(try source.python(after) == "fine\n")
    }

    @Test("a file that is cut, or none, is refused")
    func damaged() throws {
        let source = try EditedFile(.zeo6, Self.maker, ["BLOBS"])
        defer { source.remove() }
        let storage = try source.open()
        defer { storage.close() }
        let workspace = try Workspace(storage)
        var bytes: [UInt8] = []
        _ = try workspace.export(PathResolver(workspace).resolve("//top")) { bytes += $0 }
        var random = SeededGenerator(seed: 7)
        for _ in 0..<60 {
            let cut = MemoryBytes(Array(bytes.prefix(Int.random(in: 0..<bytes.count, using: &random))))
            #expect(throws: EditError.self) {
                try workspace.importObjects(from: cut, to: workspace.edited("//"), as: "cut")
            }
            #expect(!workspace.hasStagedChanges)
        }
        #expect(throws: EditError.self) {
            try workspace.importObjects(
                from: MemoryBytes(Array("ZEXP".utf8) + [UInt8](repeating: 0xff, count: 16)), to: workspace.edited("//"))
        }
    }
}

private struct MemoryBytes: RandomAccessBytes {
    private let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }
    let name = "memory.zexp"
    var count: Int { bytes.count }
    func bytes(in range: Range<Int>) throws(StorageError) -> [UInt8] { Array(bytes[range]) }
}

private struct FileBytes: RandomAccessBytes {
    private let data: Data
    let name: String
    init(_ path: String) throws {
        name = path
        data = try Data(contentsOf: URL(filePath: path))
    }
    var count: Int { data.count }
    func bytes(in range: Range<Int>) throws(StorageError) -> [UInt8] { Array(data[range]) }
}
