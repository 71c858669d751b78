import ArgumentParser
import Foundation
import ObjectGraph
import Pickle
import Storages
import TestSupport
import Testing
import ZODB

@testable import Shell

/// A server that comes back while a command runs that began with what a cache had.
@Suite("Edits begun while the server was away", .serialized)
struct ReturnTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "return-\(UUID().uuidString)")
    private let server = MemoryStorage("db1")
    private var flag: String { folder.appending(path: "back").path }

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Desk.commit(
            [0: Made.root([("a", Made.reference(1, "app.Thing"))]), 1: Self.thing("first", "left alone")], to: server)
    }

    private static func thing(_ title: String, _ note: String) -> [UInt8] {
        Made.record("app.Thing", Made.dict([("title", Made.text(title)), ("note", Made.text(note))]))
    }

    /// - Parameters:
    ///   - note: what the cache has in place of the server's.
    ///   - editor: what the editor does, in the system's shell.
    private func look(note: String, editor: String = "true") throws -> Look {
        let script = folder.appending(path: "editor")
        try editor.write(to: script, atomically: true, encoding: .utf8)
        let (server, flag) = (server, flag)
        let look = try Look(
            StorageAddress(.server(host: "db1", port: 8800)), .interactive,
            environment: ["EDITOR": "/bin/sh \(Words.quoted(script.path))", "TMPDIR": folder.path],
            options: OpeningOptions(isWritable: true)
        ) { _, _, _ in
            ReturningStorage(
                MemoryStorage(sharing: server), isBack: { FileManager.default.fileExists(atPath: flag) },
                damage: { $0 == Self.thing("first", "left alone") ? Self.thing("first", note) : $0 })
        }
        return look
    }

    private var isEdited: String { "sed -i \"s/'first'/'mine'/\" \"$1\"\n" }
    private var returns: String { "touch \(Words.quoted(flag))\n" }

    private func stored() throws -> [UInt8] { try server.load(ObjectID(rawValue: 1), at: .latest).data }

    /// Files besides the editor and the flag.
    private func kept() throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.lastPathComponent.hasPrefix("zeoshell-") }
    }

    @Test("what the editor showed and the server does not have is refused, and the text is kept")
    func damaged() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let look = try look(note: "damaged", editor: isEdited + returns)
        let outcome = look.run("edit -y //a")
        #expect(outcome.code == .conflict, "\(outcome.errors)")
        #expect(outcome.errors.contains("the server came back, and has other bytes of the object"), "\(outcome.errors)")
        #expect(look.session.stagedCount == 0)
        let files = try kept()
        #expect(files.count == 1)
        let file = try #require(files.first)
        #expect(outcome.errors.contains("what you wrote is kept in \(file.path)"), "\(outcome.errors)")
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(text.contains("title = 'mine'") && text.contains("note = 'damaged'"), "\(text)")
        #expect(try stored() == Self.thing("first", "left alone"))
        // Once more, with the server.
        #expect(look.run("edit -y //a").code == .done)
        #expect(look.run("get //a/.note").output == "left alone\n")
        #expect(look.run("get //a/.title").output == "mine\n")
        #expect(try kept().count == 1)
    }

    @Test("what the server has as well is staged and committed")
    func same() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let look = try look(note: "left alone", editor: isEdited + returns)
        #expect(look.run("edit -y //a").errors.contains("//a"))
        #expect(look.session.stagedCount == 1)
        #expect(try kept().isEmpty)
        _ = try look.session.workspace.commit(TransactionMetadata())
        let workspace = try Workspace(MemoryStorage(sharing: server))
        let thing = try workspace.subject(of: .object(ObjectID(rawValue: 1), at: workspace.at))
        #expect(thing.text(of: "title") == "mine" && thing.text(of: "note") == "left alone")
    }

    @Test("what is answered only after the server is back is looked at again", arguments: ["damaged", "left alone"])
    func question(note: String) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let look = try look(note: note, editor: isEdited)
        let flag = flag
        look.session.questions = Questions { _ in
            _ = FileManager.default.createFile(atPath: flag, contents: nil)
            return "y"
        }
        let outcome = look.run("edit //a")
        let isSame = note == "left alone"
        #expect(outcome.code == (isSame ? .done : .conflict), "\(outcome.errors)")
        #expect(look.session.stagedCount == (isSame ? 1 : 0))
        #expect(try kept().count == (isSame ? 0 : 1))
    }

    @Test("a command that asked in between stages nothing, and does it when run again")
    func other() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let look = try look(note: "damaged")
        let flag = flag
        func stage() throws {
            _ = try look.session.edit(try EditOptions.parse([])) {
                let record = try look.session.workspace.object(ObjectID(rawValue: 1))
                _ = FileManager.default.createFile(atPath: flag, contents: nil)
                try look.session.workspace.stage(record.document.source, for: ObjectID(rawValue: 1))
                return .nothing
            }
        }
        let failure = #expect(throws: ShellFailure.self) { try stage() }
        #expect(failure?.exitCode == .conflict && failure?.what.contains("nothing was staged") == true)
        #expect(look.session.stagedCount == 0)
        #expect(throws: Never.self) { try stage() }
    }

    @Test(
        "what has no base to be compared with is made of the server's records alone",
        arguments: ["cp //a //b", "cp db2:8800:/a //b", "revert //a@TID"])
    func copies(_ line: String) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let look = try look(note: "damaged")
        let line = line.replacing("TID", with: "\(try server.lastTransaction())")
        let outcome = look.run(line)
        #expect(outcome.code == .connection, "\(outcome.errors)")
        #expect(outcome.errors.contains("not of what was kept of them; nothing was staged"), "\(outcome.errors)")
        #expect(look.session.stagedCount == 0)
        _ = FileManager.default.createFile(atPath: flag, contents: nil)
        #expect(look.run(line).code == .done)
        if line.hasPrefix("cp") { #expect(look.run("get //b/.note").output == "left alone\n") }
    }
}
