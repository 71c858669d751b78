import Foundation
import TestSupport
import Testing
import ZEOProtocol
import ZEOServer

@Suite("Who does not come in")
struct StrangerTests {
    @Test(
        "is told apart by what it speaks, and told to the log with what to try",
        arguments: [
            ("GET / HTTP/1.1\r\n\r\n", "it speaks HTTP: clients of ZEO come here"),
            ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", "it speaks TLS, and this server does not: there is no <ssl>"),
            ("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", "take send-proxy out of the balancer"),
            ("SSH-2.0-OpenSSH_9.2\r\n", "it speaks SSH"),
        ])
    func strangers(said: String, words: String) throws {
        let server = try SecureServer()
        _ = PlainExchange.text(port: server.port, said)
        #expect(server.log.waits(for: "notice 127.0.0.1:", "is not let in: ", words))
        #expect(!server.log.text.contains("announced a message"))
    }

    @Test("is an old client that a msgpack server greets")
    func messagePack() throws {
        let server = try SecureServer { $0.announced = .m5 }
        #expect(PlainExchange.isListening(port: server.port))
        #expect(server.log.waits(for: "went away when it was greeted with M5: a client of ZEO before 5.1"))
    }

    @Test("is an old client without a name, where there are logins", .needs(.zeo6))
    func noLogin() throws {
        let logins = DigestLogins(realm: "ZEO") { _ in nil }
        let server = try SecureServer { $0.logins = logins }
        // As a ZEO 4 client begins.
        _ = try PythonPeer.zeo6.run(
            """
            import pickle, socket, struct
            s = socket.create_connection(('127.0.0.1', \(server.port)))
            for body in b'Z4', pickle.dumps((1, 0, 'getAuthProtocol', ()), 1):
                s.sendall(struct.pack('>I', len(body)) + body)
            s.settimeout(60)
            while b'digest' not in s.recv(1000): pass
            """)
        #expect(server.log.waits(for: "notice 127.0.0.1:", "went away without a login, which this server asks for"))
    }

    @Test("is a client without TLS that waits in vain and goes, where there is TLS", .needsOpenSSL)
    func silentPlainClient() throws {
        let certificates = try Certificates()
        try certificates.server()
        var tls = try ServerTLS(
            certificates: certificates.path("server.pem"), key: certificates.path("server.key"), password: nil,
            clients: .file(certificates.path("ca.pem")))
        tls.lookTimeout = 0
        let ready = tls
        let server = try SecureServer { $0.tls = ready }
        #expect(PlainExchange.isListening(port: server.port))
        #expect(
            server.log.waits(
                for: "notice 127.0.0.1:", "it went away without a word: a ZEO client without <ssl> waits"))
    }
}
