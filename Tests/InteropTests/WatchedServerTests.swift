import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

/// Servers of every kind, looked at over the same connection that reads and writes.
@Suite("A server is watched", .serialized)
struct WatchedServerTests {
    private func address(_ server: PythonServer) throws -> String {
        guard case .port(let port) = server.address else { throw PythonFailure(text: "no port") }
        return "127.0.0.1:\(port)"
    }

    private func run(_ arguments: [String]) throws -> BuiltProgram.Outcome {
        try BuiltProgram.zeoshell.run(arguments + ["--timeout", "60"])
    }

    private func watch(_ address: String, _ arguments: [String]) throws -> RunningProgram {
        try RunningProgram(.zeoshell, ["watch", address, "-o", "jsonl", "--timeout", "60"] + arguments)
    }

    private func value(_ program: RunningProgram) throws -> JSONValue {
        try JSONValue(parsing: Array(try program.line().utf8))
    }

    private static let prepare = """
        from persistent.mapping import PersistentMapping
        root['a'] = PersistentMapping()
        transaction.get().note(u'first')
        transaction.commit()
        """

    private static func edit(_ code: String, _ note: String) -> String {
        "\(code)\ntransaction.get().setUser(u'joe')\ntransaction.get().note(u'\(note)')\ntransaction.commit()"
    }

    @Test(
        "commits of a Python client are told as they happen: who, why, what; new objects too", arguments: ServerKind.all
    )
    func commits(_ kind: ServerKind) throws {
        let server = try kind.serve()
        try server.client(Self.prepare)
        let program = try watch(try address(server), ["--since", "2000-01-01", "--limit", "9"])
        // What was there before comes from the log. Then it is known to be looking.
        while try value(program)["description"]?.string != "first" {}
        try server.client(Self.edit("root['a']['x'] = 1", "edit"))
        let edit = try value(program)
        #expect(edit["description"]?.string == "edit")
        #expect(edit["user"]?.string == "/ joe")
        #expect(edit["paths"]?.elements.compactMap(\.string) == ["/a"])
        #expect(edit["changes"]?.elements.first?["class"]?.string == "persistent.mapping.PersistentMapping")
        try server.client(Self.edit("root['a']['new'] = type(root['a'])({'deep': type(root['a'])()})", "more"))
        let more = try value(program)
        #expect(more["description"]?.string == "more")
        #expect(more["paths"]?.elements.compactMap(\.string) == ["/a", "/a/new", "/a/new/deep"])
        program.signal(SIGINT)
        #expect(try program.end() == 130)
    }

    @Test("a commit that only adds objects is told, also by servers that do not announce it", arguments: ServerKind.all)
    func quiet(_ kind: ServerKind) throws {
        let server = try kind.serve()
        try server.client(Self.prepare)
        let program = try watch(try address(server), ["--since", "2000-01-01"])
        while try value(program)["description"]?.string != "first" {}
        let storage = try server.connect(writable: true)
        let oid = try storage.newObjectIDs(1)[0]
        let tid = try storage.commit([(oid, Record.length(1), .none)])
        #expect(try value(program)["tid"]?.string == tid.hex)
    }

    @Test("what is missed while the server is away is told from the log, one by one", arguments: ServerKind.all)
    func missed(_ kind: ServerKind) throws {
        let server = try kind.serve()
        try server.client(Self.prepare)
        let program = try watch(try address(server), ["--since", "2000-01-01"])
        while try value(program)["description"]?.string != "first" {}
        program.signal(SIGSTOP)
        server.kill()
        try server.start()
        try server.client(Self.edit("root['a']['x'] = 1", "one"))
        try server.client(Self.edit("root['a']['x'] = 2", "two"))
        program.signal(SIGCONT)
        #expect(try value(program)["description"]?.string == "one")
        #expect(try value(program)["description"]?.string == "two")
    }

    @Test("--diff shows what changed, from servers that keep the past", arguments: ServerKind.all)
    func differences(_ kind: ServerKind) throws {
        let server = try kind.serve()
        try server.client(Self.prepare)
        let program = try watch(try address(server), ["--since", "2000-01-01", "--diff"])
        while try value(program)["description"]?.string != "first" {}
        try server.client(Self.edit("root['a']['x'] = 41", "one"))
        try server.client(Self.edit("root['a']['x'] = 42", "two"))
        _ = try value(program)
        let change = try #require(try value(program)["differences"]?.elements.first?["changes"]?.elements.first)
        #expect(change["before"]?.int == 41 && change["after"]?.int == 42)
    }

