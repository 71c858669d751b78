import Foundation
import TestSupport
import Testing

/// A copy of a sample file that may be written to.
private final class Copy {
    let folder = FileManager.default.temporaryDirectory.appending(path: "change-\(UUID().uuidString)")
    var file: String { folder.appending(path: "Data.fs").path }

    init(_ sample: String = "fs/zope5.fs") throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: SampleData.path(sample), toPath: file)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }
}

@Suite("Changing a Data.fs at a terminal", .serialized)
struct ChangeFileTests {
    private static let prompt = "Data.fs / FILE RW ›"

    private func shell(_ copy: Copy, environment: [String: String] = [:]) throws -> Shell {
        let shell = try Shell(copy.file, arguments: ["--rw"], environment: environment)
        try shell.waitForPrompt(Self.prompt)
        return shell
    }

    @Test("set, status, diff, commit: each shows what a person needs, and the file has the change")
    func commit() throws {
        let copy = try Copy()
        let shell = try shell(copy)
        shell.terminal.send("set /.title 'New'\n")
        try shell.terminal.wait(for: "+ .title = 'New'")
        try shell.waitForPrompt("Data.fs / FILE RW *1 ›")
        shell.terminal.send("status\n")
        try shell.terminal.wait(for: "staged: 1 object, ")
        shell.terminal.send("commit -m 'a title'\n")
        try shell.terminal.wait(for: "Commit 1 object to Data.fs? [y/N/diff]")
        shell.terminal.send("diff\n")
        try shell.terminal.wait(for: "two questions") { screen in
            screen.lines.count { $0.hasPrefix("Commit 1 object to Data.fs? [y/N/diff]") } == 2
        }
        shell.terminal.send("y\n")
        try shell.terminal.wait(for: "— undo with: undo 0")
        try shell.waitForPrompt(Self.prompt)
        shell.terminal.send("log --limit 1 --fields description\n")
        try shell.terminal.wait(for: "a title")
        shell.terminal.send("quit\n")
        #expect(try shell.terminal.exitStatus() == 0)
        let read = try BuiltProgram.zeoshell.run(["get", copy.file, "/.title"])
        #expect(read.output == "New\n")
    }

    @Test("abort forgets; Ctrl-C at the question keeps the edits; Ctrl-D with edits asks")
    func abort() throws {
        let copy = try Copy()
        let shell = try shell(copy)
        shell.terminal.send("set /.title 'New'\n")
        try shell.waitForPrompt("Data.fs / FILE RW *1 ›")
        shell.terminal.send("commit\n")
        try shell.terminal.wait(for: "Commit 1 object to Data.fs? [y/N/diff]")
        shell.terminal.send("\u{3}")
        try shell.waitForPrompt("Data.fs / FILE RW *1 ›")
        shell.terminal.send("\u{4}")
        try shell.terminal.wait(for: "Leave, and lose them? [y/N]")
        shell.terminal.send("n\n")
        try shell.waitForPrompt("Data.fs / FILE RW *1 ›")
        shell.terminal.send("nonsense\n")
        try shell.terminal.wait(for: "unknown command")
        shell.terminal.send("abort\n")
        try shell.terminal.wait(for: "1 staged object forgotten")
        try shell.waitForPrompt(Self.prompt)
        shell.terminal.send("\u{4}")
        #expect(try shell.terminal.exitStatus() == 0)
    }

    @Test("edit: a mistake comes back marked, then the menu shows and stages")
    func edit() throws {
        let copy = try Copy()
        // The first time it makes a mistake, the second time it mends the marked line.
        let script = copy.folder.appending(path: "editor.sh")
        try """
        if grep -q '^# >>> ' "$1"; then sed -i "s/^title = \\[/title = 'Edited'/" "$1"
        else sed -i 's/^title = .*/title = [/' "$1"; fi
        """.write(to: script, atomically: true, encoding: .utf8)
        let shell = try shell(copy, environment: ["EDITOR": "/bin/sh \(script.path)"])
        shell.terminal.send("edit /site\n")
        try shell.terminal.wait(for: "is never closed")
        try shell.terminal.wait(for: "e edit again, q forget [e/q]")
        shell.terminal.send("e\n")
        try shell.terminal.wait(for: "y stage, d diff, e edit again, q forget [y/d/e/q]")
        shell.terminal.send("d\n")
        try shell.terminal.wait(for: "+ .title = 'Edited'")
        shell.terminal.send("y\n")
        try shell.waitForPrompt("Data.fs / FILE RW *1 ›")
        shell.terminal.send("abort\n")
        try shell.waitForPrompt(Self.prompt)
    }

