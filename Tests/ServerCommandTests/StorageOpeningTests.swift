import Foundation
import Logging
import ServerConfiguration
import Testing
import ZConfig
import ZEOServer
import ZODB
import ZODBFile

@testable import ServerCommand

@Suite("Storages of a configuration")
struct StorageOpeningTests {
    private let folder: ScratchFolder
    private let opener: StorageOpener

    init() throws {
        folder = try ScratchFolder()
        var file = LogFileSettings(destination: .file(folder.path("test.log")))
        file.format = try #require(LogFormat("%(levelname)s %(message)s"))
        file.opensLate = true
        var settings = LogSettings()
        settings.files = [file]
        opener = StorageOpener(logger: try EventLog(settings).logger("test"), interruption: Interruption())
    }

    private var log: String { (try? folder.text("test.log")) ?? "" }

    private func open(_ text: String) throws -> [StorageServer.Served] {
        let path = try folder.write(
            "<zeo>\n address 1\n</zeo>\n" + text.replacing("$DIR", with: folder.url.path), to: "zeo.conf")
        return try opener.open(try ServerSettings.parse(path: path, host: .system(environment: [:])).storages)
    }

    private func failure(_ text: String) throws -> StorageOpeningError? {
        do {
            for served in try open(text) { served.storage.close() }
            return nil
        } catch let error as StorageOpeningError {
            return error
        }
    }

    private func store(
        _ data: [UInt8], in storage: any Storage, basedOn serial: TransactionID = .none
    ) throws {
        let storage = try #require(storage as? any WritableStorage)
        let transaction = try storage.begin(.init())
        do {
            try transaction.store(data, for: .root, basedOn: serial)
            _ = try transaction.vote()
            _ = try transaction.finish()
        } catch {
            transaction.abort()
            throw error
        }
    }

    @Test("are opened by their names, each as its section says")
    func kinds() throws {
        let served = try open(
            """
            <filestorage 1>
             path $DIR/Data.fs
             blob-dir $DIR/blobs
            </filestorage>
            <mappingstorage m>
            </mappingstorage>
            <temporarystorage t>
            </temporarystorage>
            <demostorage d>
             <filestorage>
              path $DIR/Data2.fs
              read-only false
             </filestorage>
            </demostorage>
            <blobstorage b>
             blob-dir $DIR/more
             <filestorage>
              path $DIR/Data3.fs
             </filestorage>
            </blobstorage>
            """.replacing("$DIR/Data2.fs", with: try madeFile("base.fs")))
        defer { for one in served { one.storage.close() } }
        #expect(served.map(\.name) == ["1", "m", "t", "d", "b"])
        #expect(served[0].storage is FileStorage)
        #expect(served[1].storage is MemoryStorage && served[2].storage is MemoryStorage)
        let demo = try #require(served[3].storage as? OverlayStorage)
        // A demo storage never writes to its base.
        #expect((demo.base as? any WritableStorage)?.isWritable == false)
        let blobs = try #require(served[4].storage as? any BlobReceivingStorage)
        #expect(try blobs.blobReceptionDirectory()?.hasPrefix(folder.path("more")) == true)
        #expect(served.map(\.isReadOnly) == [false, false, false, false, false])
    }

    @Test(
        "a file that is said to be read-only is not made when it is missing",
        arguments: [
            (
                "<demostorage>\n<filestorage>\npath $DIR/gone.fs\nread-only true\n</filestorage>\n</demostorage>",
                "'read-only true'"
            ),
            ("<filestorage>\npath $DIR/gone.fs\nread-only true\n</filestorage>", "'read-only true'"),
        ])
    func missing(section: String, why: String) throws {
        let error = try #require(try failure(section))
        #expect(error.description.contains("there is no file \(folder.path("gone.fs")), and none is made"))
        #expect(error.description.contains(why))
        #expect(error.exitCode == ProgramExit.failure)
        #expect(folder.names == ["zeo.conf"])
    }

    @Test("the base of a demo storage is made when it is missing, as by Python's server, with a warning")
    func missingBase() throws {
        let section = "<demostorage>\n<filestorage>\npath $DIR/gone.fs\n</filestorage>\n</demostorage>"
        #expect(try failure(section) == nil)
        #expect(folder.names.contains("gone.fs"))
        #expect(log.contains("made a new, empty data file \(folder.path("gone.fs")), as the base of a <demostorage>"))
    }

    @Test("a directory of blobs that is not there is made for a file to be written to alone, and said")
    func missingBlobs() throws {
        let path = try madeFile("Data.fs")
        let section = "<filestorage>\npath \(path)\nblob-dir $DIR/blobs\n</filestorage>"
        let readOnly = section.replacing("</file", with: "read-only true\n</file")
        #expect(try failure(readOnly)?.description.contains("no directory of blobs \(folder.path("blobs"))") == true)
        #expect(!folder.names.contains("blobs"))
        #expect(try failure(section) == nil)
        #expect(log.contains("WARNING storage 1: made a new, empty directory for blobs, \(folder.path("blobs"))"))
    }

