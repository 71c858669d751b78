import Foundation
import TestSupport
import Testing
import ZEOProtocol
import ZEOServer
import ZODB

@Suite("zeofuzz at a server")
struct FuzzTests {
    private static let zeofuzz = BuiltProgram(
        url: BuiltProgram.zeoshell.url.deletingLastPathComponent().appending(path: "zeofuzz"))

    private static let transcripts = Transcript.names.map { name in
        URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../ZEOProtocolTests/transcripts/\(name).txt").standardized.path
    }

    @Test(
        "damaged messages of clients in all dialects: no crash, and the quick way to load sees what the long one sees")
    func messages() throws {
        let outcome = try Self.zeofuzz.run(["server"] + Self.transcripts + ["--count", "4000"])
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
        #expect(outcome.output.contains("4000 inputs"))
    }

    @Test("a server under fire goes on answering those that behave, and has no connections left over")
    func live() throws {
        let storage = MemoryStorage()
        try storage.commit([(.root, Records.mapping(0))])
        var policy = ServicePolicy()
        policy.messageLimit = 1 << 20
        let server = try RunningServer(storage, policy: policy)
        let other = try server.client()
        let outcome = try Self.zeofuzz.run(
            ["server"] + Self.transcripts + ["--port", "\(server.port)", "--count", "1000", "--seed", "3"])
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
        #expect(try !other.load(.root).isException)
        while try other.call("server_status").arguments["connections"]?.integer != 1 {}
        try other.commit(1, [(ObjectID(rawValue: 1), .none, Records.length(1))])
    }
}
