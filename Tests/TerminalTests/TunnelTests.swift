import Foundation
import TestSupport
import Testing

@Suite(
    "Through ssh", .serialized,
    .enabled(if: SSHServer.missing == nil, Comment(rawValue: SSHServer.missing ?? "")),
    .enabled(if: PythonPeer.zeo6.isReady, Comment(rawValue: PythonPeer.zeo6.reason)))
struct TunnelTests {
    private func serve() throws -> (server: PythonServer, address: String) {
        let server = try PythonServer(.zeo6, serving: ["1": SampleData.path("fs/undo.fs")])
        guard case .port(let port) = server.address else { throw CancellationError() }
        return (server, "127.0.0.1:\(port)")
    }

    private func eventually(_ condition: () -> Bool) -> Bool {
        for _ in 0..<1200 {
            if condition() { return true }
            usleep(50_000)
        }
        return false
    }

    @Test("a script reaches the server; what ssh says is said when it does not")
    func script() throws {
        let ssh = try SSHServer()
        let (server, address) = try serve()
        func run(_ arguments: [String], _ path: String) throws -> BuiltProgram.Outcome {
            try BuiltProgram.zeoshell.run(
                arguments + ["--timeout", "60"], environment: ["PATH": path, "HOME": ssh.folder.path])
        }
        let found = try run(["info", address, "--ssh", ssh.destination, "--fields", "kind,ssh"], ssh.searchPath())
        #expect(found.status == 0, "\(found.errors)")
        #expect(found.output.contains("ZEO server, protocol Z5") && found.output.contains("@127.0.0.1"))
        #expect(found.errors.isEmpty)
        #expect(eventually { ssh.clientCount == 0 })

        let stranger = try run(["info", address, "--ssh", ssh.destination], ssh.searchPath("stranger-bin"))
        #expect(stranger.status == 4)
        #expect(stranger.errors.contains("no way through ssh") && stranger.errors.contains("Permission denied"))
        let nobody = try run(["info", "127.0.0.1:1", "--ssh", ssh.destination], ssh.searchPath())
        #expect(nobody.status == 4)
        #expect(nobody.errors.contains("Connection refused"))
        let none = try run(["info", address, "--ssh", ssh.destination], "/nowhere")
        #expect(none.status == 4)
        #expect(none.errors.contains("no way through ssh") && none.errors.contains("not found"), "\(none.errors)")
        // An option of ssh is no host, and a file is no server.
        let option = try run(["info", address, "--ssh=-oProxyCommand=touch \(ssh.path("owned"))"], ssh.searchPath())
        #expect(option.status != 0)
        #expect(option.errors.contains("is no host for ssh"))
        #expect(!FileManager.default.fileExists(atPath: ssh.path("owned")))
        let file = try run(
            ["info", "file://" + SampleData.path("fs/undo.fs"), "--ssh", ssh.destination], ssh.searchPath())
        #expect(file.status == 2)
        server.kill()
    }

    @Test("passwords that are in the environment stay with the shell: neither ssh nor a command gets them")
    func secrets() throws {
        let ssh = try SSHServer()
        let (server, address) = try serve()
        defer { server.kill() }
        try ssh.makeProgram("telling", "env > '\(ssh.path("told"))'; exec '\(ssh.path("bin/ssh"))' \"$@\"")
        let outcome = try BuiltProgram.zeoshell.run(
            [address, "--ssh", ssh.destination, "--timeout", "60", "-c", "ls / | env", "-c", "!env"],
            environment: [
                "PATH": ssh.searchPath("telling"), "HOME": ssh.folder.path, "ZEOSHELL_PASSWORD": "first secret",
                "ZEOSHELL_KEY_PASSWORD": "second secret", "ZEOSHELL_VAR_PLACE": "a place",
            ])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let told = try String(contentsOfFile: ssh.path("told"), encoding: .utf8)
        #expect(told.contains("ZEOSHELL_VAR_PLACE=a place") && !told.contains("secret"), "\(told)")
        #expect(outcome.output.contains("ZEOSHELL_VAR_PLACE=a place") && !outcome.output.contains("secret"))
    }

    @Test("a restart of the server is survived through a new ssh; a kill of the shell leaves none behind")
    func survival() throws {
        let ssh = try SSHServer()
        let (server, address) = try serve()
        let shell = try Shell(
            address, arguments: ["--ssh", ssh.destination], environment: ["PATH": ssh.searchPath()], columns: 120)
        let prompt = "\(address) / ›"
        try shell.terminal.wait(for: "ZEO server, protocol Z5")
        try shell.waitForPrompt(prompt)
        #expect(ssh.clientCount == 1)
        // Ctrl-C is for the command that runs, and not for ssh.
        shell.terminal.send("ping --count 1000000 --interval 0 --limit 0 | cat -n\n")
        try shell.terminal.wait(for: "many pings") { $0.lines.contains { $0.hasPrefix("   1") } }
        shell.terminal.send("\u{3}")
        try shell.waitForPrompt(prompt)
        shell.terminal.send("info --fields mode\n")
        try shell.terminal.wait(for: "mode  read-only")
        #expect(ssh.clientCount == 1)
        server.kill()
        #expect(eventually { ssh.clientCount == 0 })
        try shell.terminal.wait(for: "mark of a lost connection") { screen in
            if screen.currentLine == prompt { shell.terminal.send("\n") }
            Thread.sleep(forTimeInterval: 0.05)
            return screen.currentLine == "\(address) / OFFLINE ?›"
        }
        try server.start()
        try shell.terminal.wait(for: "the connection") { screen in
            if screen.currentLine == "\(address) / OFFLINE ?›" { shell.terminal.send("ping\n") }
            Thread.sleep(forTimeInterval: 0.2)
            return screen.currentLine == prompt
        }
        #expect(ssh.clientCount == 1)
        shell.terminal.signal(SIGKILL)
        #expect(eventually { ssh.clientCount == 0 })
    }

    @Test("at a terminal ssh may ask, and Ctrl-C at its question ends it and leaves the terminal as it was")
    func asks() throws {
        let ssh = try SSHServer()
        let (server, address) = try serve()
        defer { server.kill() }
        try ssh.makeProgram(
            "asking",
            """
            case "$*" in *BatchMode=no*) ;; *) echo 'may not ask' >&2; exit 255 ;; esac
            printf 'fake question: ' > /dev/tty
            read answer < /dev/tty
            [ "$answer" = yes ] || { echo 'not yes' >&2; exit 255; }
            exec '\(ssh.path("bin/ssh"))' "$@"
            """)
        func shell() throws -> Shell {
            try Shell(
                address, arguments: ["--ssh", ssh.destination], environment: ["PATH": ssh.searchPath("asking")],
                columns: 120)
        }
        let answered = try shell()
        try answered.terminal.wait(for: "fake question:")
        answered.terminal.send("yes\n")
        try answered.terminal.wait(for: "ZEO server, protocol Z5")
        let refused = try shell()
        try refused.terminal.wait(for: "fake question:")
        refused.terminal.send("no\n")
        try refused.terminal.wait(for: "not yes")
        #expect(try refused.terminal.exitStatus() == 4)
        let cancelled = try shell()
        try cancelled.terminal.wait(for: "fake question:")
        cancelled.terminal.send("\u{3}")
        #expect(try cancelled.terminal.exitStatus() == 130)
        #expect(cancelled.terminal.isCooked)
        #expect(eventually { ssh.clientCount <= 1 })
        answered.terminal.signal(SIGKILL)
        #expect(eventually { ssh.clientCount == 0 })
    }
}
