import Logging
import TestSupport
import Testing
import ZEOProtocol
import ZEOServer
import ZODB

@Suite("Addresses of a server")
struct AddressTests {
    private func serve(_ path: String) throws -> StorageServer {
        try StorageServer(
            serving: [.init(name: "1", storage: MemoryStorage())], at: [.unixSocket(path: path)],
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test("a Unix socket at which a server answers is not taken away from it; one that nobody answers at is")
    func unixSocket() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/zeo.sock"
        let first = try serve(path)
        #expect(throws: StorageError.self) { try serve(path) }
        first.close()
        let second = try serve(path)
        second.close()
    }

    @Test("who watches a server is told that it is not ready before clients reach it, and reaches it before they do")
    func watchersFirst() throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = try StorageServer(serving: [.init(name: "1", storage: MemoryStorage())], logger: logger)
        defer { server.close() }
        var options = MonitoringService.Options()
        options.http = .host("127.0.0.1", port: 0)
        let monitoring = try MonitoringService(server, options, logger: logger)
        defer { monitoring.close() }
        guard case .host(_, let port)? = monitoring.http else { throw RawClient.Failure.notConnected }
        let early = PlainExchange.http(port: port, "/readyz")
        #expect(early?.status == 503 && early?.body == "the server does not listen yet\n")
        #expect(server.endpoints.isEmpty)
        try server.listen(at: [.host("127.0.0.1", port: 0)])
        #expect(PlainExchange.http(port: port, "/readyz")?.status == 200)
        #expect(server.endpoints.count == 1)
    }
}
