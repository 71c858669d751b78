import Foundation
import TestSupport
import Testing
import ZEOProtocol
import ZEOServer

extension Trait where Self == ConditionTrait {
    /// Certificates for the test are made by this command.
    static var needsOpenSSL: Self { .enabled(if: Certificates.canBeMade, "there is no `openssl` command") }
}

@Suite("TLS", .needsOpenSSL)
struct TLSTests {
    private static let commits = """
        from persistent.mapping import PersistentMapping
        for number in range(5):
            root['value'] = number
            root['large'] = PersistentMapping()
            root['large']['data'] = 'x' * 3000000
            transaction.commit()
        other = db.open(transaction.TransactionManager())
        assert other.root()['value'] == 4 and len(other.root()['large']['data']) == 3000000
        print('ok')
        """

    private func client(
        _ peer: PythonPeer, _ server: SecureServer, wait: Int = 60, _ options: [String], _ code: String = commits
    ) throws -> String {
        try peer.run(
            script: "tlsclient.py", ["\(server.port)", "\(wait)", options.joined(separator: ";"), code])
    }

    private func options(_ certificates: Certificates, _ name: String, server: String = "ca.pem") -> [String] {
        [
            "certificate \(certificates.path("\(name).pem"))", "key \(certificates.path("\(name).key"))",
            "authenticate \(certificates.path(server))",
        ]
    }

    private func tls(
        _ certificates: Certificates, server: String = "server", trusting trust: ServerTLS.Trust? = nil
    ) throws -> ServerTLS {
        try ServerTLS(
            certificates: certificates.path("\(server).pem"), key: certificates.path("\(server).key"), password: nil,
            clients: trust ?? .file(certificates.path("ca.pem")))
    }

    // ZEO 5.4.1 on Python 2.7 ends every TLS connection after the handshake, to Python's own server too.
    private static let peers: [PythonPeer] = [.zeo6, .zeo5]

    @Test(
        "clients with certificates of a CA of one's own commit and load",
        .needs(.zeo6), .needs(.zeo5), arguments: peers)
    func authority(_ peer: PythonPeer) throws {
        let certificates = try Certificates()
        try certificates.server()
        try certificates.client("zope1")
        let tls = try tls(certificates)
        let server = try SecureServer { $0.tls = tls }
        #expect(try client(peer, server, options(certificates, "zope1")) == "ok\n")
        #expect(server.log.text.contains("(certificate CN=zope1) registered for storage 1"))
    }

    @Test("self-signed certificates on both sides, as ZEO's documentation has them", .needs(.zeo6), .needs(.zeo5))
    func selfSigned() throws {
        let certificates = try Certificates()
        try certificates.selfSigned("server", host: "zodb.org")
        try certificates.selfSigned("client")
        let tls = try tls(certificates, trusting: .file(certificates.path("client.pem")))
        let server = try SecureServer { $0.tls = tls }
        for peer in [PythonPeer.zeo6, .zeo5] {
            let options = options(certificates, "client", server: "server.pem") + ["server-hostname zodb.org"]
            #expect(try client(peer, server, options) == "ok\n")
        }
    }

