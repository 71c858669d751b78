import Foundation
import TestSupport
import Testing

/// A shell of the system that has loaded our script.
struct SystemShell: CustomTestStringConvertible {
    var name: String

    var testDescription: String { name }

    static let all = ["bash", "zsh", "fish"].map(SystemShell.init)

    var path: String? { ["/bin/\(name)", "/usr/bin/\(name)"].first(where: FileManager.default.isExecutableFile) }

    static let interactive = all.filter { $0.name != "fish" && $0.path != nil }
    static let fish = all.first { $0.name == "fish" && $0.path != nil }

    /// What stands in for zeoshell while lines are completed: it knows two services.
    private static let stub = "#!/bin/sh\n[ \"$1\" = services ] && printf 'prod\\nstage\\n'\nexit 0\n"

    /// A folder with a zeoshell, its script and a file in it.
    func folder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "completion-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let program = folder.appending(path: "zeoshell")
        try Self.stub.write(to: program, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)
        try "".write(to: folder.appending(path: "zope.conf"), atomically: true, encoding: .utf8)
        let script = try BuiltProgram.zeoshell.run(["completion", name])
        #expect(script.status == 0, "\(script.errors)")
        try script.output.write(to: folder.appending(path: "script"), atomically: true, encoding: .utf8)
        return folder
    }

    func environment(_ folder: URL) -> [String: String] {
        [
            "PATH": folder.path + ":/usr/bin:/bin", "HOME": folder.path, "ZDOTDIR": folder.path, "LC_ALL": "C.UTF-8",
            "TERM": "vt100", "PS1": "ready> ",
        ]
    }

    /// At a prompt, the script loaded.
    func prompt(_ folder: URL) throws -> PseudoTerminal {
        let options = name == "bash" ? ["--norc", "--noprofile", "-i"] : ["-f", "-i"]
        let terminal = try PseudoTerminal(
            path ?? "/bin/false", options, environment: environment(folder), rows: 40, columns: 120)
        try terminal.waitForLine("ready>")
        let load =
            name == "bash" ? "bind 'set bell-style none'" : "autoload -Uz compinit; compinit -u -D; unsetopt beep"
        terminal.send("cd \(folder.path); \(load); source ./script; clear; echo lo''aded\n")
        try terminal.wait(for: "line 'loaded'") { $0.lines.contains("loaded") && $0.currentLine == "ready>" }
        return terminal
    }
}

@Suite("Completion scripts", .serialized)
struct CompletionScriptTests {
    /// What is typed, and what Tab makes of it.
    static let cases = [
        ("servi", "services"), ("ls pro", "ls prod"), ("ls -C zo", "ls -C zope.conf"), ("connect sta", "connect stage"),
        ("ls prod --col", "ls prod --color"), ("ls prod --color al", "ls prod --color always"),
        ("ls prod --color=al", "ls prod --color=always"), ("backup ver", "backup verify"), ("help date", "help dates"),
        ("completion zs", "completion zsh"), ("cach", "cache"), ("cache st", "cache stat"),
        ("ls db1:8800 --timeo", "ls db1:8800 --timeout"),
        ("db1:8800 und", "db1:8800 undo"), ("ls -C zope.conf --overl", "ls -C zope.conf --overlay"),
        ("ls --timeout 5 sta", "ls --timeout 5 stage"), ("config pro", "config prod"),
        ("backup restore --for", "backup restore --force"),
    ]

    @Test(
        "bash and zsh complete commands, options, their values, services and files",
        .enabled(if: !SystemShell.interactive.isEmpty, "needs bash or zsh"), arguments: SystemShell.interactive)
    func tab(shell: SystemShell) throws {
        let folder = try shell.folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let terminal = try shell.prompt(folder)
        for (typed, completed) in Self.cases {
            terminal.send("zeoshell \(typed)\t")
            try terminal.waitForLine("ready> zeoshell \(completed)")
            terminal.send("\u{15}")
            try terminal.waitForLine("ready>")
        }
        terminal.send("exit\n")
        _ = try terminal.exitStatus()
    }

