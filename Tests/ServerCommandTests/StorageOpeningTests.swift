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
    private let opener = StorageOpener(
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, interruption: Interruption())

    init() throws { folder = try ScratchFolder() }

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

    private func store(_ data: [UInt8], in storage: any Storage) throws {
        let storage = try #require(storage as? any WritableStorage)
        let transaction = try storage.begin(.init())
        do {
            try transaction.store(data, for: ObjectID(rawValue: 0), basedOn: .none)
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

    @Test("the base of a demo storage is made when it is not there, unless it is read-only")
    func missingBase() throws {
        let text = "<demostorage>\n <filestorage>\n  path $DIR/base.fs\n </filestorage>\n</demostorage>"
        let served = try open(text)
        try store([1], in: served[0].storage)
        #expect(try served[0].storage.lastTransaction() != .none)
        served[0].storage.close()
        let base = try FileStorage(folder.path("base.fs"))
        #expect(try base.lastTransaction() == .none)
        base.close()
        let readOnly = text.replacing("base.fs\n", with: "other.fs\n  read-only true\n")
        #expect(try failure(readOnly) != nil)
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
