import Foundation
import TestSupport
import Testing

@Suite(
    "At a terminal, before a live server", .serialized,
    .enabled(if: PythonPeer.zeo6.isReady, Comment(rawValue: PythonPeer.zeo6.reason)))
struct LiveTests {
    private func connect(_ server: PythonServer) throws -> (shell: Shell, name: String) {
        guard case .port(let port) = server.address else { throw PseudoTerminal.Failure(description: "no port") }
        let shell = try Shell("127.0.0.1:\(port)")
        try shell.terminal.wait(for: "ZEO server, protocol")
        let name = "127.0.0.1:\(port) /"
        try shell.waitForPrompt("\(name) ›")
        return (shell, name)
    }

    @Test("another client's commit shows in the prompt; refresh looks at it")
    func commit() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        try server.client("root['answer'] = 41; transaction.get().note('first'); transaction.commit()")
        let (shell, name) = try connect(server)
        try server.client("root['answer'] = 42; transaction.get().note('second'); transaction.commit()")
        // The invalidation arrives when it arrives: the prompt is asked for until it knows.
        try shell.terminal.wait(for: "news") { screen in
            if screen.currentLine == "\(name) ›" { shell.terminal.send("\n") }
            Thread.sleep(forTimeInterval: 0.05)
            return screen.currentLine == "\(name) ↻1 ›"
        }
        try shell.terminal.wait(for: "others committed 1 transaction (1 object); 'refresh' looks at the new state")
        shell.terminal.send("log --limit 1 --fields description\n")
        try shell.terminal.wait(for: "line 'first'") { $0.lines.contains("first") }
        shell.terminal.send("refresh\n")
        try shell.terminal.wait(for: "new transactions  1")
        try shell.waitForPrompt("\(name) ›")
        shell.terminal.send("log --limit 1 --fields description\n")
        try shell.terminal.wait(for: "line 'second'") { $0.lines.contains("second") }
    }

    @Test("Ctrl-C ends a running command of our own and keeps the prompt")
    func interruption() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        let (shell, name) = try connect(server)
        shell.terminal.send("ping --count 1000000 --interval 0 | cat -n\n")
        try shell.terminal.wait(for: "many pings") { $0.lines.contains { $0.hasPrefix("   1") } }
        shell.terminal.send("\u{3}")
        try shell.waitForPrompt("\(name) ›")
        shell.terminal.send("info --fields mode\n")
        try shell.terminal.wait(for: "mode  read-only")
        // What is written says that the command runs: before that, Ctrl-C would be for the line.
        let pings = FileManager.default.temporaryDirectory.appending(path: "pings-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: pings) }
        shell.terminal.send("ping --count 1000000 --interval 0 > \(pings)\n")
        try shell.terminal.waitForFile(pings)
        shell.terminal.send("\u{3}")
        try shell.terminal.wait(for: " sent, ")
        try shell.waitForPrompt("\(name) ›")
    }

    @Test("a lost connection shows in the prompt, and comes back")
    func lost() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        let (shell, name) = try connect(server)
        server.kill()
        try shell.terminal.wait(for: "mark of a lost connection") { screen in
            if screen.currentLine == "\(name) ›" { shell.terminal.send("\n") }
            Thread.sleep(forTimeInterval: 0.05)
            return screen.currentLine == "\(name) OFFLINE ?›"
        }
        shell.terminal.send("ping\n")
        try shell.terminal.wait(for: "zeoshell: ping: \(name.dropLast(2)): connection refused")
        try server.start()
        try shell.terminal.wait(for: "the connection") { screen in
            if screen.currentLine == "\(name) OFFLINE ?›" { shell.terminal.send("ping\n") }
            Thread.sleep(forTimeInterval: 0.2)
            return screen.currentLine == "\(name) ›"
        }
    }
}
