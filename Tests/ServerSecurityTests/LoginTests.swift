import Foundation
import TestSupport
import Testing
import ZEOProtocol
import ZEOServer

@Suite("Logins of clients up to ZEO 4")
struct LoginTests {
    private static let realm = "our realm"

    private func server(_ change: (inout ServicePolicy) -> Void = { _ in }) throws -> SecureServer {
        let hash = DigestLogin.hash(user: "joe", realm: Self.realm, password: "secret")
        return try SecureServer { policy in
            policy.logins = DigestLogins(realm: Self.realm) { $0 == "joe" ? hash : nil }
            change(&policy)
        }
    }

    private static let peers: [PythonPeer] = [.zodb38, .zodb310, .zeo4Python2, .zeo4]

    @Test(
        "clients log in, commit and are told of commits, every message with its code",
        .needs(.zodb38), .needs(.zodb310), .needs(.zeo4Python2), .needs(.zeo4), arguments: peers)
    func login(_ peer: PythonPeer) throws {
        let server = try server()
        let output = try peer.run(script: "login.py", ["\(server.port)", "joe", "secret", Self.realm, "1"])
        #expect(output.hasSuffix("ok\n"))
        #expect(server.log.text.contains("(user joe) registered for storage 1"))
        #expect(!server.log.text.contains("secret"))
    }

    @Test(
        "a wrong password lets nobody in, and the log says whose it was",
        .needs(.zodb38), .needs(.zodb310), .needs(.zeo4Python2), .needs(.zeo4), arguments: peers)
    func wrongPassword(_ peer: PythonPeer) throws {
        let server = try server()
        #expect(throws: PythonFailure.self) {
            try peer.run(script: "login.py", ["\(server.port)", "joe", "another-secret", Self.realm, "0"])
        }
        #expect(server.log.text.contains("failed to log in: wrong password for joe"))
        #expect(!server.log.text.contains("another-secret"))
        #expect(!server.log.text.contains("registered"))
    }

    @Test("whatever else is said, nobody gets in without a login", .needs(.zeo6))
    func probes() throws {
        let server = try server()
        let found = try JSONValue(
            parsing: Array(PythonPeer.zeo6.run(script: "probe.py", ["\(server.port)", "joe", "secret"]).utf8))
        func strings(_ name: String) -> [String] { found[name]?.elements.compactMap(\.string) ?? [] }
        #expect(found["protocol"]?.string == "digest")
        #expect(
            strings("register without login")
                == ["ZEO.Exceptions.AuthError", "Client was never authenticated with server!"])
        #expect(strings("unknown user") == ["builtins.LookupError", "No such user: nobody"])
        #expect(strings("wrong challenge") == ["builtins.ValueError", "invalid challenge"])
        #expect(found["wrong password"] == .bool(false))
        #expect(found["right password"] == .bool(true))
        #expect(strings("second login").first == "builtins.ValueError")
        #expect(found["register"] == .null)
        #expect(found["last transaction"] != nil)
        for name in ["load before register", "no code", "wrong code", "code without login", "guessing"] {
            #expect(found[name] == .bool(true), "\(name)")
        }
        #expect(found["challenges"]?.int == 5)
        #expect(strings("generation 5").first == "ZEO.Exceptions.AuthError")
        #expect(strings("generation 5").last?.contains("ZEO 5") == true)
        #expect(strings("odd name").first == "builtins.LookupError")
        #expect(!server.log.text.contains("\u{1b}"))
    }

    @Test("without users nobody is asked for a login", .needs(.zeo4Python2))
    func noLogins() throws {
        let server = try SecureServer()
        let output = try PythonPeer.zeo4Python2.run(script: "login.py", ["\(server.port)", "", "", "", "1"])
        #expect(output.hasSuffix("ok\n"))
    }

    @Test("a role lets clients of ZEO 5 in where others log in", .needs(.zeo6), .needs(.zeo4Python2))
    func roles() throws {
        let server = try server { policy in
            policy.authorization = { client, _ in
                client.user == "joe" ? [.read, .write] : client.address == [127, 0, 0, 1] ? [.read] : []
            }
        }
        let arguments = ["\(server.port)", "joe", "secret", Self.realm, "1"]
        let output = try PythonPeer.zeo4Python2.run(script: "login.py", arguments)
        #expect(output.hasSuffix("ok\n"))
        let read = try PythonPeer.zeo6.run(
            """
            import sys
            from ZEO.ClientStorage import ClientStorage
            storage = ClientStorage(('127.0.0.1', int(sys.argv[1])), read_only_fallback=True, wait_timeout=60)
            print(storage.isReadOnly(), len(storage))
            storage.close()
            """, ["\(server.port)"])
        #expect(read.hasPrefix("True"))
    }
}
