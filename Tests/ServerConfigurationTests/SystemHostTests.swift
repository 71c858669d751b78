import Foundation
import Testing
import ZConfig

@testable import ServerConfiguration

/// What this machine gives to whoever reads a configuration.
@Suite("Files that configurations are read from")
struct SystemHostTests {
    private final class Folder {
        let url = FileManager.default.temporaryDirectory.appending(path: "host-\(UUID().uuidString.prefix(8))")

        init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(at: url) }

        func pipe(_ name: String) -> String {
            let path = url.appending(path: name).path
            mkfifo(path, 0o600)
            return path
        }
    }

    /// - Returns: its text, or why it cannot be read.
    private func read(_ path: String, isInterrupted: @escaping @Sendable () -> Bool = { false }) -> String {
        do throws(UnreadableFile) {
            let host = ConfigurationHost.system(isInterrupted: isInterrupted) { _ in nil }
            return String(decoding: try host.readFile(path), as: UTF8.self)
        } catch {
            return "unreadable: \(error.why)"
        }
    }

    @Test("a pipe gives what its writer writes, and the same to who reads it again")
    func pipe() throws {
        let pipe = Pipe()
        let path = "/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)"
        try pipe.fileHandleForWriting.write(contentsOf: Data("<zodb>\n</zodb>\n".utf8))
        try pipe.fileHandleForWriting.close()
        for _ in 1...2 { #expect(read(path) == "<zodb>\n</zodb>\n") }
    }

    @Test("a pipe with a name gives what is written to it the next time, and its first text no more")
    func named() throws {
        let folder = try Folder()
        let path = folder.pipe("conf")
        for text in ["first", "second"] {
            let writer = Thread { try? FileHandle(forWritingAtPath: path)?.write(contentsOf: Data(text.utf8)) }
            writer.start()
            #expect(read(path) == text)
        }
    }

    @Test("a pipe that nobody writes to is an error; a writer who is silent is waited for until somebody wants an end")
    func silence() throws {
        let folder = try Folder()
        #expect(read(folder.pipe("lonely")).contains("nobody writes to it"))
        let silent = Pipe()
        let path = "/dev/fd/\(silent.fileHandleForReading.fileDescriptor)"
        #expect(read(path) { true } == "unreadable: interrupted")
        let ended = Pipe()
        try ended.fileHandleForWriting.close()
        #expect(read("/dev/fd/\(ended.fileHandleForReading.fileDescriptor)") == "")
    }

    @Test("what never ends, or is no text of such a size, is an error at once")
    func endless() throws {
        let folder = try Folder()
        #expect(read("/dev/zero").contains("found a device"))
        #expect(read("/dev/null") == "")
        #expect(read(folder.url.path).contains("directory"))
        let huge = folder.url.appending(path: "huge").path
        #expect(FileManager.default.createFile(atPath: huge, contents: nil))
        try #require(truncate(huge, 10 << 30) == 0)
        #expect(read(huge).contains("longer than"))
    }
}