    @Test("a directory of certificates, and a key with a password", .needs(.zeo6))
    func directory() throws {
        let certificates = try Certificates()
        try certificates.server()
        try certificates.client("zope1")
        let trusted = certificates.folder.appending(path: "trusted")
        try FileManager.default.createDirectory(at: trusted, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: certificates.folder.appending(path: "ca.pem"), to: trusted.appending(path: "ca.pem"))
        try certificates.openssl(["rehash", trusted.path])
        try certificates.openssl([
            "ec", "-in", certificates.path("server.key"), "-out", certificates.path("locked.key"), "-aes256",
            "-passout", "pass:open sesame",
        ])
        let tls = try ServerTLS(
            certificates: certificates.path("server.pem"), key: certificates.path("locked.key"),
            password: Array("open sesame".utf8), clients: .directory(trusted.path))
        let server = try SecureServer { $0.tls = tls }
        #expect(try client(.zeo6, server, options(certificates, "zope1")) == "ok\n")
        for password in [nil, Array("wrong".utf8)] {
            #expect(throws: ServerTLSError.self) {
                try ServerTLS(
                    certificates: certificates.path("server.pem"), key: certificates.path("locked.key"),
                    password: password, clients: .nobody)
            }
        }
    }

    @Test("clients that are not let in, and what the log says of each", .needs(.zeo6))
    func refused() throws {
        let certificates = try Certificates()
        let others = try Certificates()
        try certificates.server()
        try certificates.client("zope1")
        try certificates.client("old", days: -1)
        try certificates.server("second")
        try others.client("stranger")
        let tls = try tls(certificates)
        let server = try SecureServer { $0.tls = tls }
        func fails(_ options: [String]) {
            #expect(throws: PythonFailure.self) { try client(.zeo6, server, wait: 3, options, "print('in')") }
        }
        let trusted = "authenticate \(certificates.path("ca.pem"))"
        fails(options(others, "stranger", server: "ca.pem").dropLast() + [trusted])
        #expect(server.log.waits(for: "its certificate CN=stranger of issuer CN=tests is not accepted"))
        fails(options(certificates, "old"))
        #expect(server.log.waits(for: "its certificate CN=old is out of date"))
        // The other end does not trust this server, or knows it by another name.
        fails(options(certificates, "zope1", server: "zope1.pem"))
        #expect(server.log.waits(for: "it does not accept this server's certificate"))
        // A server's certificate is none for a client.
        fails(options(certificates, "second"))
        #expect(server.log.waits(for: "its certificate CN=second of issuer CN=tests is not accepted"))
        #expect(!server.log.text.contains("registered"))
        #expect(try client(.zeo6, server, options(certificates, "zope1")) == "ok\n")
    }

    @Test("nobody is let in without a certificate, or where DYNAMIC accepts none", .needs(.zeo6))
    func nobody() throws {
        let certificates = try Certificates()
        try certificates.server()
        try certificates.client("zope1")
        let tls = try tls(certificates)
        let server = try SecureServer { $0.tls = tls }
        let code = """
            import socket, ssl, sys
            context = ssl.create_default_context(cafile=sys.argv[2])
            with context.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[1]))), server_hostname='localhost') as s:
                s.settimeout(60)
                try:
                    print(s.recv(100))
                except ssl.SSLError as error:
                    print('refused')
            """
        #expect(
            try PythonPeer.zeo6.run(code, ["\(server.port)", certificates.path("ca.pem")]) == "refused\n")
        #expect(server.log.waits(for: "it shows no certificate"))
        let closed = try self.tls(certificates, trusting: .nobody)
        let second = try SecureServer { $0.tls = closed }
        #expect(throws: PythonFailure.self) {
            try client(.zeo6, second, wait: 3, options(certificates, "zope1"), "print('in')")
        }
        #expect(second.log.waits(for: "`authenticate DYNAMIC` accepts none"))
    }

    @Test("clients without TLS are told apart: those that speak, and those that wait", .needs(.zeo6))
    func plain() throws {
        let certificates = try Certificates()
        try certificates.server()
        var tls = try tls(certificates)
        tls.handshakeTimeout = 1
        let server = try SecureServer { $0.tls = tls }
        #expect(throws: PythonFailure.self) { try client(.zeo6, server, wait: 5, [], "print('in')") }
        #expect(server.log.waits(for: "it said nothing for 1.0 s", "does it have an <ssl> section?"))
        let code = """
            import socket, sys
            for said in b'\\0\\0\\0\\4ruok', b'\\0\\0\\0\\2Z5', b'GET / HTTP/1.0\\r\\n\\r\\n', b'\\x16\\x03', b'\\x16' + b'x' * 70000, b'hello':
                s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
                s.settimeout(60)
                s.sendall(said)
                try:
                    while s.recv(4096): pass
                except ConnectionError: pass
                print('closed')
            """
        let output = try PythonPeer.zeo6.run(code, ["\(server.port)"])
        #expect(output == String(repeating: "closed\n", count: 6))
        for words in [
            "it asks `ruok` without TLS", "it speaks ZEO without TLS", "it speaks HTTP", "it does not speak TLS",
            "its TLS handshake took longer than 1.0 s", "the TLS handshake failed",
        ] { #expect(server.log.waits(for: words), "\(words)") }
    }

    @Test("connections in their handshake count: more than the limit are turned away at once", .needs(.zeo6))
    func limits() throws {
        let certificates = try Certificates()
        try certificates.server()
        try certificates.client("zope1")
        let tls = try tls(certificates)
        let server = try SecureServer {
            $0.tls = tls
            $0.connectionLimit = 3
        }
        let code = """
            import socket, sys
            waiting = [socket.create_connection(('127.0.0.1', int(sys.argv[1]))) for _ in range(3)]
            one = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
            one.settimeout(5)
            print(one.recv(1))
            """
        #expect(try PythonPeer.zeo6.run(code, ["\(server.port)"]) == "b''\n")
        #expect(try client(.zeo6, server, options(certificates, "zope1")) == "ok\n")
    }

    @Test("files that are no certificates or keys are named, with what is wrong")
    func files() throws {
        let certificates = try Certificates()
        try certificates.server()
        try certificates.server("second")
        func problem(_ certificate: String, _ key: String, _ trust: ServerTLS.Trust) -> String {
            do {
                _ = try ServerTLS(
                    certificates: certificates.path(certificate), key: certificates.path(key), password: nil,
                    clients: trust)
                return ""
            } catch {
                return error.description
            }
        }
        let trust = ServerTLS.Trust.file(certificates.path("ca.pem"))
        #expect(problem("server.pem", "server.key", trust) == "")
        let missing = problem("none.pem", "server.key", trust)
        #expect(missing.hasPrefix("TLS: certificate \(certificates.path("none.pem")): "))
        #expect(missing.contains("No such file"))
        #expect(problem("server.key", "server.key", trust).contains("it holds no certificate in PEM"))
        #expect(problem("server.pem", "ca.pem", trust).contains("it holds no private key in PEM"))
        #expect(problem("server.pem", "second.key", trust).contains("it is not the key of the certificate in"))
        #expect(problem("server.pem", "server.key", .file(certificates.path("server.key"))).contains("authenticate"))
        #expect(problem("server.pem", "server.key", .directory(certificates.path("no"))).contains("no such directory"))
    }
}
