import Foundation
import TestSupport
import Testing

/// What a job gets from a server that is away, and from one that took another's place.
@Suite("Commands, when a server is away", .serialized)
struct AwayCommandTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "away-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func serve(_ name: String = "a", options: String = "") throws -> ZEOServerProcess {
        let copy = folder.appending(path: "\(name).fs")
        try FileManager.default.copyItem(atPath: SampleData.path("fs/zope5.fs"), toPath: copy.path)
        return try ZEOServerProcess(
            storages: "<filestorage 1>\n  path \(copy.path)\n</filestorage>", options: options)
    }

    private func run(_ arguments: [String], input: String = "") throws -> BuiltProgram.Outcome {
        try BuiltProgram.zeoshell.run(arguments, input: input)
    }

    @Test("an answer from a cache has an exit code of its own; what needs the server fails; top has nothing to show")
    func exitCodes() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let server = try serve()
        let place = ["zeo://127.0.0.1:\(server.port)", "--cache", folder.appending(path: "c.zec").path]
        let before = try run(["ls", place[0], "/site", place[1], place[2]])
        #expect(before.status == 0 && !before.output.isEmpty, "\(before.errors)")
        #expect(try [0, 1].contains(run(["rescue"] + place).status))
        server.kill()
        let after = try run(["ls", place[0], "/site", place[1], place[2]])
        #expect(after.output == before.output)
        #expect(after.status == 10)
        #expect(after.errors.contains("the server is away, as was noticed "), "\(after.errors)")
        #expect(after.errors.contains("shown as of the last commit known, "), "\(after.errors)")
        let script = try run(["connect"] + place + ["-c", "ls /site", "-c", "pwd"])
        #expect(script.status == 10)
        #expect(try run(["rescue"] + place).status == 10)
        // What tells nothing of the storage.
        #expect(try run(["connect"] + place + ["-c", "help ls", "-c", "ls --help", "-c", "timing on"]).status == 0)
        #expect(try run(["find", place[0], "/site", place[1], place[2]]).status == 4)
        for words in [["--once"], ["-n", "2", "-i", "0.1"], []] {
            let top = try run(["top"] + place + words)
            #expect(top.status == 4 && top.output.isEmpty, "\(top.output)")
            #expect(top.errors.contains("connection refused"), "\(top.errors)")
        }
        try server.start()
        let back = try run(["ls", place[0], "/site", place[1], place[2]])
        #expect(back.status == 0 && back.errors.isEmpty, "\(back.errors)")
    }

    @Test("what a cache file has of a database goes into no copy, neither into another one nor by way of an overlay")
    func copies() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (server, other) = (try serve(), try serve("b"))
        let cache = folder.appending(path: "c.zec")
        let services = folder.appending(path: "services")
        try "[live]\naddress = 127.0.0.1:\(server.port)\ncache = \(cache.path)\n"
            .write(to: services, atomically: true, encoding: .utf8)
        let environment = ["ZEOSHELL_SERVICES": services.path]
        func run(_ arguments: [String], input: String = "") throws -> BuiltProgram.Outcome {
            try BuiltProgram.zeoshell.run(arguments, input: input, environment: environment)
        }
        let title = try run(["get", "live", "/site/.title"])
        #expect(title.status == 0 && !title.output.isEmpty, "\(title.errors)")
        // A disk that has changed bytes within a record: nothing tells but the server.
        var bytes = try Data(contentsOf: cache)
        let word = Data(title.output.trimmingCharacters(in: .newlines).utf8)
        let damaged = Data(repeating: UInt8(ascii: "x"), count: word.count)
        while let range = bytes.range(of: word) { bytes.replaceSubrange(range, with: damaged) }
        try bytes.write(to: cache)
        #expect(try run(["get", "live", "/site/.title"]).output == String(decoding: damaged, as: UTF8.self) + "\n")

        let place = "127.0.0.1:\(other.port)"
        let copied = try run(["cp", place, "live:/site", "/copied", "--rw", "-y"])
        #expect(copied.status == 0, "\(copied.errors)")
        #expect(try run(["get", place, "/copied/.title"]).output == title.output)

        let plan = folder.appending(path: "plan").path
        let made = try run(
            [
                "connect", "live", "--overlay", "--auto-begin", "-c", "cp -y /site /made", "-c", "plan > \(plan)",
                "-c", "abort",
            ])
        #expect(made.status == 0, "\(made.errors)")
        let applied = try run(["apply", "127.0.0.1:\(server.port)", plan, "--rw", "-y"])
        #expect(applied.status == 0, "\(applied.errors)")
        #expect(try run(["get", "127.0.0.1:\(server.port)", "/made/.title"]).output == title.output)
    }

    @Test("top says that the server has gone, and that it has come back")
    func top() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let server = try serve()
        let program = try RunningProgram(
            .zeoshell, ["top", "127.0.0.1:\(server.port)", "-i", "0.2", "-o", "jsonl", "--timeout", "60"])
        _ = try program.line()
        server.kill()
        while try !program.line().contains("connection") {}
        try server.start()
        while try program.line().contains("connection") {}
        program.signal(SIGINT)
        #expect(try program.end() == 130)
        #expect(program.errorText.contains("top: warning: the server cannot be asked: "), "\(program.errorText)")
        #expect(program.errorText.contains("the server can be asked again"), "\(program.errorText)")
    }

    @Test("what top loads to know the paths is not counted as the server's load")
    func ownLoads() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let server = try serve()
        let top = try run(["top", "127.0.0.1:\(server.port)", "-n", "3", "-i", "0.2", "--fields", "by,loads"])
        #expect(top.output == "total\t0\ntotal\t0\ntotal\t0\n")
        let figures = try run(["server", "127.0.0.1:\(server.port)", "--fields", "loads", "-o", "plain"])
        #expect(figures.output != "loads\t0\n", "there was something to be left out")
    }

    @Test(
        "what is no client cache is said to be none, is left alone, and gets no lock file",
        arguments: [("missing", 8), ("directory", 8), ("pipe", 8), ("foreign", 5)])
    func noCache(name: String, status: Int32) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: name).path
        switch name {
        case "directory": try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        case "pipe": try #require(mkfifo(path, 0o600) == 0)
        case "foreign": try "another thing\n".write(toFile: path, atomically: true, encoding: .utf8)
        default: break
        }
        for command in ["stat", "clear"] {
            let outcome = try run(["cache", command, path])
            #expect(outcome.status == status && outcome.output.isEmpty)
            #expect(outcome.errors.contains("(a client cache is a file NAME.zec: "), "\(outcome.errors)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == (name == "missing" ? [] : [name]))
    }

    @Test("a script is told which server took the place of which, and whether it lets us write")
    func failover() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (a, b) = (try serve("a", options: "  read-only true"), try serve("b"))
        let addresses = "127.0.0.1:\(a.port),127.0.0.1:\(b.port)"
        let script = ["ls /site", "!kill -9 \(b.processID)", "refresh", "pwd", "pwd"]
        let outcome = try run(
            ["connect", addresses, "--rw", "--read-only-fallback"] + script.flatMap { ["-c", $0] })
        #expect(outcome.status == 0, "\(outcome.errors)")
        let (first, second) = ("127.0.0.1:\(a.port)", "127.0.0.1:\(b.port)")
        let lines = outcome.errors.split(separator: "\n").filter { $0.contains("place of") }
        #expect(
            lines == [
                "\(first) has taken the place of \(second); \(first) lets nobody write: read-only until a server that "
                    + "does is found; 'refresh' looks at its newest state"
            ], "\(outcome.errors)")
    }
}
