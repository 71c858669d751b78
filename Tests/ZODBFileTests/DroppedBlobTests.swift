import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("Blobs that a pack drops", .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
struct DroppedBlobTests {
    private let directory: TemporaryDirectory
    private let path: String, blobs: String

    init() throws {
        directory = try TemporaryDirectory()
        (path, blobs) = (directory.file("Data.fs"), directory.file("blobs"))
        _ = try PythonPeer.zeo6.run(
            """
            import sys, transaction, ZODB
            from ZODB.FileStorage import FileStorage
            from ZODB.blob import Blob
            db = ZODB.DB(FileStorage(sys.argv[1], blob_dir=sys.argv[2]))
            root = db.open().root()
            for number in range(3):
                root['blob'] = root.get('blob') or Blob()
                with root['blob'].open('w') as file:
                    file.write(b'%d' % number)
                transaction.commit()
            db.close()
            """, [path, blobs])
    }

    private var files: [String] {
        (FileManager.default.enumerator(atPath: blobs)?.compactMap { $0 as? String } ?? [])
            .filter { $0.hasSuffix(".blob") }.sorted()
    }

    private func pack(keepsOld: Bool) throws -> PackSummary {
        let storage = try FileStorage(path, options: .init(blobDirectory: blobs, isWritable: true))
        defer { storage.close() }
        return try storage.pack(to: storage.lastTransaction(), PackOptions(keepsOld: keepsOld))
    }

    /// Lines of `.removed`, as a pack that was cut off leaves them.
    private func lines() -> String {
        files.dropLast().map { name in
            let parts = name.split(separator: "/")
            let oid = parts.dropLast().map { $0.dropFirst(2) }.joined()
            return "\(oid)\(parts.last?.dropFirst(2).dropLast(5) ?? "")\n"
        }.joined()
    }

    @Test("are counted once, though the list of an earlier pack has them too", arguments: [true, false])
    func twice(keepsOld: Bool) throws {
        #expect(files.count == 3)
        try lines().write(toFile: blobs + "/.removed", atomically: true, encoding: .utf8)
        #expect(try pack(keepsOld: keepsOld).blobsRemoved == 2)
        #expect(files.count == 1)
        #expect(!FileManager.default.fileExists(atPath: blobs + "/.removed"))
    }

    @Test(
        "go with the next pack when one was killed before they went, though that has nothing to do, and no other goes",
        arguments: [true, false])
    func leftBehind(keepsOld: Bool) throws {
        let all = files
        let kept = directory.file("kept")
        try FileManager.default.createDirectory(atPath: kept, withIntermediateDirectories: true)
        let list = lines()
        for name in all.dropLast() {
            try FileManager.default.copyItem(
                atPath: "\(blobs)/\(name)", toPath: "\(kept)/\(all.firstIndex(of: name) ?? 0)")
        }
        #expect(try pack(keepsOld: keepsOld).outcome == .packed)
        // As if the process had ended before it removed the files.
        for name in all.dropLast() {
            try FileManager.default.copyItem(
                atPath: "\(kept)/\(all.firstIndex(of: name) ?? 0)", toPath: "\(blobs)/\(name)")
        }
        if keepsOld {
            // One of them had been moved.
            try FileManager.default.removeItem(atPath: "\(blobs)/\(all[0])")
            try FileManager.default.removeItem(atPath: "\(blobs).old/\(all[1])")
        }
        // The object as a whole, too: its current revision is there.
        try (list + "\(list.prefix(16))\n").write(toFile: blobs + "/.removed", atomically: true, encoding: .utf8)
        // A transaction more, of which nothing can go.
        _ = try PythonPeer.zeo6.run(
            """
            import sys, transaction, ZODB
            from ZODB.FileStorage import FileStorage
            from persistent.mapping import PersistentMapping
            db = ZODB.DB(FileStorage(sys.argv[1], blob_dir=sys.argv[2]))
            db.open().root()['new'] = PersistentMapping()
            transaction.commit()
            db.close()
            """, [path, blobs])
        let storage = try FileStorage(path, options: .init(blobDirectory: blobs, isWritable: true))
        let first = try #require(try storage.transactions(from: .none, through: .latest).next()).tid
        let summary = try storage.pack(to: first, PackOptions(keepsOld: keepsOld))
        storage.close()
        guard case .nothingToDo = summary.outcome else {
            Issue.record("there was something to do")
            return
        }
        #expect(summary.blobsRemoved == (keepsOld ? 1 : 2) && summary.notes == [])
        #expect(files == [all[2]])
        #expect(!FileManager.default.fileExists(atPath: blobs + "/.removed"))
        // The old file has its blobs, whichever pack has moved them.
        guard keepsOld else { return }
        for name in all { #expect(FileManager.default.fileExists(atPath: "\(blobs).old/\(name)"), "\(name)") }
    }
}
