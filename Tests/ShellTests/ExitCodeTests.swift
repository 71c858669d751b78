import Foundation
import TestSupport
import Testing

@Suite("Exit codes")
struct ExitCodeTests {
    private static let file = SampleData.path("fs/zope5.fs")
    private let program = BuiltProgram.zeoshell

    @Test("0: done")
    func done() throws {
        let run = try program.run(["log", Self.file, "--limit", "1", "--fields", "tid"])
        #expect(run.status == 0)
        #expect(run.output == "040d271cfd719c55\n")
        #expect(run.errors == "")
    }

    @Test("1: done, and the answer is no")
    func negative() throws {
        #expect(try program.run(["connect", Self.file, "-c", "!false"]).status == 1)
        let run = try program.run(["ls", Self.file, "/site/*.gif", "-o", "json"])
        #expect(run.status == 1)
        #expect(run.output == "[]\n")
        #expect(run.errors == #"{"note":{"message":"/site/*.gif: nothing matches"}}"# + "\n")
    }

    @Test(
        "2: wrong usage",
        arguments: [
            [], ["log"], ["log", file, "--limit", "x"], ["log", file, "--bogus"], ["frobnicate"],
            ["log", file, "-o", "xml"], ["ls", file, "/["], ["cat", file, "/site@soon"], ["cd", file, "/site"],
            ["connect", file, "-c", "lgo"], ["connect", file, "-c", "log 'x"], ["quit"],
            ["log", file, "--since", "soon"],
            ["info", "zeo://h:1?storge=x"], ["log", file, "--fields", "nope"], ["connect", file, "-c", "info $nope"],
        ])
    func usage(arguments: [String]) throws {
        let run = try program.run(arguments)
        #expect(run.status == 2)
        #expect(run.output == "")
        #expect(run.errors.contains("zeoshell"))
    }

    @Test("3: a script stopped at an error, and says where")
    func script() throws {
        let lines = "info --fields kind\n\nshow 0400000000000000\ninfo\n"
        let run = try program.run([Self.file], input: lines)
        #expect(run.status == 3)
        #expect(run.output == "kind\tFileStorage FS30\n")
        #expect(run.errors.contains("zeoshell: show: 0400000000000000: no such transaction"))
        #expect(run.errors.contains("zeoshell: standard input:3: stopped here"))
    }

    @Test("2 also in a script: bad syntax, an unknown command")
    func scriptUsage() throws {
        #expect(try program.run([Self.file], input: "lgo\n").status == 2)
    }

    @Test("4: cannot connect, and why")
    func connection() throws {
        let refused = try program.run(["info", "127.0.0.1:1", "-o", "json"])
        #expect(refused.status == 4)
        #expect(try JSONValue(parsing: Array(refused.errors.utf8))["error"]?["code"] == .string("refused"))
        let silent = try Listener(says: "")
        let waited = try program.run(["info", "127.0.0.1:\(silent.port)", "--timeout", "0.3"])
        #expect(waited.status == 4)
        #expect(waited.errors.contains("the server said nothing for 0.3 s (it may expect TLS"))
        let web = try Listener(says: "HTTP/1.1 400 Bad Request\r\n\r\n")
        let mistaken = try program.run(["127.0.0.1:\(web.port)", "-c", "info"])
        #expect(mistaken.status == 4)
        #expect(mistaken.errors.contains("not a ZEO server"))
    }

    @Test("5: refused")
    func refused() throws {
        let run = try program.run(["connect", Self.file, "-c", "begin"])
        #expect(run.status == 5)
        #expect(run.errors.contains("(start with --rw, or type: mode rw)"))
        #expect(try program.run(["ping", Self.file]).status == 5)
    }

