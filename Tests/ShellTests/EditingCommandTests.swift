import Foundation
import Storages
import Synchronization
import TestSupport
import Testing
import ZODB

@testable import Shell

/// A session that may write, on a copy of a sample.
private final class Bench {
    let look: Look
    let file: URL
    private let folder = FileManager.default.temporaryDirectory.appending(path: "bench-\(UUID().uuidString)")

    init(_ sample: String = "fs/zope5.fs", mode: Session.Mode = .interactive, environment: [String: String] = [:])
        throws
    {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        file = folder.appending(path: "Data.fs")
        try FileManager.default.copyItem(atPath: SampleData.path(sample), toPath: file.path)
        look = try Look(
            StorageAddress(parsing: file.path), mode, environment: environment,
            options: OpeningOptions(isWritable: true)
        ) { try openStorage($0, options: $1, interruption: $2) { _ in } }
        look.session.beginsByItself = true
    }

    deinit {
        look.session.close()
        try? FileManager.default.removeItem(at: folder)
    }

    var path: String { folder.path }

    @discardableResult
    func run(_ line: String, _ location: SourceLocation = #_sourceLocation) -> String {
        let outcome = look.run(line)
        #expect(outcome.code == .done, "\(line): \(outcome.errors)", sourceLocation: location)
        return outcome.output
    }

    func get(_ path: String) -> String {
        let outcome = look.run("get \(path)")
        return outcome.code == .done ? outcome.output : "error \(outcome.code)\n"
    }
}

