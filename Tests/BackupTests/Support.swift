import Backup
import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

/// A directory that is removed when nobody needs it any more.
final class ScratchFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "backup-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func file(_ name: String) -> String { url.appending(path: name).path }

    func names(in directory: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: file(directory)).sorted()
    }

    func content(_ name: String) throws -> Data { try Data(contentsOf: URL(filePath: file(name))) }
}

/// A clock for names: each look is some seconds later.
final class SteppingClock: @unchecked Sendable {
    private let lock = NSLock()
    private var seconds: Int

    init(_ start: Int = 1_790_000_000) { seconds = start }

    func next() -> Int {
        lock.withLock {
            seconds += 7
            return seconds
        }
    }
}

/// The real repozo of a peer.
struct Repozo {
    let peer: PythonPeer

    /// Runs it with these arguments, in this module or, before ZODB 4, as a script; what it said.
    @discardableResult
    func run(_ arguments: [String]) throws -> String {
        if let option = arguments.firstIndex(of: "-r") { Self.waitForNextName(in: arguments[option + 1]) }
        return try peer.run(
            """
            from __future__ import print_function
            import sys
            sys.argv[0] = 'repozo'
            try:
                from ZODB.scripts.repozo import main
            except ImportError:
                import imp, os
                here = os.path.dirname(sys.executable)
                main = imp.load_source('repozo', os.path.join(here, 'repozo')).main
            main(sys.argv[1:]) if main.__code__.co_argcount else main()
            """, arguments)
    }
}

extension Repozo {
    /// Its names have seconds: it overwrites nothing, and what is called after a second to come it does not see.
    private static func waitForNextName(in repository: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: repository)) ?? []
        let newest = names.compactMap { ChunkFile(fileName: $0)?.name.time }.max() ?? 0
        while Int(Date().timeIntervalSince1970) <= newest { usleep(20_000) }
    }
}

/// Python's own FileStorage at work on a file: a line of orders, an answer for each.
enum PythonWriter {
    /// Commits so many transactions, each to a few of the objects, some undone, and packs where asked.
    static let code = """
        import sys, random
        import ZODB, transaction
        from ZODB.FileStorage import FileStorage
        from ZODB.serialize import referencesf
        path, seed, count, pack = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
        chooser = random.Random(seed)
        storage = FileStorage(path)
        db = ZODB.DB(storage)
        connection = db.open()
        root = connection.root()
        from persistent.mapping import PersistentMapping
        for number in range(count):
            for _ in range(chooser.randint(1, 4)):
                key = 'k%d' % chooser.randint(0, 12)
                if chooser.random() < 0.2 and key in root:
                    del root[key]
                elif key in root:
                    root[key]['v'] = 'x' * chooser.randint(0, 3000)
                else:
                    root[key] = PersistentMapping()
            transaction.get().note(u'number %d' % number)
            transaction.commit()
            if chooser.random() < 0.15:
                log = db.undoLog(0, 3)
                try:
                    db.undo(chooser.choice(log)['id'])
                    transaction.commit()
                except Exception:
                    transaction.abort()
        if pack == 'pack':
            db.pack()
        db.close()
        """
}

/// What Python finds in a file: every transaction and record of it.
enum PythonReader {
    static let dump = """
        import sys, hashlib
        from ZODB.FileStorage import FileStorage
        for path in sys.argv[1:]:
            fs = FileStorage(path, read_only=True)
            digest = hashlib.sha256()
            count = 0
            for txn in fs.iterator():
                digest.update(txn.tid + txn.status.encode() + txn.user + b'/' + txn.description + b'/' + txn.extension_bytes)
                for record in txn:
                    digest.update(record.oid + record.tid + (record.data or b'-') + (record.data_txn or b'-'))
                    count += 1
            print('%d %s %s' % (count, fs.lastTransaction().hex(), digest.hexdigest()))
            fs.close()
        """
}
