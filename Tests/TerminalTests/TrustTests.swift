import Foundation
import TestSupport
import Testing

/// The program before servers that want to know who it is.
@Suite("Passwords and certificates, as a person gives them", .serialized)
struct TrustTests {
    private static let secret = "open sesame 7"

    private final class Scratch {
        let folder = FileManager.default.temporaryDirectory.appending(path: "secure-\(UUID().uuidString.prefix(8))")

        init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(at: folder) }

        func path(_ name: String) -> String { folder.appending(path: name).path }
    }

    /// Runs the shell's words in the system's shell.
    private func run(_ line: String, _ environment: [String: String] = [:]) throws -> BuiltProgram.Outcome {
        let zeoshell = BuiltProgram.zeoshell.url.path
        return try BuiltProgram(url: URL(filePath: "/bin/sh")).run(
            ["-c", line.replacingOccurrences(of: "zeoshell ", with: "'\(zeoshell)' ")], environment: environment)
    }

    /// A server of ours that knows joe.
    private func loginServer(_ scratch: Scratch) throws -> ZEOServerProcess {
        let passwords = scratch.path("passwords")
        let made = try BuiltProgram.zeoserver.run(
            ["passwd", passwords, "joe", "--realm", "our realm"], input: Self.secret + "\n")
        try #require(made.status == 0)
        return try ZEOServerProcess(
            options: """
                 authentication-protocol digest
                 authentication-database \(passwords)
                """)
    }

    @Test("a script logs in by a descriptor or the environment, and is told what is missing")
    func script() throws {
        let scratch = try Scratch()
        let server = try loginServer(scratch)
        let address = "127.0.0.1:\(server.port) --timeout 60"
        try (Self.secret + "\n").write(toFile: scratch.path("secret"), atomically: true, encoding: .utf8)
        let line = "zeoshell ping \(address) --username joe"
        let descriptor = try run("\(line) --login-password-fd 3 3< '\(scratch.path("secret"))'")
        #expect(descriptor.status == 0, "\(descriptor.errors)")
        #expect(try run(line, ["ZEOSHELL_PASSWORD": Self.secret]).status == 0)
        let missing = try run(line)
        #expect(missing.status == 2)
        #expect(missing.errors.contains("no password for joe") && missing.errors.contains("--login-password-fd N"))
        let wrong = try run(line, ["ZEOSHELL_PASSWORD": "not it"])
        #expect(wrong.status == 5)
        #expect(wrong.errors.contains("the server does not take this password for 'joe'"))
        let anonymous = try run("zeoshell ping \(address)")
        #expect(anonymous.status == 5)
        for outcome in [descriptor, missing, wrong, anonymous] {
            #expect(!(outcome.output + outcome.errors).contains("not it"))
            #expect(!(outcome.output + outcome.errors).contains(Self.secret))
        }
        let open = try ZEOServerProcess()
        let unasked = try run(
            "zeoshell ping 127.0.0.1:\(open.port) --timeout 60 --username joe", ["ZEOSHELL_PASSWORD": "x"])
        #expect(unasked.status == 0)
        #expect(unasked.errors.contains("asks for no login: nobody there knows that you are joe"))
    }

    @Test("at a terminal the password is asked for, never shown, and kept nowhere")
    func typed() throws {
        let scratch = try Scratch()
        let server = try loginServer(scratch)
        let address = "127.0.0.1:\(server.port)"
        let shell = try Shell(address, arguments: ["--username", "joe", "--rw"], columns: 120)
        try shell.terminal.waitForLine("Password of joe at \(address):")
        shell.terminal.send(Self.secret + "\n")
        try shell.terminal.wait(for: "ZEO server, protocol Z4")
        shell.terminal.send("info --fields login\n")
        try shell.terminal.wait(for: "joe, realm our realm")
        shell.terminal.send("quit\n")
        #expect(try shell.terminal.exitStatus() == 0)
        #expect(!String(decoding: shell.terminal.transcript, as: UTF8.self).contains(Self.secret))
        let state = shell.historyFile.deletingLastPathComponent()
        for name in (try? FileManager.default.contentsOfDirectory(atPath: state.path)) ?? [] {
            let text = (try? String(contentsOf: state.appending(path: name), encoding: .utf8)) ?? ""
            #expect(!text.contains(Self.secret), "\(name)")
        }
        #expect(server.logText.contains("(user joe) registered for storage 1"))
    }

    @Test(
        "certificates of `zeoserver certs`, an encrypted key whose pass phrase is asked for, and a key that lies open",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl"), "there is no `openssl` command"))
    func certificates() throws {
        let scratch = try Scratch()
        let made = try BuiltProgram.zeoserver.run(["certs", scratch.folder.path, "--host", "127.0.0.1"])
        try #require(made.status == 0, "\(made.errors)")
        let server = try ZEOServerProcess(
            options: """
                 <ssl>
                  certificate \(scratch.path("server.pem"))
                  key \(scratch.path("server.key"))
                  authenticate \(scratch.path("ca.pem"))
                 </ssl>
                """)
        let address = "127.0.0.1:\(server.port)"
        let words = "--cert '\(scratch.path("client.pem"))' --ca '\(scratch.path("ca.pem"))'"
        func ping(_ more: String, _ environment: [String: String] = [:]) throws -> BuiltProgram.Outcome {
            try run("zeoshell ping \(address) --timeout 60 \(words) \(more)", environment)
        }
        #expect(try ping("--key '\(scratch.path("client.key"))'").status == 0)
        let locked = scratch.path("locked.key")
        let lock = try BuiltProgram(url: URL(filePath: "/usr/bin/openssl")).run([
            "pkcs8", "-topk8", "-in", scratch.path("client.key"), "-out", locked, "-passout", "pass:\(Self.secret)",
        ])
        try #require(lock.status == 0)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: locked)
        #expect(try ping("--key '\(locked)'", ["ZEOSHELL_KEY_PASSWORD": Self.secret]).status == 0)
        let nobody = try ping("--key '\(locked)'")
        #expect(nobody.status == 2 && nobody.errors.contains("--key-password-fd N"))
        let shell = try Shell(
            address,
            arguments: ["--cert", scratch.path("client.pem"), "--key", locked, "--ca", scratch.path("ca.pem")],
            columns: 160)
        try shell.terminal.waitForLine("Pass phrase of \(locked):")
        shell.terminal.send(Self.secret + "\n")
        try shell.terminal.wait(for: "ZEO server, protocol Z5")
        shell.terminal.send("quit\n")
        #expect(try shell.terminal.exitStatus() == 0)
        #expect(!String(decoding: shell.terminal.transcript, as: UTF8.self).contains(Self.secret))
        let key = scratch.path("client.key")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
        let exposed = try ping("--key '\(key)'")
        #expect(exposed.status == 8 && exposed.errors.contains("(chmod 600 \(key))"))
        let plain = try run("zeoshell ping \(address) --timeout 1")
        #expect(plain.status == 4 && plain.errors.contains("--tls, --cert FILE, --ca FILE"))
    }
}