    @Test("fish does, with a word about each", .enabled(if: SystemShell.fish != nil, "needs fish"))
    func fish() throws {
        let shell = try #require(SystemShell.fish)
        let folder = try shell.folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let lines = Self.cases.map { "complete -C 'zeoshell \($0.0)'; echo ===" }
        let outcome = try BuiltProgram(url: URL(filePath: shell.path ?? "")).run(
            ["--no-config", "-c", "cd \(folder.path); source script; " + lines.joined(separator: "; ")],
            environment: shell.environment(folder))
        #expect(outcome.errors.isEmpty, "\(outcome.errors)")
        let answers = outcome.output.components(separatedBy: "===\n").dropLast()
        #expect(answers.count == Self.cases.count)
        for (answer, (typed, completed)) in zip(answers, Self.cases) {
            let words = answer.split(separator: "\n").map { String($0.split(separator: "\t")[0]) }
            let wanted = try #require(completed.split(separator: " ").last.map(String.init))
            #expect(words.contains(wanted), "\(typed): \(words)")
        }
        #expect(outcome.output.contains("services\tlist the databases that have names\n"))
    }

    @Test("a script has every command and every option that help has", arguments: SystemShell.all)
    func complete(shell: SystemShell) throws {
        let script = try BuiltProgram.zeoshell.run(["completion", shell.name]).output
        for word in ["pack", "load-dump", "rescue", "services", "verify", "blob-dir", "yes-on", "auto-begin"] {
            #expect(script.contains(word), "\(word)")
        }
        #expect(!script.contains("rollback"), "it makes sense only within a session")
        #expect(try BuiltProgram.zeoshell.run(["completion", "tcsh"]).status == 2)
    }
}

@Suite("Manual pages")
struct ManualPageTests {
    private static let tools = ["/usr/bin/groff", "/usr/bin/man"].first(where: FileManager.default.isExecutableFile)

    /// What a formatter says of a page, and the page as it is read.
    private func formatted(_ path: String) throws -> BuiltProgram.Outcome {
        let tool = try #require(Self.tools)
        let words =
            tool.hasSuffix("groff") ? ["-man", "-ww", "-b", "-Tutf8", "-Kutf8", path] : ["--warnings", "-l", path]
        return try BuiltProgram(url: URL(filePath: tool)).run(
            words, environment: ["LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "GROFF_NO_SGR": "1", "PAGER": "cat"])
    }

    @Test("every page is written, and read without a warning", .enabled(if: tools != nil, "needs groff or man"))
    func pages() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "man-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        // It makes the directory.
        let written = try BuiltProgram.zeoshell.run(["man", "--all", folder.path])
        #expect(written.status == 0, "\(written.errors)")
        let server = try BuiltProgram.zeoserver.run(["man"])
        #expect(server.status == 0, "\(server.errors)")
        try server.output.write(to: folder.appending(path: "zeoserver.8"), atomically: true, encoding: .utf8)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names.count > 60)
        for name in ["zeoshell.1", "zeoshell-ls.1", "zeoshell-backup-verify.1"] { #expect(names.contains(name)) }
        for name in names {
            let page = try formatted(folder.appending(path: name).path)
            #expect(page.status == 0, "\(name)")
            #expect(page.errors.isEmpty, "\(name): \(page.errors)")
        }
    }

    @Test(
        "examples fit a screen of 80 columns, each as it would be typed",
        .enabled(if: tools != nil, "needs groff or man"))
    func examples() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "man-\(UUID().uuidString).1")
        defer { try? FileManager.default.removeItem(at: file) }
        for command in ["clients", "check", "pack", "watch", "set", "find"] {
            try BuiltProgram.zeoshell.run(["man", command]).output.write(to: file, atomically: true, encoding: .utf8)
            let text = try formatted(file.path).output.replacing(/.\u{8}/, with: "")
            let examples = text.split(separator: "\n").drop { $0 != "EXAMPLES" }.prefix { $0 != "SEE ALSO" }
            #expect(examples.count > 2)
            for line in examples { #expect(line.count <= 80, "\(command): \(line)") }
        }
    }

    @Test("a page says what help says", .enabled(if: tools != nil, "needs groff or man"))
    func page() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "man-\(UUID().uuidString).1")
        defer { try? FileManager.default.removeItem(at: file) }
        try BuiltProgram.zeoshell.run(["man", "ls"]).output.write(to: file, atomically: true, encoding: .utf8)
        // Bold is a character over itself.
        let text = try formatted(file.path).output.replacing(/.\u{8}/, with: "")
        for words in ["zeoshell ls ADDRESS", "--timeout"] {
            #expect(text.contains(words), "\(words)")
        }
        let unknown = try BuiltProgram.zeoshell.run(["man", "nonsense"])
        #expect(unknown.status == 2)
    }
}
