import Foundation
import TestSupport
import Testing

@Suite("zeoserver with TLS, roles and logins")
struct ProgramTests {
    private func folder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "zeoserver-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    @Test("passwd adds, changes, lists and deletes users, their passwords from standard input")
    func passwd() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "passwords").path
        func run(_ arguments: [String], input: String = "") throws -> BuiltProgram.Outcome {
            try BuiltProgram.zeoserver.run(["passwd", file] + arguments, input: input)
        }
        #expect(try run([]).status == 2)
        #expect(try run(["joe", "--realm", "testrealm"], input: "secret\n").status == 0)
        #expect(
            try String(contentsOfFile: file, encoding: .utf8)
                == "realm testrealm\njoe: 5368f73142f435424e0f80ac0571e3c9d1c7b02a\n")
        #expect(try run(["ann"], input: "another\n").status == 0)
        #expect(try run([]).output == "realm testrealm\nann\njoe\n")
        #expect(try run(["joe"], input: "").status == 2)
        #expect(try run(["bob", "--delete"]).status == 2)
        #expect(try run(["joe", "--delete"]).status == 0)
        #expect(try run([]).output == "realm testrealm\nann\n")
        #expect(try run(["a:b"], input: "x\n").errors.contains("cannot be a user's name"))
        let other = try run(["ann", "--realm", "another"], input: "x\n")
        #expect(other.status == 2)
        let expected = "zeoserver: passwd: \(file): its passwords are for the realm 'testrealm', not 'another'"
        #expect(other.errors.hasPrefix(expected), "\(other.errors)")
        #expect(try run(["ann", "--realm", "testrealm"], input: "x\n").status == 0)
        #expect(try run(["--realm", "testrealm"]).errors.contains("--realm goes with a user"))
        #expect(try run(["ann"], input: String(repeating: "x", count: 5000)).errors.contains("more than 4096 bytes"))
    }

    @Test("passwd begins a file for a realm that a line can hold, and reads none that is no file")
    func realm() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "passwords").path
        for realm in ["", " a", "a\nb"] {
            let outcome = try BuiltProgram.zeoserver.run(["passwd", file, "joe", "--realm", realm], input: "x\n")
            #expect(outcome.status == 2 && outcome.errors.contains("cannot be a realm's name"), "\(outcome.errors)")
        }
        try #require(mkfifo(file, 0o600) == 0)
        let pipe = try BuiltProgram.zeoserver.run(["passwd", file])
        #expect(pipe.status == 2 && pipe.errors.contains("expected a regular file"))
    }

    @Test("certs prints paths that can be pasted into a file of any directory", .needsOpenSSL)
    func absolute() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let program = BuiltProgram(url: URL(filePath: "/bin/sh"))
        let line = "cd '\(folder.path)' && '\(BuiltProgram.zeoserver.url.path)' certs ./tls --client 'a b'"
        let wrong = try program.run(["-c", line])
        #expect(wrong.status == 2)
        #expect(wrong.errors.hasPrefix("zeoserver: certs: expected a certificate's name"), "\(wrong.errors)")
        let made = try program.run(["-c", line.replacing("'a b'", with: "zope1")])
        #expect(made.output.contains("certificate  \(folder.path)/tls/zope1.pem"), "\(made.output)\(made.errors)")
        #expect(!made.output.contains("./tls"))
    }

    @Test("what certs makes and prints is what a server and a client need", .needsOpenSSL, .needs(.zeo6))
    func certs() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let tls = folder.appending(path: "tls").path
        let made = try BuiltProgram.zeoserver.run(["certs", tls, "--host", "localhost", "--client", "zope1"])
        #expect(made.status == 0)
        #expect(made.output.contains("certificate  \(tls)/server.pem"))
        #expect(try BuiltProgram.zeoserver.run(["certs", tls, "--client", "zope2"]).status == 0)
        let again = try BuiltProgram.zeoserver.run(["certs", tls, "--client", "zope2"])
        #expect(again.errors.contains("is there already"))
        let server = try ZEOServerProcess(
            options: """
                <ssl>
                  certificate \(tls)/server.pem
                  key \(tls)/server.key
                  authenticate \(tls)/ca.pem
                </ssl>
                <role sites>
                  allow read, write
                  certificate CN=zope1
                </role>
                """)
        func client(_ name: String, wait: Int) throws -> String {
            let options = [
                "certificate \(tls)/\(name).pem", "key \(tls)/\(name).key", "authenticate \(tls)/ca.pem",
                "server-hostname localhost",
            ]
            return try PythonPeer.zeo6.run(
                script: "tlsclient.py",
                ["\(server.port)", "\(wait)", options.joined(separator: ";"), "print('in')"])
        }
        #expect(try client("zope1", wait: 60) == "in\n")
        #expect(throws: PythonFailure.self) { try client("zope2", wait: 3) }
        #expect(server.logText.contains("(certificate CN=zope2) is not let in to storage 1: no role lets it read"))
    }

    @Test("a server whose protection is not to be had does not start")
    func unprotected() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "zeo.conf")
        try """
        <zeo>
          address 127.0.0.1:0
          authentication-protocol digest
          authentication-database \(folder.path)/passwords
        </zeo>
        <mappingstorage 1>
        </mappingstorage>
        """.write(to: file, atomically: true, encoding: .utf8)
        try "joe\n".write(to: folder.appending(path: "passwords"), atomically: true, encoding: .utf8)
        let outcome = try BuiltProgram.zeoserver.run(["-C", file.path])
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("line 1 is not `user: hash`"))
    }
}
