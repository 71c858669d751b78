import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite("A server in trouble says what it is")
struct TroubleTests {
    @Test("a Data.fs that is made shorter under it ends the process, with a line in the log")
    func shortened() throws {
        let server = try ZEOServerProcess()
        let client = try ZEOClientStorage(.host("127.0.0.1", port: server.port), .init(readOnly: false))
        let oids = try client.newObjectIDs(40)
        let transaction = try client.begin(.init())
        for oid in oids {
            try transaction.store([0x80, 3] + [UInt8](repeating: 0x4e, count: 8000), for: oid, basedOn: .none)
        }
        _ = try transaction.vote()
        _ = try transaction.finish()
        client.close()
        #expect(truncate(server.dataFile.path, 4096) == 0)
        let reader = try RawLoad(port: server.port)
        #expect(try reader.ends(loading: oids[39]))
        while server.isRunning { usleep(20_000) }
        let log = try String(contentsOf: server.folder.appending(path: "server.log"), encoding: .utf8)
        let line = try #require(log.split(separator: "\n").first { $0.contains("ends by SIGBUS") })
        #expect(line.contains("process \(server.processID) ends"))
        #expect(!line.contains("0000000000"))
        #expect(throws: ZEOServerFailure.self) { try server.terminate() }
    }

    private static let prlimit = "/usr/bin/prlimit"

    @Test(
        "without descriptors it goes on with its clients, says why no others come, and takes them when there are some",
        .enabled(if: FileManager.default.isExecutableFile(atPath: prlimit), "there is no prlimit"))
    func noDescriptors() throws {
        let server = try ZEOServerProcess()
        let client = try ZEOClientStorage(.host("127.0.0.1", port: server.port), .init(readOnly: false))
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(server.processID)/fd").count
        let limit = Process()
        limit.executableURL = URL(filePath: Self.prlimit)
        limit.arguments = ["--pid", "\(server.processID)", "--nofile=\(open + 3):\(open + 3)"]
        try limit.run()
        limit.waitUntilExit()
        #expect(limit.terminationStatus == 0)
        var others: [RawClient]? = try (0..<20).map { _ in try RawClient(port: server.port) }
        while !server.logText.contains("no client can be accepted") { usleep(20_000) }
        #expect(try client.lastTransaction() == client.lastTransaction())
        #expect(server.logText.contains("its limit of open files, \(open + 3)"))
        #expect(server.logText.split(separator: "\n").filter { $0.contains("no client can be accepted") }.count == 1)
        #expect(others?.count == 20)
        others = nil
        // Those that hung up in the queue are let go first.
        let late = try RawClient(port: server.port)
        #expect(try !late.receive().isEmpty)
        client.close()
    }
}

/// A client of ZEO 5 that asks for one object.
private struct RawLoad {
    private let client: RawClient

    init(port: Int) throws {
        client = try RawClient(port: port)
        _ = try client.receive()
        client.send(body: Array("Z5".utf8))
        client.send(body: Array("(K\u{1}K\u{0}U\u{8}register(U\u{1}1K\u{1}tt.".utf8))
        _ = try client.receive()
    }

    /// Whether the connection ends instead of an answer.
    func ends(loading oid: ObjectID) throws -> Bool {
        let tid = [UInt8](repeating: 0x7f, count: 1) + [UInt8](repeating: 0xff, count: 7)
        client.send(
            body: Array("(K\u{2}K\u{0}U\u{a}loadBefore(U\u{8}".utf8) + oid.bytes + Array("U\u{8}".utf8) + tid
                + Array("tt.".utf8))
        return try client.isClosedByPeer()
    }
}
