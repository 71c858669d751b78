import ByteCoding
import Foundation
import Storages
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import Shell

@Suite("Failures")
struct FailureTests {
    private static let oid = ObjectID(rawValue: 0x1a2b)
    private static let tid = TransactionID(rawValue: 0x040d_271c_e85d_ac99)

    /// Every case of `StorageError`, with what the shell must make of it.
    private static let cases: [(StorageError, ExitCode, code: String, message: String)] = [
        (.noSuchObject(oid), .data, "no-such-object", "zeoshell: cat: #0x1a2b: no such object"),
        (
            .noRevision(oid, at: tid), .data, "no-revision",
            "zeoshell: cat: #0x1a2b: did not exist at 2026-11-20T23:24:54.460761Z, transaction 040d271ce85dac99"
        ),
        (.noSuchTransaction(tid), .data, "no-such-transaction", "zeoshell: cat: 040d271ce85dac99: no such transaction"),
        (.noBlob(oid, serial: tid, "x"), .data, "no-blob", "zeoshell: cat: #0x1a2b: the blob's file is missing: x"),
        (.unsupported("cannot"), .refused, "unsupported", "zeoshell: cat: cannot"),
        (
            .corrupt("Data.fs", FormatError(.truncated(needed: 8, available: 2), at: 77)), .data, "corrupt",
            "zeoshell: cat: Data.fs: needs 8 bytes at offset 77, has 2"
        ),
        (.io("x.fs", errno: 2), .environment, "io", "zeoshell: cat: x.fs: No such file or directory (check the path)"),
        (.io("x.fs", errno: 28), .environment, "io", "zeoshell: cat: x.fs: No space left on device (the disk is full)"),
        (.interrupted, .interrupted, "interrupted", "zeoshell: cat: interrupted"),
        (
            .remote(className: "ZODB.POSException.ConflictError", message: "m"), .conflict, "conflict",
            "zeoshell: cat: the server raised ZODB.POSException.ConflictError: m"
        ),
        (
            .remote(className: "ZODB.POSException.ReadOnlyError", message: ""), .refused, "read-only",
            "zeoshell: cat: the server does not let us write: it is read-only, or its roles let this client read alone (without --rw it can be looked at; the server's log says who was refused, and why)"
        ),
        (
            .remote(className: "ZODB.POSException.StorageError", message: "no role lets this client read storage 1"),
            .refused, "refused-by-server",
            "zeoshell: cat: the server does not let us in: no role lets this client read storage 1 (the <role> sections"
        ),
        (.remote(className: "KeyError", message: "m"), .data, "remote", "zeoshell: cat: the server raised KeyError: m"),
        (
            .connection(.refused(address: "h:1")), .connection, "refused",
            "zeoshell: cat: h:1: connection refused: nothing listens there (is the server running"
        ),
        (
            .connection(.unreachable(address: "h:1", "no route")), .connection, "unreachable",
            "zeoshell: cat: h:1: cannot connect: no route (check"
        ),
        (
            .connection(.silent(address: "h:1", seconds: 10)), .connection, "silent",
            "zeoshell: cat: h:1: connected, but the server said nothing for 10 s (it may expect TLS"
        ),
        (
            .connection(.notZEO(address: "h:1", received: "HTTP")), .connection, "not-zeo",
            "zeoshell: cat: h:1: not a ZEO server: it said HTTP ("
        ),
        (
            .connection(.versionRefused(address: "h:1", theirs: "Z3", ours: "Z5")), .connection, "version-refused",
            "zeoshell: cat: h:1: no common protocol version: the server speaks Z3, we offered Z5 ("
        ),
        (
            .connection(.unknownStorage(address: "h:1", name: "main")), .connection, "unknown-storage",
            "zeoshell: cat: h:1: no storage named 'main' there (most servers call theirs 1: try zeo://h:1?storage=1)"
        ),
        (
            .connection(.lost(address: "h:1", "reset")), .connection, "connection-lost",
            "zeoshell: cat: h:1: connection lost: reset ("
        ),
        (
            .connection(.protocolError(address: "h:1", "odd")), .connection, "protocol-error",
            "zeoshell: cat: h:1: protocol error: odd ("
        ),
        (
            .connection(
                .noneOf(
                    addresses: "h:1,h:2",
                    [
                        .init(address: "h:1", .connection(.refused(address: "h:1"))),
                        .init(address: "h:2", .connection(.lost(address: "h:2", "reset"))),
                    ])), .connection, "no-server",
            "zeoshell: cat: h:1,h:2: none can be used: h:1: connection refused: nothing listens there; h:2: connection lost: reset (each says why)"
        ),
        (
            .connection(
                .noneOf(
                    addresses: "h:1,h:2",
                    [
                        .init(address: "h:1", .connection(.refused(address: "h:1"))),
                        .init(address: "h:2", .connection(.login(address: "h:2", .wrongPassword(user: "joe")))),
                    ])), .refused, "no-server",
            "zeoshell: cat: h:1,h:2: none can be used: h:1: connection refused: nothing listens there; h:2: "
        ),
    ]

