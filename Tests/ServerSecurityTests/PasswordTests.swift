import Foundation
import Logging
import TestSupport
import Testing
import ZEOProtocol

@testable import ServerCommand

@Suite("Password files")
struct PasswordTests {
    private func path(_ name: String = "passwords") -> String {
        FileManager.default.temporaryDirectory.appending(path: "\(name)-\(UUID().uuidString.prefix(8))").path
    }

    @Test("Python's server reads what is written here, and the other way round", .needs(.zeo4Python2))
    func python() throws {
        let file = path()
        defer { try? FileManager.default.removeItem(atPath: file) }
        var database = PasswordDatabase(realm: "our realm")
        try database.set("joe", password: "secret")
        try database.set("ann", password: "käse 1")
        try PrivateFile.replace(file, Array(database.text.utf8))
        let attributes = try FileManager.default.attributesOfItem(atPath: file)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let output = try PythonPeer.zeo4Python2.run(
            """
            import sys
            from ZEO.auth.auth_digest import DigestDatabase
            database = DigestDatabase(sys.argv[1])
            print database.realm
            print sorted(database._users) == ['ann', 'joe']
            kept = database.get_password('joe')
            database.change_password('joe', 'secret')
            print kept == database.get_password('joe')
            database.add_user('bob', 'another')
            database.save()
            """, [file])
        #expect(output == "our realm\nTrue\nTrue\n")
        let again = try PasswordDatabase(contentsOf: file)
        #expect(again.realm == "our realm")
        #expect(again.users == ["ann", "bob", "joe"])
        #expect(again.hashes["bob"] == DigestLogin.hash(user: "bob", realm: "our realm", password: "another"))
    }

    @Test("lines that are none are named by their number")
    func lines() throws {
        let hash = String(repeating: "0a", count: 20)
        #expect(try PasswordDatabase(parsing: "").users == [])
        #expect(try PasswordDatabase(parsing: "joe: \(hash) \r\n\n").hashes == ["joe": hash])
        #expect(throws: PasswordDatabaseError.line(2)) { try PasswordDatabase(parsing: "realm x\njoe\n") }
        #expect(throws: PasswordDatabaseError.line(1)) { try PasswordDatabase(parsing: ": \(hash)\n") }
        #expect(throws: PasswordDatabaseError.hash(1)) { try PasswordDatabase(parsing: "joe: secret\n") }
        #expect(throws: PasswordDatabaseError.hash(1)) { try PasswordDatabase(parsing: "joe: \(hash)0\n") }
        var database = PasswordDatabase(realm: "x")
        for name in ["", "a:b", "a\nb", " a", "realm x"] {
            #expect(throws: PasswordDatabaseError.name(name)) { try database.set(name, password: "p") }
        }
        #expect(throws: PasswordDatabaseError.noRealm) {
            var nameless = PasswordDatabase()
            try nameless.set("joe", password: "p")
        }
    }

    @Test("a server sees a change of the file at once, and keeps its users while it cannot be read")
    func changes() throws {
        let file = path()
        defer { try? FileManager.default.removeItem(atPath: file) }
        var database = PasswordDatabase(realm: "x")
        try database.set("joe", password: "one")
        try PrivateFile.replace(file, Array(database.text.utf8))
        let users = try PasswordFile(file, logger: Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() })
        #expect(users.hash(of: "joe") == DigestLogin.hash(user: "joe", realm: "x", password: "one"))
        try database.set("joe", password: "two")
        try PrivateFile.replace(file, Array(database.text.utf8))
        #expect(users.hash(of: "joe") == DigestLogin.hash(user: "joe", realm: "x", password: "two"))
        try FileManager.default.removeItem(atPath: file)
        #expect(users.hash(of: "joe") == DigestLogin.hash(user: "joe", realm: "x", password: "two"))
        _ = database.remove("joe")
        try PrivateFile.replace(file, Array(database.text.utf8))
        #expect(users.hash(of: "joe") == nil)
    }

    @Test("a link to the file stays one")
    func link() throws {
        let (file, link) = (path(), path("link"))
        defer { for name in [file, link] { try? FileManager.default.removeItem(atPath: name) } }
        try PrivateFile.replace(file, [1])
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
        try PrivateFile.replace(link, [2])
        #expect(try PrivateFile.contents(file) == [2])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == file)
        #expect(throws: FileFailure.self) { try PrivateFile.contents("/nonexistent/file") }
        #expect(throws: FileFailure.self) { try PrivateFile.replace("/nonexistent/file", []) }
    }
}