    @Test("read-only until mode rw, and again after mode ro")
    func mode() throws {
        let copy = try Copy()
        let shell = try Shell(copy.file)
        try shell.waitForPrompt("Data.fs / FILE ›")
        shell.terminal.send("set /.title 'New'\n")
        try shell.terminal.wait(for: "read-only: nothing can be written")
        shell.terminal.send("mode rw\n")
        try shell.waitForPrompt(Self.prompt)
        shell.terminal.send("mode ro\n")
        try shell.waitForPrompt("Data.fs / FILE ›")
    }

    @Test("scripts: begin is wanted, the first error ends them and forgets, --continue goes on, a commit must follow")
    func scripts() throws {
        let copy = try Copy()
        let program = BuiltProgram.zeoshell
        func run(_ script: String, _ options: String...) throws -> BuiltProgram.Outcome {
            try program.run(["connect", copy.file, "--rw", "-f", "-"] + options, input: script)
        }
        func title() throws -> String { try program.run(["get", copy.file, "/.title"]).output }
        let before = try title()

        let unbegun = try run("set /.title 'x'\n")
        #expect(unbegun.status == 3)
        #expect(unbegun.errors.contains("(put 'begin' before it and 'commit' after it, or start with --auto-begin)"))

        let stopped = try run("begin\nset /.title 'x'\nset /nowhere/.y 1\ncommit -y\n")
        #expect(stopped.status == 3)
        #expect(stopped.errors.contains("standard input:3: stopped here"))
        #expect(stopped.errors.contains("1 staged object forgotten"))
        #expect(try title() == before)

        let forgotten = try run("set /.title 'x'\n", "--auto-begin")
        #expect(forgotten.status == 3)
        #expect(forgotten.errors.contains("the end was reached with no commit"))
        #expect(try title() == before)

        let unasked = try run("begin\nset /.title 'x'\ncommit\n")
        #expect(unasked.status == 3)
        #expect(unasked.errors.contains("-y answers beforehand"))

        let unexpected = try run("begin\nset /.title 'x'\ncommit -y --expect 2\nset /.title 'y'\ncommit -y\n")
        #expect(unexpected.status == 1)
        #expect(try title() == before)

        let continued = try run("begin\nset /nowhere/.y 1\nset /.title 'x'\ncommit -y\n", "--continue")
        #expect(continued.status == 3)
        #expect(try title() == "x\n")
    }

    @Test("one command: shows, needs -y where nobody can be asked, commits, and says nothing changed the second time")
    func oneShot() throws {
        let copy = try Copy()
        let program = BuiltProgram.zeoshell
        let words = ["set", copy.file, "/.title", "'One shot'", "--rw"]
        let readOnly = try program.run(words.dropLast() + ["-y"])
        #expect(readOnly.status == 5)
        let unasked = try program.run(words)
        #expect(unasked.status == 5)
        #expect(unasked.errors.contains("(-y answers beforehand)"))
        let tried = try program.run(words + ["--dry-run"])
        #expect(tried.status == 0)
        #expect(tried.output.hasPrefix("dry run: 1 object, "))
        #expect(try program.run(["get", copy.file, "/.title"]).output != "One shot\n")
        let done = try program.run(words + ["-y", "-m", "why", "-o", "json"])
        #expect(done.status == 0, "\(done.errors)")
        let answer = try JSONValue(parsing: Array(done.output.utf8))
        #expect(answer["objects"] == .number("1"))
        let log = try program.run(["log", copy.file, "--limit", "1", "--fields", "tid,description"])
        #expect(log.output == "\(answer["tid"]?.string ?? "?")\twhy\n")
        let again = try program.run(words + ["-y"])
        #expect(again.status == 0)
        #expect(again.errors == "nothing is staged: nothing to commit\n")
        #expect(try program.run(["set", copy.file, "/.n", "-5", "--rw", "-y"]).status == 0)
        #expect(try program.run(["get", copy.file, "/.n"]).output == "-5\n")
    }