    @Test("a message of a screenful is told by its beginning and its end; a script gets all of it")
    func clipped() {
        let path = String(repeating: "/a", count: 500_000) + "/end"
        let failure = ShellFailure.noSuchPath(path)
        let text = Diagnostics.text(failure, command: "ls", format: .plain)
        #expect(text.count < 600)
        #expect(text.hasPrefix("zeoshell: ls: /a/a/a"))
        #expect(text.contains("…") && text.hasSuffix("/a/a/end: no such object"))
        #expect(Diagnostics.text(failure, command: "ls", format: .json).contains(path))
    }

    @Test("an empty database and what is no file at all are told apart from damage")
    func nothingThere() throws {
        let empty = ShellFailure(StorageError.noSuchObject(.root), at: "/")
        #expect(empty.message(command: "ls").contains("the database is empty"))
        let pipe = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString)").path
        #expect(mkfifo(pipe, 0o600) == 0)
        defer { unlink(pipe) }
        let error = #expect(throws: StorageError.self) { _ = try FileStorage(pipe) }
        #expect(ShellFailure(try #require(error)).message(command: "ls").contains("may be a pipe or a device"))
    }

    @Test(
        "tell every storage error with its exit code, its word for scripts, where, what and what to try",
        arguments: cases.indices)
    func storageErrors(index: Int) throws {
        let (error, exitCode, code, message) = Self.cases[index]
        let failure = ShellFailure(error)
        #expect(failure.exitCode == exitCode)
        #expect(failure.code == code)
        #expect(Diagnostics.text(failure, command: "cat", format: .plain).hasPrefix(message))
        let json = try JSONValue(parsing: Array(Diagnostics.text(failure, command: "cat", format: .json).utf8))
        #expect(json["error"]?["code"] == .string(code))
        #expect(json["error"]?["command"] == .string("cat"))
        #expect(json["error"]?["message"] != nil)
    }

    @Test("name the path where the command knows it better than the storage")
    func place() {
        let failure = ShellFailure(StorageError.noSuchObject(Self.oid), at: "/Plone/news")
        #expect(failure.message(command: "cat").hasPrefix("zeoshell: cat: /Plone/news: no such object"))
        #expect(failure.details.first == .init("oid", "0000000000001a2b"))
    }

    @Test("let no control character of a server's or a file's words through")
    func harmless() {
        let failure = ShellFailure(StorageError.remote(className: "X", message: "\u{1b}[2J"))
        #expect(!Diagnostics.text(failure, command: nil, format: .plain).contains("\u{1b}"))
        #expect(!Diagnostics.text(failure, command: nil, format: .jsonl).contains("\u{1b}"))
    }
}

@Suite("Suggestions")
struct SuggestionTests {
    private func advice(_ line: String) -> String? {
        let name = line.split(separator: " ").first.map(String.init) ?? ""
        return Suggestions.unknown(name, line).advice
    }

    @Test(
        "find the nearest commands",
        arguments: [("lgo", "log"), ("inf", "info"), ("refersh", "refresh"), ("quti", "quit"), ("exti", "quit")])
    func nearest(typed: String, meant: String) {
        #expect(Suggestions.nearest(typed).first == meant)
        #expect(Suggestions.nearest("xyzzy") == [])
    }

    @Test(
        "turn Zope's Python into paths",
        arguments: [
            ("app.acl_users", "cd /acl_users"), ("app.Plone.news", "cd /Plone/news"),
            ("app['my site'].title", "cd /my site/title"),
            ("root()[\"Application\"]", "cd //Application"), ("app.acl_users.getUsers()", "cd /acl_users/getUsers"),
            ("app", "cd /"),
        ])
    func zope(line: String, hint: String) throws {
        #expect(try #require(advice(line)).contains(hint))
    }

    @Test(
        "know words of other programs",
        arguments: [("dir", "ls"), ("select * from x", "find"), ("delete", "unset")])
    func thesaurus(line: String, hint: String) throws {
        #expect(try #require(advice(line)).contains(hint))
    }

    @Test("take a path alone for a place to go")
    func paths() throws {
        #expect(try #require(advice("/Plone")).contains("cd /Plone"))
        #expect(try #require(advice("#1a2b")).contains("cd #1a2b"))
    }

    @Test("count swapped neighbours as one mistake")
    func distance() {
        #expect(Suggestions.distance(Array("ls"), Array("sl")) == 1)
        #expect(Suggestions.distance(Array("find"), Array("fnid")) == 1)
        #expect(Suggestions.distance(Array(""), Array("abc")) == 3)
        #expect(Suggestions.distance(Array("kitten"), Array("sitting")) == 3)
    }
}
