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
}
