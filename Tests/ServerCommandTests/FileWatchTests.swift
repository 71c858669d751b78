import Foundation
import ServerConfiguration
import Testing
import ZODB
import ZODBFile

@testable import ServerCommand

@Suite("A data file that is moved under its server")
struct FileWatchTests {
    @Test("is told of with where it is now, makes the server not ready, and is told of again when it is back")
    func moved() throws {
        let folder = try ScratchFolder()
        let path = folder.path("Data.fs")
        let storage = try FileStorage(path, options: .init(isWritable: true, newFileGeneration: .python3))
        defer { storage.close() }
        var settings = LogSettings()
        settings.files = [LogFileSettings(destination: .file(folder.path("log")))]
        let watch = FileWatch("main", storage, logger: try EventLog(settings).logger("test"), interval: 0.02)
        func waits(_ isDone: () -> Bool) -> Bool {
            for _ in 0..<6000 {
                if isDone() { return true }
                usleep(10_000)
            }
            return false
        }
        #expect(storage.displacement() == nil && watch.check() == nil)
        rename(path, folder.path("moved.fs"))
        #expect(waits { watch.check() != nil })
        #expect(watch.check()?.contains("storage main: \(path) is gone; commits are refused") == true)
        #expect(watch.check()?.hasSuffix("is called \(folder.path("moved.fs")) now: rename it back") == true)
        rename(folder.path("moved.fs"), path)
        #expect(waits { watch.check() == nil })
        #expect(waits { (try? folder.text("log"))?.contains("\(path) is in its place again") == true })
        #expect(try folder.text("log").contains(" ERROR test storage main: \(path) is gone"))

        unlink(path)
        try folder.write("another", to: "Data.fs")
        #expect(waits { watch.check() != nil })
        let text = try #require(watch.check())
        let refused = #expect(throws: StorageError.self) { _ = try storage.begin(.init()) }
        #expect(refused?.description.contains("put in its place; close it and open it again") == true)
        #expect(text.contains("another file has been put in the place of \(path)"))
        // What is said to be done works.
        let source = try #require(text.split(separator: "'").last { $0.hasPrefix("cp ") }?.split(separator: " ")[1])
        #expect(try Data(contentsOf: URL(filePath: String(source))) == Data("FS30".utf8))
    }
}
