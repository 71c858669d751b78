import Foundation
import TestSupport
import Testing

@Suite(
    "At a terminal, a server is watched", .serialized,
    .enabled(if: PythonPeer.zeo6.isReady, Comment(rawValue: PythonPeer.zeo6.reason)))
struct WatchLiveTests {
    private static let prepare = """
        from persistent.mapping import PersistentMapping
        root['a'] = PersistentMapping()
        transaction.commit()
        """

    private func edit(_ number: Int) -> String {
        "root['a']['x'] = \(number)\ntransaction.get().setUser('joe')\ntransaction.get().note('edit \(number)')\ntransaction.commit()"
    }

    private func serve() throws -> (server: PythonServer, address: String) {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        try server.client(Self.prepare)
        guard case .port(let port) = server.address else { throw PseudoTerminal.Failure(description: "no port") }
        return (server, "127.0.0.1:\(port)")
    }

    private func connect(_ address: String) throws -> Shell {
        let shell = try Shell(address)
        try shell.terminal.wait(for: "ZEO server, protocol")
        try shell.waitForPrompt("\(address) / ›")
        return shell
    }

    @Test("watch shows each commit when it happens; Ctrl-C leads back to the prompt, which has seen it, too")
    func watch() throws {
        let (server, address) = try serve()
        let shell = try connect(address)
        shell.terminal.send("watch\n")
        try shell.terminal.wait(for: "watching \(address); Ctrl-C ends")
        try server.client(edit(1))
        try shell.terminal.wait(for: "the commit") { screen in
            screen.lines.contains { $0.contains("/ joe") && $0.contains("edit 1") && $0.hasSuffix("/a") }
        }
        #expect(shell.terminal.screen.lines.contains { $0.hasPrefix("time") && $0.hasSuffix("changed") })
        try server.client(edit(2))
        try shell.terminal.wait(for: "edit 2")
        shell.terminal.send("\u{3}")
        try shell.waitForPrompt("\(address) / ↻2 ›")
        // The session is where it was.
        shell.terminal.send("get /a/x\n")
        try shell.terminal.wait(for: "/a has no item or attribute x")
        shell.terminal.send("refresh\n")
        try shell.waitForPrompt("\(address) / ›")
        shell.terminal.send("get /a/x\n")
        try shell.terminal.wait(for: "line '2'") { $0.lines.contains("2") }
        #expect(!shell.terminal.screen.text.contains("interrupted"))
    }

    @Test("top draws the screen, hears its keys, and gives the terminal back")
    func top() throws {
        let (server, address) = try serve()
        let shell = try connect(address)
        let terminal = shell.terminal
        terminal.send("top -i 1\n")
        try terminal.wait(for: "commits   objects     bytes  user")
        #expect(!terminal.isCooked)
        try server.client(edit(1))
        try terminal.wait(for: "1         1")
        try terminal.wait(for: "/ joe")
        #expect(terminal.screen.lines[0].hasPrefix("\(address) · ZEO 5 or 6 · "))
        #expect(terminal.screen.lines[2].contains("1 client · in transactions 0 · waiting 0 · lock free"))
        #expect(terminal.screen.lines[23].hasPrefix("keys u c p t: by [user]"))
        terminal.send("p")
        try terminal.wait(for: "the path") { screen in screen.lines.contains { $0.hasSuffix("  /a") } }
        terminal.send("c")
        try terminal.wait(for: "persistent.mapping.PersistentMapping")
        terminal.send("s")
        try terminal.wait(for: "s: sort, by commits")
        terminal.resize(rows: 10, columns: 60)
        try terminal.wait(for: "the smaller screen") { screen in
            screen.lines[0].hasPrefix(address) && screen.lines[9].hasPrefix("keys u c p t")
        }
        terminal.send("q")
        try shell.waitForPrompt("\(address) / ↻1 ›")
        #expect(String(decoding: terminal.transcript, as: UTF8.self).contains("\u{1b}[?1049l"))
        // The line editor has the terminal again.
        terminal.send("pwd\n")
        try terminal.wait(for: "path  /")
    }

    @Test("however top ends, the terminal is as it was", arguments: ["Ctrl-C", "SIGTERM", "SIGHUP", "q"])
    func end(_ way: String) throws {
        let (server, address) = try serve()
        defer { withExtendedLifetime(server) {} }
        let home = FileManager.default.temporaryDirectory.appending(path: "top-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: home) }
        let terminal = try PseudoTerminal(
            BuiltProgram.zeoshell.url.path, ["top", address, "--timeout", "60"],
            environment: ["HOME": home.path, "TERM": "vt100", "TZ": "UTC", "LC_ALL": "C.UTF-8"])
        try terminal.wait(for: "keys u c p t")
        #expect(!terminal.isCooked)
        switch way {
        case "Ctrl-C": terminal.send("\u{3}")
        case "SIGTERM": terminal.signal(SIGTERM)
        case "SIGHUP": terminal.signal(SIGHUP)
        default: terminal.send("q")
        }
        #expect(try terminal.exitStatus() == ["Ctrl-C": 130, "q": 0][way] ?? 143)
        #expect(terminal.isCooked)
        let text = String(decoding: terminal.transcript, as: UTF8.self)
        #expect(text.contains("\u{1b}[?1049h") && text.hasSuffix("\u{1b}[?25h\u{1b}[?1049l"))
    }
}
