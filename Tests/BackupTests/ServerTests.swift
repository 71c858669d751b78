import Backup
import Foundation
import Pickle
import Storages
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("From a live server")
struct ServerTests {
    private let folder: ScratchFolder
    private let clock = SteppingClock()

    init() throws { folder = try ScratchFolder() }

    private func backUp(
        _ port: Int, _ generation: PythonGeneration = .python3, _ change: (inout BackupOptions) -> Void = { _ in }
    ) throws -> BackupResult {
        let storage = try openStorage(
            StorageAddress(.server(host: "127.0.0.1", port: port)), options: OpeningOptions(),
            interruption: Interruption(), progress: { _ in })
        defer { storage.close() }
        var options = BackupOptions()
        options.now = clock.next
        change(&options)
        let server = try #require(storage as? any CopyableStorage)
        return try server.backUpTransactions(to: folder.file("r"), generation: generation, options)
    }

    /// What two files have in common when one is a copy of the other: transactions, their records and what is in them.
    private func content(_ path: String) throws -> [String] {
        let storage = try FileStorage(path)
        defer { storage.close() }
        var lines: [String] = []
        let transactions = try storage.transactions(from: .none, through: .latest)
        while let transaction = try transactions.next() {
            lines.append(
                "\(transaction.tid) \(transaction.status) \(transaction.user) \(transaction.description) "
                    + "\(try transaction.extensionItemTexts())")
            let (_, records) = try storage.records(of: transaction.tid)
            while let record = try records.next() { lines.append("  \(record.oid) \(record.data ?? [])") }
        }
        return lines
    }

    private static let change = """
        from ZODB.blob import Blob
        root['blob'] = root.get('blob') or Blob()
        file = root['blob'].open('w')
        file.write(b'content ' * 1000)
        file.close()
        for number in range(5):
            root['key'] = number
            transaction.get().note(u'number %d' % number)
            transaction.commit()
        db.undo(db.undoLog(0, 1)[0]['id'])
        transaction.commit()
        """

    @Test(
        "of Python has the same transactions, records and blobs, and goes on from the last",
        arguments: PythonPeer.all.filter(\.isReady), [false, true])
    func python(peer: PythonPeer, isCompressed: Bool) throws {
        let sample = peer.name.hasSuffix("py2") ? "fs/py27-zodb5.fs" : "fs/py3-zodb6.fs"
        let generation: PythonGeneration = peer.name.hasSuffix("py2") ? .python2 : .python3
        let server = try PythonServer(peer, serving: ["1": SampleData.path(sample)], blobs: true)
        guard case .port(let port) = server.address else { return }
        let first = try backUp(port, generation) { $0.isCompressed = isCompressed }
        #expect(first.kind == .full)
        #expect(try backUp(port, generation).kind == .none)
        try server.client(Self.change)
        let second = try backUp(port, generation) { $0.isCompressed = isCompressed }
        #expect(second.kind == .incremental)
        #expect(second.blobCount == 1)
        let source = server.folder.appending(path: "1.fs").path
        try judge(source, blobs: server.folder.appending(path: "1-blobs").path)
        #expect(try Repository(folder.file("r")).proveRestore(in: folder.url.path).problems == [])
        // A pack there makes a full one here.
        try server.client("db.pack()")
        #expect(try backUp(port, generation) { $0.isQuick = true }.kind == .full)
        // The kinds do not mix.
        let file = try FileStorage(source)
        defer { file.close() }
        var options = BackupOptions()
        options.now = clock.next
        #expect(try file.backUp(to: folder.file("r"), options).reason == "the backups before were made from a server")
        #expect(try backUp(port, generation).reason == "the backups before were made from a file")
    }

    @Test("of ours has the same", .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
    func ours() throws {
        let server = try ZEOServerProcess(blobs: true)
        try PythonPeer.zeo6.run(
            """
            import ZODB, transaction
            from ZEO.ClientStorage import ClientStorage
            storage = ClientStorage(('127.0.0.1', \(server.port)), blob_dir='\(folder.file("client"))')
            db = ZODB.DB(storage)
            connection = db.open()
            root = connection.root()
            \(Self.change)
            db.close()
            """)
        #expect(try backUp(server.port).kind == .full)
        try judge(server.dataFile.path, blobs: server.folder.appending(path: "blobs").path)
    }

    private func judge(_ source: String, blobs: String) throws {
        var options = RestoreOptions()
        options.blobDirectory = folder.file("restored-blobs")
        let repository = try Repository(folder.file("r"))
        #expect(try repository.verify().problems == [])
        let result = try repository.restore(to: folder.file("restored.fs"), options)
        #expect(result.blobCount >= 1)
        #expect(result.missingBlobs == [])
        #expect(try content(folder.file("restored.fs")) == content(source))
        // repozo makes a database of it that a writer goes on with.
        guard PythonPeer.zeo6.isReady else { return }
        try Repozo(peer: .zeo6).run(["-V", "-r", folder.file("r")])
        for blob in try FileManager.default.subpathsOfDirectory(atPath: blobs) where blob.hasSuffix(".blob") {
            let restored = FileManager.default.contents(atPath: folder.file("restored-blobs/" + blob))
            #expect(restored == FileManager.default.contents(atPath: "\(blobs)/\(blob)"), "\(blob)")
        }
        try FileManager.default.removeItem(atPath: folder.file("restored.fs"))
        try FileManager.default.removeItem(atPath: folder.file("restored-blobs"))
    }
}

extension TransactionSummary {
    /// The extension without regard to how it was pickled: the memo's opcodes differ, and the protocol.
    fileprivate func extensionItemTexts() throws -> [String] {
        guard !extensionData.isEmpty else { return [] }
        let document = try PickleDocument(extensionData)
        return ["\(CanonicalValue.of(document.roots[0], in: document))"]
    }
}