@Suite("Editing commands")
struct EditingCommandTests {
    @Test(
        "a plan of any edits does the same as they did",
        arguments: [
            ("fs/deep-btree.fs", ["set //deep[4000] 'x'", "set //deep[90000] 'y'", "unset //deep[17]"]),
            ("fs/deep-btree.fs", (8000..<8200).map { "set //deep[\($0)] None" }),
            ("fs/zope5.fs", ["cp /site /site2", "mv /index_html /site2/start", "set /site2/start/.title 'moved'"]),
            ("fs/zope5.fs", ["mkdir /new", "cp /site/page /new/page", "rm /site/btf/sub09"]),
            ("fs/zope213.fs", ["mkdir /new", "set /new/.title 'two'", "rm -r /site"]),
        ])
    func plans(sample: String, lines: [String]) throws {
        let direct = try Bench(sample)
        let planned = try Bench(sample)
        let file = planned.path + "/plan"
        for line in lines {
            direct.run(line + " -y")
            planned.run(line + " -y")
        }
        try planned.run("plan").write(toFile: file, atomically: true, encoding: .utf8)
        let changes = planned.look.run("diff").output
        planned.run("abort")
        planned.run("apply -y \(file)")
        func added(_ text: String) -> Int { text.split(separator: "\n").count { $0.hasPrefix("+ ") } }
        #expect(added(planned.look.run("diff").output) == added(changes))
        direct.run("commit -y")
        planned.run("commit -y")
        #expect(planned.run("tree -L 3 /") == direct.run("tree -L 3 /"))
        if sample.contains("btree") { #expect(planned.run("ls //deep --limit 0") == direct.run("ls //deep --limit 0")) }
    }

    @Test(
        "set takes Python literals, and quotes at the prompt make a text",
        arguments: [
            ("'New title'", "New title\n"), (#""it's""#, "it's\n"), ("42", "42\n"), ("-5", "-5\n"), ("1.5", "1.5\n"),
            ("True", "True\n"), ("None", "None\n"), ("(1, 'a')", "(1, 'a')\n"), ("[1, [2]]", "[1, [2]]\n"),
            ("{'a': 1}", "{'a': 1}\n"), ("--text 42", "42\n"), ("--json '[1, null]'", "[1, None]\n"),
            ("'(1, 2)'", "(1, 2)\n"),
        ])
    func literals(value: String, shown: String) throws {
        let bench = try Bench()
        bench.run("set /.title \(value)")
        #expect(bench.get("/.title") == shown)
    }

    @Test(
        "what is no literal is refused, and what could be two things",
        arguments: ["New", "'42'", "(1,", "--json {", "#dead", "@/no/such/file"])
    func refused(value: String) throws {
        let bench = try Bench()
        let outcome = bench.look.run("set /.title \(value)")
        #expect([.usage, .data, .environment].contains(outcome.code), "\(outcome.errors)")
        #expect(bench.look.session.stagedCount == 0)
    }

    @Test("set sets attributes, entries and elements, makes new ones, and stages nothing for what is so already")
    func set() throws {
        let bench = try Bench()
        bench.run("set /site/.title 'one'")
        bench.run("set /site/.new {'a': [1, 2]}")
        bench.run("set /site/.new/a[1] 'two'")
        bench.run("set /site/.new/b #0x0b")
        #expect(bench.get("/site/.new/a") == "[1, 'two']\n")
        #expect(bench.run("pwd").hasPrefix("path\t/"))
        let outcome = bench.look.run("set /site/.title 'one'")
        #expect(outcome.errors == "nothing changed\n")
        #expect(bench.look.session.stagedCount == 1)
        bench.run("unset /site/.new")
        #expect(bench.look.run("get /site/.new").code == .data)
        #expect(bench.look.run("unset /site/.new").code == .data)
        bench.run("unset --if-exists /site/.new")
    }

    @Test("set takes a file's content: text, or bytes where it is none")
    func file() throws {
        let bench = try Bench()
        let path = bench.path + "/content"
        try "two\nlines\n".write(toFile: path, atomically: true, encoding: .utf8)
        bench.run("set /.title @\(path)")
        #expect(bench.get("/.title") == "two\nlines\n")
        try Data([0xff, 0]).write(to: URL(filePath: path))
        bench.run("set /.title @\(path)")
        #expect(bench.run("get /.title -o json").contains(#""@b""#))
    }

    @Test("rm asks for -r and yes before a container goes; --if-exists is for what may be gone")
    func remove() throws {
        let bench = try Bench()
        let refused = bench.look.run("rm /site")
        #expect(refused.code == .refused)
        #expect(refused.errors.contains("rm -r"))
        #expect(bench.look.run("rm -r /site").errors.contains("-y answers beforehand"))
        bench.run("rm -r -y /site")
        #expect(!bench.run("ls /").contains("site\n") || !bench.run("ls /").split(separator: "\n").contains("site"))
        #expect(bench.look.run("rm /site").code == .data)
        bench.run("rm --if-exists /site /nowhere*")
        bench.run("rm '/index_h*'")
        #expect(bench.look.run("ls /index_html").code == .data)
        bench.run("abort")
        #expect(bench.run("ls /").contains("index_html"))
    }

    @Test("mv renames and moves; cp copies, also from the past and from another file; mkdir makes folders")
    func copies() throws {
        let bench = try Bench()
        bench.run("mkdir /archive")
        bench.run("mkdir --if-missing /archive")
        #expect(bench.look.run("mkdir /archive").code == .refused)
        bench.run("mv /index_html /archive")
        #expect(bench.run("ls /archive") == "index_html\n")
        bench.run("mv /archive/index_html /archive/page")
        #expect(bench.run("ls /archive") == "page\n")
        bench.run("cp /archive/page /archive/page2")
        #expect(bench.look.run("cp /archive/page /archive/page2").code == .refused)
        bench.run("set /archive/page2/.title 'changed'")
        #expect(bench.get("/archive/page/.title") != "changed\n")
        let other = SampleData.path("fs/zope5.fs")
        bench.run("cp \(other):/site/adder /archive/")
        #expect(bench.run("ls /archive") == "page\npage2\nadder\n")
        bench.run("commit -y")
        bench.run("set /archive/adder/.title 'later'")
        bench.run("commit -y")
        bench.run("cp /archive/adder@~1 /archive/earlier")
        #expect(bench.get("/archive/earlier/.title") == "Adds\n")
        #expect(bench.look.run("set /archive/adder@~1/.title 'x'").code != .done)
    }

    @Test("export writes what import reads")
    func export() throws {
        let bench = try Bench()
        let file = bench.path + "/site.zexp"
        #expect(bench.run("export /site/btf \(file) --fields objects") != "objects\t0\n")
        #expect(bench.look.run("export /site/btf \(file)").code == .refused)
        bench.run("import \(file) /copy")
        #expect(bench.run("ls /copy") == bench.run("ls /site/btf"))
        #expect(bench.look.run("import \(bench.file.path) /again").code != .done)
    }

    @Test("several elements are removed by the positions they had when the line was typed")
    func severalElements() throws {
        let bench = try Bench()
        bench.run("set /site/.list \"['a', 'b', 'c', ['d', 'e'], 'f']\"")
        bench.run("unset '/site/.list[0]' '/site/.list[3][1]' '/site/.list[2]'")
        #expect(bench.get("/site/.list") == "['b', ['d'], 'f']\n")
        #expect(bench.look.run("unset '/site/.list[0]' '/site/.list[9]'").code == .data)
        #expect(bench.get("/site/.list") == "['b', ['d'], 'f']\n")
    }

    @Test("a value does not take a full container's place by chance")
    func replacement() throws {
        let bench = try Bench()
        let refused = bench.look.run("set /site 'text' -y")
        #expect(refused.code == .refused)
        #expect(refused.errors.contains("--replace"))
        #expect(bench.look.session.stagedCount == 0)
        bench.run("set -y --replace /site 'text'")
        #expect(bench.look.session.stagedCount == 1)
    }

    @Test(
        "ids that Zope lets nobody give are refused", arguments: ["REQUEST", "_x", "aq_parent", "x__", "objectValues"])
    func reservedIDs(id: String) throws {
        let bench = try Bench()
        for line in ["mkdir /\(id)", "mv /index_html /\(id)", "mv /site/page /\(id)", "cp /site/page /\(id)"] {
            let outcome = bench.look.run(line)
            #expect(outcome.code == .usage, "\(line): \(outcome.errors)")
            #expect(outcome.errors.contains("which Zope does not allow"), "\(outcome.errors)")
        }
        #expect(bench.look.session.stagedCount == 0)
    }

    @Test(
        "taking a user folder away wants a second thought",
        arguments: [
            "set --replace /acl_users None", "unset /.__allow_groups__", "mv /acl_users /users", "rm /acl_users",
        ])
    func userFolder(line: String) throws {
        let bench = try Bench()
        let outcome = bench.look.run(line)
        #expect(outcome.code == .refused, "\(outcome.errors)")
        #expect(bench.look.session.stagedCount == 0)
    }

    @Test("a password set by hand is in no description")
    func secret() throws {
        let state = FileManager.default.temporaryDirectory.appending(path: "state-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: state) }
        let bench = try Bench(environment: ["XDG_STATE_HOME": state.path])
        bench.run("set -y /acl_users/admin/.__ \"'{SHA}topsecret'\"")
        bench.run("commit -y")
        #expect(bench.run("log --limit 1 --fields description") == "set /acl_users/admin/.__ …\n")
        #expect(!bench.run("journal").contains("topsecret"))
    }

    @Test("export replaces files, never a device or a link")
    func exportTargets() throws {
        let bench = try Bench()
        #expect(bench.look.run("export --force /site/logo /dev/null").errors.contains("it is no file"))
        let (file, link) = (bench.path + "/target.zexp", bench.path + "/link.zexp")
        try Data().write(to: URL(filePath: file))
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
        bench.run("export --force /site/logo \(link)")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == file)
        #expect(try Data(contentsOf: URL(filePath: file)).starts(with: Data("ZEXP".utf8)))
    }

    @Test("an edit in the middle of a mistake leaves nothing of the line")
    func line() throws {
        let bench = try Bench()
        let outcome = bench.look.run("rm -y /index_html /nowhere")
        #expect(outcome.code == .data)
        #expect(bench.look.session.stagedCount == 0)
    }

    @Test("edit stages what came back changed, and nothing else", .serialized, arguments: [1])
    func edit(_: Int) throws {
        let script = FileManager.default.temporaryDirectory.appending(path: "editor-\(UUID().uuidString).sh")
        defer { try? FileManager.default.removeItem(at: script) }
        let bench = try Bench(environment: ["EDITOR": "/bin/sh \(script.path)"])
        try
            "sed -i -e \"s/^title = .*/title = 'edited'/\" -e '/^icon = /d' \"$1\"; echo 'extra = [1,\n  2]' >> \"$1\"\n"
            .write(to: script, atomically: true, encoding: .utf8)
        #expect(bench.look.run("edit /site").code == .refused)
        bench.run("edit -y /site")
        #expect(bench.get("/site/.title") == "edited\n")
        #expect(bench.get("/site/.extra") == "[1, 2]\n")
        let changes = bench.look.run("diff").output
        #expect(
            changes.split(separator: "\n").filter { $0.hasPrefix("+ ") || $0.hasPrefix("- ") }.count == 3, "\(changes)")
        // An editor that failed.
        try ": > \"$1\"\n".write(to: script, atomically: true, encoding: .utf8)
        #expect(bench.look.run("edit -y /site").errors.contains("came back empty"))
        #expect(bench.get("/site/.extra") == "[1, 2]\n")
        // Text that says nothing new.
        try "true\n".write(to: script, atomically: true, encoding: .utf8)
        #expect(bench.look.run("edit -y /index_html").errors == "nothing changed\n")
        try "sed -i 's/^title = .*/title = [/' \"$1\"\n".write(to: script, atomically: true, encoding: .utf8)
        let wrong = bench.look.run("edit -y /site")
        #expect(wrong.code == .usage)
        #expect(wrong.errors.contains("never closed"), "\(wrong.errors)")
        try "sed -i 's/</<!-- x --></' \"$1\"\n".write(to: script, atomically: true, encoding: .utf8)
        bench.run("edit -y /index_html/._text")
        #expect(bench.get("/index_html/._text").contains("<!-- x -->"))
    }
}

@Suite("Retry")
struct RetryTests {
    @Test("edits of other attributes are made again on what others left")
    func merge() throws {
        let desk = try Desk()
        #expect(desk.run("set //a/.title 'mine'").code == .done)
        try Desk.commit(
            [
                1: Made.record(
                    "app.Thing", Made.dict([("title", Made.text("first")), ("count", [UInt8(ascii: "K"), 9])]))
            ],
            to: desk.database)
        #expect(desk.run("commit -y").code == .conflict)
        let retried = desk.run("retry")
        #expect(retried.code == .done)
        #expect(retried.errors.contains("made again: //a"), "\(retried.errors)")
        #expect(desk.prompt == "db1:8800 / FILE RW *1 › ")
        #expect(desk.run("commit -y").code == .done)
        #expect(try desk.titles() == ["mine", "second"])
        #expect(desk.run("get //a/.count").output == "9\n")
    }

    @Test("a value that both changed is shown three ways, and taken from whom it is said")
    func bothChanged() throws {
        for (option, title) in [("--theirs", "theirs"), ("--mine", "mine")] {
            let desk = try Desk()
            #expect(desk.run("set //a/.title 'mine'").code == .done)
            try Desk.commit([1: Desk.thing("theirs")], to: desk.database)
            let outcome = desk.run("retry")
            #expect(outcome.code == .conflict)
            #expect(
                outcome.output.contains("  was     'first'\n  mine    'mine'\n  theirs  'theirs'\n"),
                "\(outcome.output)")
            #expect(outcome.output.contains("*** //a .title  theirs: / bob, "))
            #expect(desk.run("get //a/.title").output == "mine\n")
            #expect(desk.run("retry \(option)").code == .done)
            #expect(desk.run("get //a/.title").output == "\(title)\n")
            #expect(desk.run("commit -y").code == .done)
            #expect(try desk.titles() == [title, "second"])
        }
    }
}
