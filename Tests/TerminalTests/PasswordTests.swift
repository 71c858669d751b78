import Foundation
import TestSupport
import Testing

@Suite("A password at a terminal")
struct PasswordTests {
    private static let secret = "rescue-pw 1"

    /// A copy of the site, to be changed.
    private func copy() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "password-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appending(path: "site.fs")
        try FileManager.default.copyItem(
            at: URL(filePath: SampleData.path("rescue/lost-password-zope5.fs")), to: file)
        return file
    }

    private let prompt = "site.fs / FILE RW ›"

    @Test("it is asked for twice, never shown, and kept nowhere in the clear")
    func typed() throws {
        let file = try copy()
        defer { try? FileManager.default.removeItem(at: file.deletingLastPathComponent()) }
        let shell = try Shell(file.path, arguments: ["--rw"], columns: 120)
        try shell.waitForPrompt(prompt)
        shell.terminal.send("passwd admin\n")
        try shell.terminal.waitForLine("New password for admin in /acl_users:")
        shell.terminal.send(Self.secret + "\n")
        try shell.terminal.waitForLine("Again:")
        shell.terminal.send(Self.secret + "\n")
        try shell.terminal.wait(for: "Stage it? [y/N]")
        shell.terminal.send("y\n")
        try shell.waitForPrompt("site.fs / FILE RW *1 ›")
        shell.terminal.send("commit -y\n")
        try shell.terminal.wait(for: "undo with: undo")
        try shell.waitForPrompt(prompt)
        shell.terminal.send("quit\n")
        #expect(try shell.terminal.exitStatus() == 0)
        let shown = String(decoding: shell.terminal.transcript, as: UTF8.self)
        #expect(!shown.contains(Self.secret))
        // History and journal have the line, and not the secret; neither has the database.
        let state = shell.historyFile.deletingLastPathComponent()
        var noted = ""
        for name in try FileManager.default.contentsOfDirectory(atPath: state.path) {
            noted += (try? String(contentsOf: state.appending(path: name), encoding: .utf8)) ?? ""
        }
        #expect(noted.contains("passwd admin") && !noted.contains(Self.secret))
        #expect(try Data(contentsOf: file).range(of: Data(Self.secret.utf8)) == nil)
        if PythonPeer.zope5.isReady {
            let verdict = try PythonPeer.zope5.run(
                """
                import sys, Zope2, ZODB
                from ZODB.FileStorage import FileStorage
                app = ZODB.DB(FileStorage(sys.argv[1], read_only=True)).open().root()['Application']
                admin = app.acl_users.getUser('admin')
                print(admin.authenticate(sys.argv[2], None), admin.authenticate(sys.argv[2] + 'x', None))
                """, [file.path, Self.secret])
            #expect(verdict == "True False\n")
        }
    }

    @Test("two that differ stage nothing; neither does Ctrl-C, after which the terminal shows again what is typed")
    func refused() throws {
        let file = try copy()
        defer { try? FileManager.default.removeItem(at: file.deletingLastPathComponent()) }
        let shell = try Shell(file.path, arguments: ["--rw"], columns: 120)
        try shell.waitForPrompt(prompt)
        shell.terminal.send("passwd admin\n")
        try shell.terminal.waitForLine("New password for admin in /acl_users:")
        shell.terminal.send("one\n")
        try shell.terminal.waitForLine("Again:")
        shell.terminal.send("another\n")
        try shell.terminal.wait(for: "the two are not the same: nothing was done")
        try shell.waitForPrompt(prompt)
        shell.terminal.send("passwd admin\n")
        try shell.terminal.wait(for: "second question") { screen in
            screen.currentLine == "New password for admin in /acl_users:"
        }
        shell.terminal.send("half\u{3}")
        try shell.terminal.wait(for: "passwd: interrupted")
        try shell.waitForPrompt(prompt)
        shell.terminal.send("status\n")
        try shell.terminal.wait(for: "nothing staged")
        try shell.waitForPrompt(prompt)
        shell.terminal.send("quit\n")
        #expect(try shell.terminal.exitStatus() == 0)
        #expect(shell.terminal.isCooked)
    }
}