    @Test("6: a conflict, in a script too; a dry run at the end of a script is the end that was wanted")
    func conflict() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "exit-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (file, plan) = (folder.appending(path: "Data.fs").path, folder.appending(path: "a.plan").path)
        try FileManager.default.copyItem(atPath: Self.file, toPath: file)
        let environment = ["XDG_STATE_HOME": folder.path]
        func script(_ lines: String...) throws -> BuiltProgram.Outcome {
            try program.run(
                ["connect", file, "--rw"], input: lines.joined(separator: "\n") + "\n", environment: environment)
        }
        let tried = try script("begin", "set /site/.a 1", "plan > \(plan)", "commit --dry-run")
        #expect(tried.status == 0, "\(tried.errors)")
        #expect(tried.output.contains("nothing was written"))
        // An edit behind it is forgotten, and that is an error as before.
        let more = try script("begin", "set /site/.a 1", "commit --dry-run", "set /site/.a 2")
        #expect(more.status == 3)
        #expect(more.errors.contains("nothing was committed"), "\(more.errors)")
        #expect(try script("begin", "set /site/.b 1", "commit -y").status == 0)
        let outdated = try script("begin", "apply \(plan)", "commit -y")
        #expect(outdated.status == 6, "\(outdated.errors)")
        #expect(outdated.errors.contains("standard input:2: stopped here"))
    }

    @Test("5: no editor is started where nobody sits")
    func noEditor() throws {
        let run = try program.run(["edit", Self.file, "/site", "--overlay", "-y"])
        #expect(run.status == 5)
        #expect(run.errors.contains("nobody is there to edit"), "\(run.errors)")
    }

    @Test("help of an editing command names the options of the commit that it makes")
    func commitOptions() throws {
        for name in ["set", "rm", "apply", "passwd"] {
            let help = try program.run(["help", name]).output
            for option in ["-m, --message", "--yes-on", "--dry-run"] { #expect(help.contains(option), "\(help)") }
        }
        #expect(!(try program.run(["help", "ls"]).output.contains("--yes-on")))
    }

    @Test("7: the data: no such transaction, no Data.fs")
    func data() throws {
        #expect(try program.run(["show", Self.file, "0400000000000000"]).status == 7)
        #expect(try program.run(["cat", Self.file, "/nope"]).status == 7)
        let missing = try program.run(["get", SampleData.path("fs/py3-zodb6-refs.fs"), "#dead", "-o", "json"])
        #expect(missing.status == 7)
        #expect(missing.output == "")
        #expect(try JSONValue(parsing: Array(missing.errors.utf8))["error"]?["oid"] == .string("000000000000dead"))
        let run = try program.run(["info", SampleData.path("README.md"), "-o", "json"])
        #expect(run.status == 7)
        #expect(try JSONValue(parsing: Array(run.errors.utf8))["error"]?["code"] == .string("corrupt"))
    }

    @Test("8: the surroundings: no such file, a directory, a file that cannot be written")
    func environment() throws {
        #expect(try program.run(["info", "/no/such/Data.fs"]).status == 8)
        #expect(try program.run(["info", SampleData.path("fs")]).status == 8)
        #expect(try program.run(["connect", Self.file, "-c", "info > /no/such/file"]).status == 8)
    }

    @Test("130: interrupted; 143: told to end", arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
    func signals(number: Int32, status: Int32) throws {
        // The program waits for a script that does not come; the log's first line says that it runs.
        let run = try program.run([Self.file], input: nil) { process in
            usleep(300_000)
            kill(process, number)
        }
        #expect(run.status == status)
    }

    @Test("nothing but data goes to standard output, and errors keep the format that was asked for")
    func streams() throws {
        let run = try program.run(["show", Self.file, "0400000000000000", "-o", "json"])
        #expect(run.output == "")
        let error = try JSONValue(parsing: Array(run.errors.utf8))["error"]
        #expect(error?["code"] == .string("no-such-transaction"))
        #expect(error?["tid"] == .string("0400000000000000"))
        #expect(error?["message"] == .string("no such transaction"))
        let usage = try program.run(["log", Self.file, "--bogus", "-ojson"])
        #expect(try JSONValue(parsing: Array(usage.errors.utf8))["error"]?["code"] == .string("usage"))
    }

    @Test("a reader that has had enough is no error")
    func closedPipe() throws {
        let shell = BuiltProgram(url: URL(filePath: "/bin/sh"))
        // The reader has gone before the first line is written.
        let script = "{ sleep 0.3; \"$0\" log \"$1\" -o jsonl; echo $? >&2; } | true"
        #expect(try shell.run(["-c", script, program.url.path, Self.file]).errors == "0\n")
    }
}

/// A server that says one thing to whoever comes first, and then nothing.
private final class Listener {
    let port: Int
    private let descriptor: Int32

    init(says text: String) throws {
        let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        descriptor = listening
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listening, address, size) == 0 && listen(listening, 5) == 0
                    && getsockname(listening, address, &size) == 0
            }
        }
        try #require(isBound)
        port = Int(UInt16(bigEndian: address.sin_port))
        guard !text.isEmpty else { return }
        Thread.detachNewThread {
            let client = accept(listening, nil, nil)
            _ = Array(text.utf8).withUnsafeBytes { write(client, $0.baseAddress, $0.count) }
        }
    }

    deinit { close(descriptor) }
}

