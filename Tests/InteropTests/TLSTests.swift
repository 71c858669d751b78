import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

@Suite("TLS with servers", .serialized, .needsOpenSSL)
struct TLSTests {
    // ZEO 5.4.1 on Python 2.7 ends every TLS connection after the handshake, to its own clients too.
    static let kinds = [
        ServerKind(peer: .zeo6), ServerKind(peer: .zeo6, messagePack: true), ServerKind(peer: .zeo5),
        ServerKind(peer: .zeo5, messagePack: true),
    ].filter(\.peer.isReady)

    /// A commit, which the other connection hears of; more than one TLS record long.
    private func use(_ reader: ZEOClientStorage, _ writer: ZEOClientStorage) throws {
        let oid = try writer.newObjectIDs(1)[0]
        let large = Record.mapping("large", size: 3_000_000)
        let tid = try writer.commit([(oid, large, .none)])
        #expect(
            try LiveChangeTests.eventually {
                _ = try reader.ping()
                return try reader.lastTransaction() >= tid
            })
        #expect(try reader.load(oid, at: .latest).data == large)
    }

    @Test("what `zeoserver certs` makes is all one needs, also after the server's restart", arguments: kinds)
    func python(_ kind: ServerKind) throws {
        let certificates = try CertificateFolder()
        let server = try kind.serve(options: certificates.section())
        let writer = try ZEOClientStorage.secured(server.endpoint, certificates.settings(), writable: true)
        let reader = try ZEOClientStorage.secured(server.endpoint, certificates.settings())
        try use(reader, writer)
        server.kill()
        try server.start()
        #expect(LiveChangeTests.eventually { reader.isConnected && writer.isConnected })
        try use(reader, writer)
        #expect(try reader.information().details.contains(.init("tls", "with our certificate")))
    }

    @Test("our own server, after its restart as well")
    func own() throws {
        let certificates = try CertificateFolder()
        let server = try ZEOServerProcess(options: certificates.section())
        let endpoint = Endpoint.host("127.0.0.1", port: server.port)
        let writer = try ZEOClientStorage.secured(endpoint, certificates.settings(), writable: true)
        let reader = try ZEOClientStorage.secured(endpoint, certificates.settings(serverName: "localhost"))
        try use(reader, writer)
        try server.restart()
        #expect(LiveChangeTests.eventually { reader.isConnected && writer.isConnected })
        try use(reader, writer)
        #expect(server.logText.contains("(certificate CN=me) registered for storage 1"))
    }

    @Test("by a Unix socket, which has no name to look for", .needs(.zeo6))
    func unixSocket() throws {
        let certificates = try CertificateFolder(hosts: ["db.example.org"])
        let server = try PythonServer(
            .zeo6, serving: ["1": SampleData.path("fs/undo.fs")], onUnixSocket: true, options: certificates.section())
        #expect(
            try ZEOClientStorage.secured(server.endpoint, certificates.settings()).load(.root, at: .latest).data.count
                > 10)
        _ = try ZEOClientStorage.secured(server.endpoint, certificates.settings(serverName: "db.example.org"))
        #expect(
            try failure(server.endpoint, certificates.settings(serverName: "db2.example.org"))
                == .otherName(expected: "db2.example.org", names: ["db.example.org"]))
    }

    @Test("certificate and key in one file, an encrypted key, and authorities in a directory", .needs(.zeo6))
    func files() throws {
        let certificates = try CertificateFolder()
        let server = try ServerKind(peer: .zeo6).serve(SampleData.path("fs/undo.fs"), options: certificates.section())
        func works(_ settings: ClientTLS.Settings) throws -> Bool {
            try ZEOClientStorage.secured(server.endpoint, settings).load(.root, at: .latest).data.count > 10
        }
        try certificates.write(try certificates.contents("me.pem") + certificates.contents("me.key"), to: "both.pem")
        try certificates.protect("both.pem")
        var settings = certificates.settings()
        (settings.certificate, settings.key) = (certificates.path("both.pem"), nil)
        #expect(try works(settings))
        // As PKCS #8, and as OpenSSL wrote them before.
        try certificates.openssl([
            "pkcs8", "-topk8", "-in", certificates.path("me.key"), "-out", certificates.path("locked.key"), "-passout",
            "pass:open sesame",
        ])
        try certificates.openssl([
            "ec", "-in", certificates.path("me.key"), "-out", certificates.path("old.key"), "-aes256", "-passout",
            "pass:open sesame",
        ])
        settings = certificates.settings()
        for name in ["locked.key", "old.key"] {
            try certificates.protect(name)
            settings.key = certificates.path(name)
            settings.passphrase = Array("open sesame".utf8)
            #expect(try TLSFiles.isEncrypted(certificates.path(name)))
            #expect(try works(settings))
        }
        #expect(try !TLSFiles.isEncrypted(certificates.path("me.key")))
        let trusted = certificates.folder.appending(path: "trusted")
        try FileManager.default.createDirectory(at: trusted, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: certificates.path("ca.pem"), toPath: trusted.appending(path: "ca.pem").path)
        settings = certificates.settings(authorities: "trusted")
        #expect(throws: TLSFailure.file(.authorities, path: trusted.path, .noHashes)) { try ClientTLS(settings) }
        try certificates.openssl(["rehash", trusted.path])
        #expect(try works(settings))
    }

    @Test("a read goes on when connections are closed before the handshake for a while, as in a server's restart")
    func patient() throws {
        let certificates = try CertificateFolder()
        let server = try ZEOServerProcess(options: certificates.section())
        let writer = try ZEOClientStorage.secured(
            .host("127.0.0.1", port: server.port), certificates.settings(), writable: true)
        let oid = try writer.newObjectIDs(1)[0]
        let large = Record.mapping("large", size: 1_000_000)
        let tid = try writer.commit([(oid, large, .none)])
        let proxy = try FaultProxy(to: server.port, knowsMessages: false)
        // In the middle of the record.
        proxy.plan([.init(.cutAtByte(.toClient, 500_000))] + Array(repeating: .init(.refuse), count: 8))
        var options = ZEOClientStorage.Options(
            connectTimeout: .seconds(60), greetingTimeout: .seconds(60), cacheCapacity: 0)
        options.tls = try ClientTLS(certificates.settings())
        options.reconnectPatience = .seconds(60)
        let storage = try ZEOClientStorage(.host("127.0.0.1", port: proxy.port), options)
        #expect(try storage.load(oid, at: tid).data == large)
        #expect(proxy.hits == 9)
    }

    @Test("at the first connection nothing is waited for; a cache with something in it is read, and the reason told")
    func firstConnection() throws {
        let certificates = try CertificateFolder()
        let server = try ZEOServerProcess(options: certificates.section())
        let writer = try ZEOClientStorage.secured(
            .host("127.0.0.1", port: server.port), certificates.settings(), writable: true)
        let oid = try writer.newObjectIDs(1)[0]
        try writer.commit([(oid, Record.mapping("a", "b"), .none)])
        let proxy = try FaultProxy(to: server.port, knowsMessages: false)
        let cache = certificates.path("c.zec")
        func connect() throws -> ZEOClientStorage {
            var options = ZEOClientStorage.Options(
                connectTimeout: .seconds(60), greetingTimeout: .seconds(60), cacheCapacity: 0,
                cacheFile: (cache, 1 << 16))
            options.tls = try ClientTLS(certificates.settings())
            return try ZEOClientStorage(.host("127.0.0.1", port: proxy.port), options)
        }
        proxy.plan([.init(.refuse)])
        let refusal = try ConnectionTests.failure { _ = try connect() }
        #expect(refusal == .tls(address: "127.0.0.1:\(proxy.port)", .closed), "\(refusal)")
        #expect(proxy.hits == 1)
        // With something in it, the cache is read from, and the reason is told.
        var storage = try connect()
        let known = try storage.load(oid, at: try storage.lastTransaction())
        storage.close()
        proxy.plan(Array(repeating: .init(.refuse), count: 1000))
        storage = try connect()
        let why = storage.absence?.why
        #expect(why?.contains("during the TLS handshake") == true, "\(why ?? "there")")
        #expect(try storage.load(oid, at: try storage.lastTransaction()) == known)
    }

    @Test("a server that closes at once is told of in the same words, whether or not the handshake had begun by then")
    func closedAtOnce() throws {
        let certificates = try CertificateFolder()
        let proxy = try FaultProxy(to: 1, knowsMessages: false)
        proxy.plan(Array(repeating: .init(.refuse), count: 300))
        var options = ZEOClientStorage.Options(
            connectTimeout: .seconds(60), greetingTimeout: .seconds(60), cacheCapacity: 0)
        options.tls = try ClientTLS(certificates.settings())
        // Which of the two happens is chance: one in twenty is closed first.
        for _ in 0..<300 {
            let refusal = try ConnectionTests.failure {
                _ = try ZEOClientStorage(.host("127.0.0.1", port: proxy.port), options)
            }
            try #require(refusal == .tls(address: "127.0.0.1:\(proxy.port)", .closed), "\(refusal)")
        }
    }

    // MARK: What goes wrong

    private func failure(
        _ endpoint: Endpoint, _ settings: ClientTLS.Settings, patience: Duration = .seconds(60)
    ) throws -> TLSFailure? {
        let failure = try ConnectionTests.failure {
            _ = try ZEOClientStorage.secured(endpoint, settings, patience: patience)
        }
        guard case .tls(endpoint.description, let why) = failure else {
            Issue.record("\(failure)")
            return nil
        }
        return why
    }

    @Test("a server whose certificate will not do: whose, and why", .needs(.zeo6))
    func serverRefused() throws {
        let certificates = try CertificateFolder()
        let others = try CertificateFolder()
        try certificates.selfSigned("alone", host: "localhost")
        let names = "subjectAltName = IP:127.0.0.1\nextendedKeyUsage ="
        try certificates.make("old", days: -1, "\(names) serverAuth")
        try certificates.make("client", "\(names) clientAuth")
        try certificates.make("elsewhere", "subjectAltName = DNS:db1.example.org, DNS:*.example.net, IP:10.0.0.1")
        let settings = certificates.settings()

        let alone = try ServerKind(peer: .zeo6).serve(options: certificates.section("alone"))
        let self1 = CertificateNames(subject: "CN=alone", issuer: "CN=alone")
        #expect(try failure(alone.endpoint, settings) == .selfSigned(self1))
        // It is itself what vouches for it.
        _ = try ZEOClientStorage.secured(
            alone.endpoint, certificates.settings(authorities: "alone.pem", serverName: "localhost"))
        alone.kill()

        let server = try ServerKind(peer: .zeo6).serve(options: certificates.section())
        let unknown = TLSFailure.unknownAuthority(CertificateNames(subject: "CN=server", issuer: "CN=ZEO"))
        var stranger = settings
        stranger.authorities = others.path("ca.pem")
        #expect(try failure(server.endpoint, stranger) == unknown)
        // No authority of the system knows it.
        stranger.authorities = nil
        #expect(try failure(server.endpoint, stranger) == unknown)
        server.kill()

        let old = try ServerKind(peer: .zeo6).serve(options: certificates.section("old"))
        guard case .expired(let subject, let since)? = try failure(old.endpoint, settings) else {
            Issue.record("not expired")
            return
        }
        #expect(subject.subject == "CN=old" && since.hasSuffix(" UTC"))
        old.kill()

        let client = try ServerKind(peer: .zeo6).serve(options: certificates.section("client"))
        #expect(
            try failure(client.endpoint, settings)
                == .unknownAuthority(CertificateNames(subject: "CN=client", issuer: "CN=ZEO")))
        client.kill()

        let elsewhere = try ServerKind(peer: .zeo6).serve(options: certificates.section("elsewhere"))
        #expect(
            try failure(elsewhere.endpoint, settings)
                == .otherName(
                    expected: "127.0.0.1", names: ["db1.example.org", "*.example.net", "10.0.0.1"]))
        for name in ["db1.example.org", "DB1.example.org.", "x.example.net", "10.0.0.1"] {
            _ = try ZEOClientStorage.secured(elsewhere.endpoint, certificates.settings(serverName: name))
        }
        for name in ["example.org", "a.b.example.net", "example.net", "10.0.0.2", "::1"] {
            guard case .otherName(name, _)? = try failure(elsewhere.endpoint, certificates.settings(serverName: name))
            else {
                Issue.record("\(name)")
                continue
            }
        }
        var unchecked = settings
        unchecked.checksServerName = false
        _ = try ZEOClientStorage.secured(elsewhere.endpoint, unchecked)
    }

    @Test("a server that does not take our certificate, or wants one", .needs(.zeo6), .needs(.zeo5))
    func clientRefused() throws {
        let certificates = try CertificateFolder()
        let others = try CertificateFolder()
        try certificates.make("old", days: -1, "extendedKeyUsage = clientAuth")
        var stranger = others.settings()
        stranger.authorities = certificates.path("ca.pem")
        let own = try ZEOServerProcess(options: certificates.section())
        var endpoints = [Endpoint.host("127.0.0.1", port: own.port)]
        let servers = try [PythonPeer.zeo6, .zeo5].map {
            try ServerKind(peer: $0).serve(options: certificates.section())
        }
        endpoints += servers.map(\.endpoint)
        for endpoint in endpoints {
            for settings in [stranger, certificates.settings("old")] {
                let why = try failure(endpoint, settings)
                switch why {
                case .certificateRefused?, .hungUp(hasCertificate: true)?: break
                default: Issue.record("\(endpoint): \(String(describing: why))")
                }
                #expect(why?.description.hasPrefix("the server does not accept our certificate") == true)
            }
            // With or without an alert.
            #expect(
                try failure(endpoint, certificates.settings(nil))?.description
                    == TLSFailure.certificateWanted.description)
            _ = try ZEOClientStorage.secured(endpoint, certificates.settings())
        }
        #expect(try failure(endpoints[0], stranger) == .certificateRefused("its issuer is none that the server knows"))
    }

    @Test("TLS to a server without it, and none to a server with it", .needs(.zeo6))
    func mismatch() throws {
        let certificates = try CertificateFolder()
        let plain = try PythonServer(.zeo6, serving: ["1": ""])
        #expect(try failure(plain.endpoint, certificates.settings()) == .plainServer(received: "'Z5'"))
        let secure = try ServerKind(peer: .zeo6).serve(options: certificates.section())
        let silent = try ConnectionTests.failure {
            _ = try ZEOClientStorage.secured(secure.endpoint, nil, patience: .milliseconds(500))
        }
        #expect(silent == .silent(address: secure.endpoint.description, seconds: 0.5))
        let mute = try ScriptedServer([.stay])
        #expect(
            try failure(.host("127.0.0.1", port: mute.port), certificates.settings(), patience: .milliseconds(500))
                == .noAnswer(seconds: 0.5))
        let http = try ScriptedServer([.hear(10), .say(Array("HTTP/1.1 400 Bad Request\r\n".utf8)), .stay])
        #expect(
            try failure(.host("127.0.0.1", port: http.port), certificates.settings())
                == .plainServer(received: "'HTTP/1.1 400 Bad Request\\x0d\\x0a'"))
        let gone = try ScriptedServer([.hear(10), .hangUp])
        #expect(try failure(.host("127.0.0.1", port: gone.port), certificates.settings()) == .closed)
    }

    @Test("files that will not do are named, with what is wrong with each")
    func badFiles() throws {
        let certificates = try CertificateFolder()
        let others = try CertificateFolder()
        func problem(_ change: (inout ClientTLS.Settings) throws -> Void) throws -> TLSFailure? {
            var settings = certificates.settings()
            try change(&settings)
            do throws(TLSFailure) {
                _ = try ClientTLS(settings)
                return nil
            } catch {
                return error
            }
        }
        let (certificate, key, ca) = (
            certificates.path("me.pem"), certificates.path("me.key"), certificates.path("ca.pem")
        )
        #expect(try problem { _ in } == nil)
        #expect(
            try problem { $0.certificate = "/no/such" }
                == .file(.certificate, path: "/no/such", .unreadable(errno: ENOENT)))
        #expect(
            try problem { $0.authorities = "/no/such" }
                == .file(.authorities, path: "/no/such", .unreadable(errno: ENOENT)))
        #expect(
            try problem { $0.certificate = certificates.folder.path }
                == .file(.certificate, path: certificates.folder.path, .isDirectory))
        #expect(try problem { $0.certificate = key } == .file(.certificate, path: key, .notPEM(isBinary: false)))
        #expect(try problem { $0.key = nil } == .file(.key, path: certificate, .notPEM(isBinary: false)))
        #expect(try problem { $0.key = ca } == .file(.key, path: ca, .notPEM(isBinary: false)))
        #expect(try problem { $0.certificate = nil } == .file(.key, path: key, .noCertificate))
        #expect(
            try problem { $0.key = others.path("me.key") }
                == .file(.key, path: others.path("me.key"), .otherCertificate(certificate)))
        let binary = certificates.path("me.der")
        try certificates.openssl(["x509", "-in", certificate, "-outform", "DER", "-out", binary])
        #expect(try problem { $0.certificate = binary } == .file(.certificate, path: binary, .notPEM(isBinary: true)))
        let locked = certificates.path("locked.key")
        try certificates.openssl([
            "pkcs8", "-topk8", "-in", key, "-out", locked, "-passout", "pass:open sesame",
        ])
        try certificates.protect("locked.key")
        #expect(try problem { $0.key = locked } == .file(.key, path: locked, .needsPassphrase))
        #expect(
            try problem {
                $0.key = locked
                $0.passphrase = Array("wrong".utf8)
            } == .file(.key, path: locked, .wrongPassphrase))
        for mode in [0o644, 0o640, 0o604, 0o660] {
            try certificates.protect("me.key", mode)
            #expect(try problem { _ in } == .file(.key, path: key, .exposed(mode: UInt32(mode))))
        }
        try certificates.protect("me.key", 0o400)
        #expect(try problem { _ in } == nil)
        // A key that is cut anywhere is none, and never more than that.
        let text = try certificates.contents("me.key")
        try certificates.protect("me.key")
        for count in stride(from: 0, to: text.utf8.count - 2, by: 3) {
            try certificates.write(String(text.prefix(count)), to: "cut.key")
            try certificates.protect("cut.key")
            let path = certificates.path("cut.key")
            #expect(try problem { $0.key = path } == .file(.key, path: path, .notPEM(isBinary: false)))
        }
    }
}
