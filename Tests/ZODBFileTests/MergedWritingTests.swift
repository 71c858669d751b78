import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("Changes that are merged", .enabled(if: PythonJudge.areReady, "\(PythonJudge.reason)"))
struct MergedWritingTests {
    /// Makes a counter (oid 1), a tree (oid 2) and a mapping (oid 3), and changes them, one in each transaction.
    private static let make =
        PythonJudge.prelude + """
            import transaction
            from BTrees.Length import Length
            from BTrees.OOBTree import OOBTree
            from persistent.mapping import PersistentMapping
            from ZODB.DB import DB
            db = DB(FileStorage(path))
            root = db.open().root()
            for name, make in (('1', Length), ('2', OOBTree), ('3', PersistentMapping)):
                root[name] = make()
                root._p_jar.add(root[name])
            for number in range(8):
                root['2'][u'old %d' % number] = 0
            transaction.commit()
            for number in (1, 2, 3):
                root['1'].change(10 ** number)
                transaction.commit()
                root['2'][u'key %d' % number] = number
                transaction.commit()
                root['3'][u'key'] = number
                transaction.commit()
            del root['2'][u'old 3']
            transaction.commit()
            root['2'][u'old 4'] = 4
            transaction.commit()
            del root['2'][u'key 2']
            transaction.commit()
            db.close()
            """

    /// What is in it, in words.
    private func contents(_ path: String, _ peer: PythonPeer) throws -> String {
        let code =
            PythonJudge.prelude + """
                from ZODB.DB import DB
                db = DB(FileStorage(path, read_only=True))
                root = db.open().root()
                print('%d %s %s' % (root['1'].value, sorted((str(k), str(v)) for k, v in root['2'].items()), root['3'][u'key']))
                root['2']._check()
                """
        return try peer.run(code, [path]).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func made(_ peer: PythonPeer) throws -> (file: WritableFile, tids: [TransactionID]) {
        let file = try WritableFile()
        try peer.run(Self.make, [file.path])
        let tids = try FileStorage(file.path).transactions(from: .none, through: .latest).rest().map(\.tid)
        return (file, Array(tids.suffix(13)))
    }

    @Test(
        "old changes are undone beside later ones where Python does it, to the same end", arguments: PythonJudge.peers)
    func undo(peer: PythonPeer) throws {
        let (file, tids) = try made(peer)
        let bytes = try file.bytes
        let code =
            PythonJudge.prelude + """
                fs = FileStorage(path)
                tid = binascii.unhexlify(sys.argv[2])
                try:
                    commit(fs, lambda t: fs.undo(base64.b64encode(tid), t))
                except UndoError:
                    print('refused')
                fs.close()
                """
        var merged = 0
        for tid in tids.dropFirst() {
            let theirs = try file.directory.write(bytes, to: "theirs.fs")
            let isRefused = try peer.run(code, [theirs, tid.hex]) != ""
            let ours = try file.directory.write(bytes, to: "ours.fs")
            for path in [ours, theirs] { try? FileManager.default.removeItem(atPath: path + ".index") }
            let storage = try FileStorage(ours, options: .init(isWritable: true))
            do {
                try storage.undo(tid)
                #expect(!isRefused)
            } catch let error as StorageError {
                #expect(isRefused, "\(error)")
            }
            storage.close()
            #expect(try contents(ours, peer) == contents(theirs, peer))
            if !isRefused { merged += 1 }
        }
        // All but the two older changes of the mapping, which has no rule, and the addition of what was removed later.
        #expect(merged >= 8)
    }

    @Test("two changes of one revision are both there, and the vote says so", arguments: PythonJudge.peers)
    func stores(peer: PythonPeer) throws {
        let (file, tids) = try made(peer)
        let storage = try FileStorage(file.path, options: .init(isWritable: true))
        let (counter, mapping) = (ObjectID(rawValue: 1), ObjectID(rawValue: 3))
        // What the first change wrote, as if by somebody who had read the revision before it.
        let (made, first) = (tids[0], tids[1])
        let transaction = try storage.begin(.init())
        try transaction.store(storage.load(counter, at: first).data, for: counter, basedOn: made)
        #expect(try transaction.vote().changedOIDs == [counter])
        let tid = try transaction.finish()
        #expect(try storage.load(counter, at: .latest).serial == tid)
        let refused = try storage.begin(.init())
        let current = storage.serial(mapping)
        #expect(throws: StorageError.conflict(mapping, committed: current, read: made)) {
            try refused.store(storage.load(mapping, at: tids[3]).data, for: mapping, basedOn: made)
        }
        // A revision that is not there cannot be merged with.
        let unknown = made.successor
        #expect(throws: StorageError.conflict(counter, committed: tid, read: unknown)) {
            try refused.store(storage.load(counter, at: first).data, for: counter, basedOn: unknown)
        }
        refused.abort()
        storage.close()
        #expect(try contents(file.path, peer).hasPrefix("1120 "))
    }
}