    @Test("an overlay takes commits and leaves the file alone")
    func overlay() throws {
        let copy = try Copy()
        let before = try Data(contentsOf: URL(filePath: copy.file))
        let run = try BuiltProgram.zeoshell.run(
            ["connect", copy.file, "--overlay", "-f", "-"],
            input: "begin\nset /.title 'Trial'\ncommit -y\nget /.title\nmode\n")
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.hasSuffix("\nTrial\noverlay: nothing is written to the storage below\n"), "\(run.output)")
        #expect(try Data(contentsOf: URL(filePath: copy.file)) == before)
    }

    @Test(
        "what was written, Python reads",
        .enabled(if: PythonPeer.zeo6.isReady, Comment(rawValue: PythonPeer.zeo6.reason)))
    func python() throws {
        let copy = try Copy("fs/py3-zodb6.fs")
        let run = try BuiltProgram.zeoshell.run(
            ["connect", copy.file, "--rw", "-f", "-"],
            input: "begin\nset '//[\"answer\"]' {'a': [1, 'x', None], 'b': (2.5, True)}\ncommit -y -m 'for Python'\n")
        #expect(run.status == 0, "\(run.errors)")
        let read = try PythonPeer.zeo6.run(
            """
            import sys, ZODB, ZODB.FileStorage
            storage = ZODB.FileStorage.FileStorage(sys.argv[1], read_only=True)
            db = ZODB.DB(storage)
            print(db.open().root()['answer'])
            entry = storage.undoLog(0, -1)[0] if False else list(storage.iterator())[-1]
            print(entry.description.decode(), sorted(entry.extension))
            """, [copy.file])
        #expect(read.hasPrefix("{'a': [1, 'x', None], 'b': (2.5, True)}\nfor Python ['zeoshell', "), "\(read)")
    }
}

@Suite(
    "Changing a live database at a terminal", .serialized,
    .enabled(if: PythonPeer.zeo6.isReady, Comment(rawValue: PythonPeer.zeo6.reason)))
struct ChangeLiveTests {
    private func connect(
        _ server: PythonServer, services: String = "", arguments: [String] = ["--rw"]
    ) throws -> (shell: Shell, name: String) {
        guard case .port(let port) = server.address else { throw PseudoTerminal.Failure(description: "no port") }
        let file = server.folder.appending(path: "services")
        try services.replacing("PORT", with: "\(port)").write(to: file, atomically: true, encoding: .utf8)
        let name = services.isEmpty ? "127.0.0.1:\(port)" : "prod"
        let shell = try Shell(
            name, arguments: arguments, environment: ["ZEOSHELL_SERVICES": file.path], columns: 160)
        return (shell, "\(name) /")
    }

    private static let setUp = "root['answer'] = 41; root['other'] = 'x'; transaction.commit()"