    @Test("it says what it is, what it does and what it cannot do", arguments: ServerKind.all)
    func status(_ kind: ServerKind) throws {
        let monitor = try FreePort.find()
        let hasMonitor = kind.generation < .v4
        let server = try kind.serve(options: hasMonitor ? " monitor-address 127.0.0.1:\(monitor)" : "")
        try server.client(Self.prepare)
        let address = try address(server)
        let outcome = try run(["server", address, "-o", "json"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let facts = try JSONValue(parsing: Array(outcome.output.utf8))
        let lacks = facts["lacks"]?.elements.compactMap(\.string).joined(separator: "\n") ?? ""
        #expect(facts["dialect"]?.string?.dropFirst() == kind.generation.rawValue[...])
        #expect(facts["software"]?.string == kind.generation.releases)
        #expect(facts["objects"]?.int == 2)
        #expect(lacks.contains("no list of its clients"))
        #expect(lacks.contains("no list of its transactions") == !kind.generation.hasTransactionIteration)
        if kind.generation.hasServerStatus {
            #expect(facts["clients"]?.int ?? 0 >= 1 && facts["commits"]?.int ?? 0 >= 1)
            #expect(facts["waiting"]?.int == 0 && facts["lock_seconds"] == nil)
        } else {
            #expect(facts["clients"] == nil && lacks.contains("no figures of its work"))
        }
        #expect(facts["storages"]?.elements.compactMap(\.string) == (kind.generation >= .v4 ? ["1"] : nil))

        let clients = try run(["clients", address, "-o", "json"])
        #expect(clients.status == (kind.generation.hasServerStatus ? 0 : 5))
        #expect(clients.errors.contains("does not tell who its clients are"))

        guard hasMonitor else { return }
        let more = try run(["server", address, "--monitor", "127.0.0.1:\(monitor)", "-o", "json"])
        #expect(more.status == 0, "\(more.errors)")
        let told = try JSONValue(parsing: Array(more.output.utf8))
        #expect(told["clients"]?.int ?? 0 >= 1 && told["commits"]?.int ?? 0 >= 1, "\(more.output)")
        #expect(told["start"]?.string?.isEmpty == false)
    }

    @Test("a server that hangs loses round trips, and that is said", arguments: ServerKind.all)
    func hung(_ kind: ServerKind) throws {
        let server = try kind.serve()
        let address = try address(server)
        let good = try run(["ping", address, "-c", "3", "-i", "0", "-o", "json"])
        #expect(good.status == 0 && good.errors.contains("3 sent, 3 answered; min "), "\(good.errors)")
        let program = try RunningProgram(
            .zeoshell, ["ping", address, "-c", "4", "-i", "0.5", "--wait", "1", "--timeout", "60", "-o", "jsonl"])
        _ = try program.line()
        server.pause()
        defer { server.resume() }
        var lost = 0
        while let line = try? program.line() { lost += line.contains("said nothing") ? 1 : 0 }
        #expect(try program.end() == 1)
        #expect(lost >= 1 && program.errorText.contains("\(lost) lost"), "\(program.errorText)")
        // Nobody who comes now is greeted.
        let refused = try BuiltProgram.zeoshell.run(["ping", address, "--timeout", "1"])
        #expect(refused.status == 4 && refused.errors.contains("said nothing for 1 s"), "\(refused.errors)")
    }

    @Test("top counts what is committed, loaded and in conflict", arguments: ServerKind.all)
    func top(_ kind: ServerKind) throws {
        let server = try kind.serve()
        try server.client(Self.prepare)
        let program = try RunningProgram(
            .zeoshell,
            ["top", try address(server), "-n", "60", "-i", "1", "--by", "path", "-o", "jsonl", "--timeout", "60"])
        // What it has loaded itself is not the server's work.
        #expect(try value(program)["loads"]?.int == (kind.generation.hasServerStatus ? 0 : nil))
        try server.client(Self.edit("root['a']['x'] = 1", "edit"))
        var total: JSONValue?
        var row = try value(program)
        while row["by"]?.string != "path" {
            total = row
            row = try value(program)
        }
        #expect(row["name"]?.string == "/a" && row["commits"]?.int == 1)
        #expect(total?["commits"]?.int == 1)
        #expect((total?["loads"]?.int != nil) == kind.generation.hasServerStatus)
        program.signal(SIGTERM)
        #expect(try program.end() == 143)
    }
}