    @Test("a new data file is told of, and warned of where another lay before")
    func newFile() throws {
        let section = "<filestorage>\npath $DIR/Data.fs\n</filestorage>"
        #expect(try failure(section) == nil)
        #expect(log.contains("NOTICE storage 1: made a new, empty data file \(folder.path("Data.fs"))"))
        let index = try folder.write("", to: "Data.fs.index")
        try FileManager.default.removeItem(atPath: folder.path("Data.fs"))
        #expect(try failure(section) == nil)
        #expect(log.contains("though there is \(index): was the file moved?"))
    }

    @Test("changes of a demo storage in a file are there again, and the base is as it was")
    func fileChanges() throws {
        let base = try madeFile("base.fs")
        let section = """
            <demostorage 1>
             <filestorage>
              path \(base)
             </filestorage>
             <filestorage changes>
              path $DIR/changes.fs
             </filestorage>
            </demostorage>
            """
        let bytes = try Data(contentsOf: URL(filePath: base))
        var served = try open(section)
        let before = try served[0].storage.lastTransaction()
        #expect(throws: StorageError.self) { try store([2], in: served[0].storage) }
        try store([2], in: served[0].storage, basedOn: before)
        #expect(try served[0].storage.load(.root, at: before).next != nil)
        served[0].storage.close()
        served = try open(section)
        #expect(try served[0].storage.load(.root, at: .latest).data == [2])
        #expect(try served[0].storage.load(.root, at: before).data == [1])
        let undoable = try #require(served[0].storage as? any UndoableStorage)
        let transactions = try undoable.transactionLog()
        let newest = try #require(try transactions.next())
        #expect(try transactions.next()?.tid == before)
        let undo = try undoable.begin(.init())
        #expect(throws: StorageError.self) { try undo.undo(before) }
        undo.abort()
        let second = try undoable.begin(.init())
        try second.undo(newest.tid)
        _ = try second.vote()
        _ = try second.finish()
        #expect(try served[0].storage.load(.root, at: .latest).data == [1])
        served[0].storage.close()
        #expect(try Data(contentsOf: URL(filePath: base)) == bytes)
    }

    private func madeFile(_ name: String) throws -> String {
        let storage = try FileStorage(
            folder.path(name), options: .init(isWritable: true, newFileGeneration: .python3))
        try store([1], in: storage)
        storage.close()
        return folder.path(name)
    }

    @Test("that are read-only are not locked, and nobody writes to them")
    func readOnly() throws {
        let path = try madeFile("Data.fs")
        let writer = try FileStorage(path, options: .init(isWritable: true))
        defer { writer.close() }
        let served = try open("<filestorage>\n path \(path)\n read-only true\n</filestorage>")
        #expect(served[0].isReadOnly)
        #expect(throws: StorageError.self) { try store([2], in: served[0].storage) }
    }

    @Test("'create' empties a file, and no file that somebody else writes to or that is no Data.fs")
    func create() throws {
        let path = try madeFile("Data.fs")
        let section = "<filestorage>\n path \(path)\n create true\n</filestorage>"
        let writer = try FileStorage(path, options: .init(isWritable: true))
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
        #expect(try failure(section)?.description.contains("locked") == true)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int == size)
        writer.close()
        let served = try open(section)
        #expect(try served[0].storage.lastTransaction() == .none)
        served[0].storage.close()
        try folder.write("my thesis", to: "thesis")
        #expect(try failure(section.replacing("Data.fs", with: "thesis")) != nil)
        #expect(try folder.text("thesis") == "my thesis")
    }

    @Test("refuse a transaction beyond their quota, and take a smaller one after it")
    func quota() throws {
        let served = try open("<filestorage>\n path $DIR/Data.fs\n quota 2000\n</filestorage>")
        defer { served[0].storage.close() }
        #expect(throws: StorageError.self) { try store(Array(repeating: 7, count: 4000), in: served[0].storage) }
        try store([1], in: served[0].storage)
        #expect(try served[0].storage.lastTransaction() != .none)
    }

    @Test("that cannot be served are named with their line, and those before them are closed")
    func refused() throws {
        let text = """
            <filestorage 1>
             path $DIR/Data.fs
            </filestorage>
            %import zc.zlibstorage
            <zlibstorage z>
             <filestorage>
              path $DIR/z.fs
             </filestorage>
            </zlibstorage>
            """
        let error = try #require(try failure(text))
        #expect(error.description.hasPrefix("\(folder.path("zeo.conf")):8: storage 'z'"))
        #expect(error.description.contains("serverzlibstorage"))
        #expect(error.exitCode == ProgramExit.usage)
        // It is free again.
        try FileStorage(folder.path("Data.fs"), options: .init(isWritable: true)).close()
    }
}