    @Test("a commit is what Python sees next")
    func commit() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        try server.client(Self.setUp)
        let (shell, name) = try connect(server)
        try shell.waitForPrompt("\(name) RW ›")
        shell.terminal.send("set //answer 42\n")
        try shell.waitForPrompt("\(name) RW *1 ›")
        shell.terminal.send("commit -y\n")
        try shell.terminal.wait(for: "— undo with: undo 0")
        #expect(try server.client("print(root['answer'], root['other'])") == "42 x\n")
        shell.terminal.send("set //answer 43\n")
        try shell.waitForPrompt("\(name) RW *1 ›")
        shell.terminal.send("commit -y\n")
        try shell.waitForPrompt("\(name) RW ›")
        #expect(try server.client("print(root['answer'], root['other'])") == "43 x\n")
    }

    @Test("another client's change shows in the prompt; retry makes the edit again beside it")
    func conflict() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        try server.client(Self.setUp)
        let (shell, name) = try connect(server)
        try shell.waitForPrompt("\(name) RW ›")
        shell.terminal.send("set //answer 42\n")
        try shell.waitForPrompt("\(name) RW *1 ›")
        try server.client("root['other'] = 'y'; transaction.get().note('by Python'); transaction.commit()")
        shell.terminal.send("commit -y\n")
        try shell.terminal.wait(for: "conflict: changed")
        try shell.terminal.wait(for: "by Python")
        try shell.terminal.wait(for: "the mark") { $0.currentLine.hasSuffix("*1 !›") }
        shell.terminal.send("retry\n")
        try shell.terminal.wait(for: "made again: //")
        try shell.waitForPrompt("\(name) RW *1 ›")
        shell.terminal.send("commit -y\n")
        try shell.terminal.wait(for: "— undo with: undo 0")
        #expect(try server.client("print(root['answer'], root['other'])") == "42 y\n")
    }

    @Test("edits survive a lost connection")
    func lost() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        try server.client(Self.setUp)
        let (shell, name) = try connect(server)
        try shell.waitForPrompt("\(name) RW ›")
        shell.terminal.send("set //answer 42\n")
        try shell.waitForPrompt("\(name) RW *1 ›")
        server.kill()
        shell.terminal.send("commit -y\n")
        try shell.terminal.wait(for: "zeoshell: commit: ")
        try shell.terminal.wait(for: "the mark") { $0.currentLine == "\(name) OFFLINE RW *1 ?›" }
        try server.start()
        try server.client("root['other'] = 'z'; transaction.commit()")
        try shell.terminal.wait(for: "the connection, and the conflict") { screen in
            // The prompt tells what is known when it is drawn: it is asked for until it knows both.
            let isThere = screen.currentLine.contains("*1 !›")
            if !isThere, screen.currentLine.hasSuffix("›") { shell.terminal.send("status\n") }
            Thread.sleep(forTimeInterval: 0.3)
            return isThere
        }
        shell.terminal.send("retry\n")
        try shell.terminal.wait(for: "made again: //")
        shell.terminal.send("commit -y\n")
        try shell.terminal.wait(for: "— undo with: undo 0")
        #expect(try server.client("print(root['answer'], root['other'])") == "42 z\n")
    }

    @Test("rm asks when an object of a server is referred to from elsewhere")
    func referrers() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        try server.client(
            """
            from persistent.mapping import PersistentMapping
            root['shared'] = PersistentMapping()
            root['user'] = PersistentMapping({'of': root['shared']})
            root['alone'] = PersistentMapping()
            transaction.commit()
            """)
        let (shell, name) = try connect(server)
        try shell.waitForPrompt("\(name) RW ›")
        shell.terminal.send("rm //shared\n")
        try shell.terminal.wait(for: "1 other object refers to //shared, which 'referrers' lists. Remove it? [y/N]")
        shell.terminal.send("n\n")
        try shell.terminal.wait(for: "not confirmed: nothing was done")
        shell.terminal.send("rm //alone\n")
        try shell.waitForPrompt("\(name) RW *1 ›")
    }

    @Test("production wants its name typed")
    func production() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        try server.client(Self.setUp)
        let (shell, name) = try connect(server, services: "[prod]\naddress = 127.0.0.1:PORT\nenv = production\n")
        try shell.waitForPrompt("\(name) RW ›")
        shell.terminal.send("set //answer 42\n")
        try shell.waitForPrompt("\(name) RW *1 ›")
        shell.terminal.send("commit -y\n")
        try shell.terminal.wait(for: "This is production: type its name, prod, or no")
        shell.terminal.send("y\n")
        try shell.terminal.wait(for: "not confirmed: nothing was done")
        #expect(try server.client("print(root['answer'])") == "41\n")
        shell.terminal.send("commit\n")
        try shell.terminal.wait(for: "two questions") { screen in
            screen.lines.count { $0.contains("This is production: type its name") } == 2
        }
        shell.terminal.send("prod\n")
        try shell.terminal.wait(for: "— undo with: undo 0")
        #expect(try server.client("print(root['answer'])") == "42\n")
    }
}
