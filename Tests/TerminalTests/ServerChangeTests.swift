import Foundation
import TestSupport
import Testing

/// What a person at the prompt is told when a server hangs, goes, or is another.
@Suite("At a terminal, when servers come and go", .serialized)
struct ServerChangeTests {
    /// Whether a text is on the screen, which may break it anywhere.
    private static func words(_ screen: Screen, _ text: String) -> Bool {
        screen.lines.joined().filter { $0 != " " }.contains(text.filter { $0 != " " })
    }

    @Test("a server that hangs is waited for, and it is said for how long; Ctrl-C gives up")
    func hanging() throws {
        let server = try ZEOServerProcess()
        let shell = try Shell("127.0.0.1:\(server.port)")
        let name = "127.0.0.1:\(server.port) /"
        try shell.waitForPrompt("\(name) ›")
        kill(server.processID, SIGSTOP)
        defer { kill(server.processID, SIGCONT) }
        shell.terminal.send("refresh\n")
        try shell.terminal.wait(for: "still waiting for 127.0.0.1:\(server.port), ")
        try shell.terminal.wait(for: " s; Ctrl-C gives up")
        shell.terminal.send("\u{3}")
        try shell.waitForPrompt("\(name) ›")
        kill(server.processID, SIGCONT)
        shell.terminal.send("info --fields mode\n")
        try shell.terminal.wait(for: "mode  read-only")
        try shell.waitForPrompt("\(name) ›")
    }

    @Test("a server that lets nobody write is said to be one, and so is the return of one that does")
    func fallback() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "servers-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func serve(_ name: String, options: String = "") throws -> ZEOServerProcess {
            let copy = folder.appending(path: "\(name).fs")
            try FileManager.default.copyItem(atPath: SampleData.path("fs/zope5.fs"), toPath: copy.path)
            return try ZEOServerProcess(
                storages: "<filestorage 1>\n  path \(copy.path)\n</filestorage>", options: options)
        }
        let (a, b) = (try serve("a", options: "  read-only true"), try serve("b"))
        let shell = try Shell(
            "127.0.0.1:\(a.port),127.0.0.1:\(b.port)", arguments: ["--rw", "--read-only-fallback"])
        let name = "127.0.0.1:\(a.port),… /"
        try shell.waitForPrompt("\(name) RW ›")
        b.kill()
        // The prompt is asked for until it knows.
        try shell.terminal.wait(for: "the other server") { screen in
            if screen.currentLine.hasSuffix("›") { shell.terminal.send("ls --limit 1\n") }
            Thread.sleep(forTimeInterval: 0.1)
            return Self.words(
                screen,
                "127.0.0.1:\(a.port) has taken the place of 127.0.0.1:\(b.port); "
                    + "127.0.0.1:\(a.port) lets nobody write: read-only until")
        }
        try shell.waitForPrompt("\(name) ›")
        shell.terminal.send("set /.title 'x'\n")
        try shell.terminal.wait(for: "this server lets nobody write; one that")
        try b.start()
        try shell.terminal.wait(for: "the return") { screen in
            if screen.currentLine == "\(name) ›" { shell.terminal.send("\n") }
            Thread.sleep(forTimeInterval: 0.1)
            return Self.words(
                screen,
                "127.0.0.1:\(b.port) has taken the place of 127.0.0.1:\(a.port); "
                    + "127.0.0.1:\(b.port) lets us write: read-write from here on")
        }
        try shell.waitForPrompt("\(name) RW ›")
    }
}
