import Foundation
import TestSupport
import Testing

/// `zeoserver` killed while clients commit as fast as they can. Three times, or fifty with `ZEOSHELL_TEST_ALL=1`.
@Suite("Crashes of the server", .serialized)
struct CrashTests {
    static let seed = UInt64(ProcessInfo.processInfo.environment["ZEOSHELL_SEED"] ?? "") ?? .random(in: 0...UInt64.max)

    @Test(
        "kill -9 under load: every acknowledged commit is there, and nothing by halves",
        .needs([.zeo6, .zeo5, .zeo4]))
    func killed() throws {
        let rounds = OwnTests.everything ? 50 : 3
        var random = RandomNumbers(seed: Self.seed)
        let server = try ZEOServerProcess()
        let peers: [PythonPeer] = [.zeo6, .zeo5, .zeo4, .zeo6]
        var reports: [URL] = []
        for round in 0..<rounds {
            if round > 0 { try server.start() }
            var clients: [PythonProgram] = []
            var said: [URL] = []
            for (number, peer) in peers.enumerated() {
                let file = server.folder.appending(path: "said-\(round)-\(number)")
                said.append(file)
                clients.append(
                    try PythonProgram(
                        peer, "crashload.py", ["write", "127.0.0.1", "\(server.port)", "client\(number)"],
                        outputTo: file))
                // The first makes the root object, the others find it.
                if number == 0 { try Self.wait(clients, said) { $0[0] > 0 } }
            }
            try Self.wait(clients, said) { $0.allSatisfy { $0 > 1 } }
            let enough = said.reduce(0) { $0 + Self.lines($1) } + random.below(200)
            try Self.wait(clients, said) { $0.reduce(0, +) >= enough }
            server.kill()
            for client in clients { client.end() }
            reports += said
            let checked = try Self.check(server, reports)
            let wrong = checked["wrong"]?.elements.compactMap(\.string)
            #expect(wrong == [], "round \(round), seed \(Self.seed)")
            #expect(try #require(checked["acknowledged"]?.int) >= enough - peers.count * (round + 1))
        }
        // It opens its file once more, and ends in order.
        try server.start()
        #expect(try server.terminate() == 0)
    }

    /// Python's FileStorage reads a copy of the file, as it is now.
    private static func check(_ server: ZEOServerProcess, _ reports: [URL]) throws -> JSONValue {
        let copy = server.folder.appending(path: "checked.fs")
        try? FileManager.default.removeItem(at: copy)
        try FileManager.default.copyItem(at: server.dataFile, to: copy)
        let checker = try PythonProgram(.zeo6, "crashload.py", ["check", copy.path] + reports.map(\.path))
        guard let line = try checker.readLine() else { throw PythonFailure(text: checker.errors) }
        return try JSONValue(parsing: line.utf8)
    }

    private static func lines(_ file: URL) -> Int {
        ((try? Data(contentsOf: file)) ?? Data()).count { $0 == UInt8(ascii: "\n") }
    }

    /// Until the number of lines that each has said is right.
    private static func wait(_ clients: [PythonProgram], _ said: [URL], until done: ([Int]) -> Bool) throws {
        for _ in 0..<2400 {
            if done(said.map(lines)) { return }
            if let ended = clients.first(where: { !$0.isRunning }) {
                throw PythonFailure(text: "a client ended: \(ended.errors)")
            }
            usleep(50_000)
        }
        throw PythonFailure(text: "the clients have said only \(said.map(lines)) lines in two minutes")
    }
}
