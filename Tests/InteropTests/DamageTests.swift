import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

/// What is damaged on its way may cost the connection, and never more: no wrong answer, no trap, no waiting for ever.
@Suite("Damaged on the way", .serialized)
struct DamageTests {
    /// What came of connecting and of one load.
    private func outcome(_ connect: () throws -> ZEOClientStorage) throws -> [UInt8]? {
        do {
            return try connect().load(.root, at: .latest).data
        } catch StorageError.connection {
            return nil
        }
    }

    @Test("TLS that is cut or changed anywhere is refused, from the first byte of the handshake on", .needsOpenSSL)
    func tls() throws {
        let certificates = try CertificateFolder()
        let server = try ZEOServerProcess(options: certificates.section())
        let proxy = try DamagingProxy(to: server.port)
        let settings = certificates.settings()
        let endpoint = Endpoint.host("127.0.0.1", port: proxy.port)
        let root = Record.mapping("a", "b")
        try ZEOClientStorage.secured(endpoint, settings, writable: true).commit([(.root, root, .none)])
        // The handshake is of some 1,200 bytes; the greeting, the registration and the load follow. A step that divides no
        // record's length, so that every part of them is met.
        for place in stride(from: 0, to: 3000, by: OwnTests.everything ? 1 : 37) {
            for damage in [DamagingProxy.Damage.cut(after: place), .flip(at: place)] {
                proxy.set(damage)
                let found = try outcome {
                    try ZEOClientStorage.secured(endpoint, settings, patience: .seconds(2))
                }
                if let found { #expect(found == root, "\(damage)") }
                if case .cut = damage, place < 1000 { #expect(found == nil, "\(damage)") }
            }
        }
        proxy.set(.none)
        #expect(try outcome { try ZEOClientStorage.secured(endpoint, settings) } == root)
    }

    @Test("a login that is cut or changed anywhere lets nobody in, and what follows it proves itself", .needs(.zeo4))
    func login() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "damage-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let passwords = folder.appending(path: "passwords").path
        let hash = DigestLogin.hash(user: "joe", realm: "r", password: "secret")
        try "realm r\njoe: \(hash)\n".write(toFile: passwords, atomically: true, encoding: .utf8)
        let server = try PythonServer(
            .zeo4, serving: ["1": SampleData.path("fs/undo.fs")],
            options: """
                 authentication-protocol digest
                 authentication-database \(passwords)
                 authentication-realm r
                """)
        guard case .port(let port) = server.address else { throw CancellationError() }
        let proxy = try DamagingProxy(to: port)
        func connect(_ patience: Duration) throws -> ZEOClientStorage {
            var options = ZEOClientStorage.Options(
                greetingTimeout: patience, replyTimeout: patience, cacheCapacity: 0)
            options.login = Credentials(user: "joe", password: "secret")
            return try ZEOClientStorage(.host("127.0.0.1", port: proxy.port), options)
        }
        let root = try #require(try outcome { try connect(.seconds(60)) })
        for place in stride(from: 0, to: 900, by: OwnTests.everything ? 1 : 23) {
            for damage in [DamagingProxy.Damage.cut(after: place), .flip(at: place)] {
                proxy.set(damage)
                if let found = try outcome({ try connect(.seconds(1)) }) { #expect(found == root, "\(damage)") }
            }
        }
        proxy.set(.none)
        #expect(try outcome { try connect(.seconds(60)) } == root)
    }
}