@Suite("Commands in order")
struct ScriptTests {
    private static let file = SampleData.path("fs/zope5.fs")
    private let program = BuiltProgram.zeoshell

    @Test("-c runs each, in order, and stops at the first error with its code")
    func commands() throws {
        let run = try program.run([
            "connect", Self.file, "-c", "log --limit 1 --fields tid", "-c", "show 0400000000000000", "-c", "info",
        ])
        #expect(run.output == "040d271cfd719c55\n")
        #expect(run.status == 7)
    }

    @Test("-f runs a file; source another; lines are joined, comments skipped, variables replaced")
    func files() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "script-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let inner = directory.appending(path: "inner.zsh")
        try "# inner\nlog --limit $n \\\n  --fields tid\n".write(to: inner, atomically: true, encoding: .utf8)
        let outer = directory.appending(path: "outer.zsh")
        try "source '\(inner.path)'\ninfo --fields python | tr a-z A-Z\n".write(
            to: outer, atomically: true, encoding: .utf8)
        let run = try program.run(["connect", Self.file, "-f", outer.path, "--set", "n=2"])
        #expect(run.errors == "")
        #expect(run.status == 0)
        #expect(run.output == "040d271cfd719c55\n040d271cfd6f0399\nPYTHON\t3\n")
        let byEnvironment = try program.run([Self.file, "-f", inner.path], environment: ["ZEOSHELL_VAR_n": "1"])
        #expect(byEnvironment.output == "040d271cfd719c55\n")
    }

    @Test("a script that sources itself ends")
    func recursion() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "self-\(UUID().uuidString).zsh")
        try "source \(url.path)\n".write(to: url, atomically: true, encoding: .utf8)
        let run = try program.run([Self.file, "-f", url.path])
        #expect(run.status == 3)
        #expect(run.errors.contains("too deeply"))
    }

    @Test("output goes to a file, or is added to one")
    func redirection() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "out-\(UUID().uuidString)")
        let line = "log --limit 1 --fields tid"
        let run = try program.run(["connect", Self.file, "-c", "\(line) > \(url.path)", "-c", "\(line) >> \(url.path)"])
        #expect(run.status == 0)
        #expect(try String(contentsOf: url, encoding: .utf8) == "040d271cfd719c55\n040d271cfd719c55\n")
    }

    @Test("an address alone means connect; help and version need none")
    func plain() throws {
        #expect(try program.run([Self.file], input: "log --limit 1 --fields tid").output == "040d271cfd719c55\n")
        #expect(try program.run(["--version"]).output.hasPrefix("zeoshell "))
        #expect(try program.run(["help"]).output.contains("list transactions"))
        #expect(try program.run(["log", "--help"]).output.hasPrefix("log: list transactions"))
        #expect(try program.run(["help", "nope"]).status == 2)
    }
}
