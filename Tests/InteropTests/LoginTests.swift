import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

/// A file of passwords with the user joe, whose password is `secret`.
final class PasswordFile {
    static let realm = "test realm"
    let path = FileManager.default.temporaryDirectory.appending(path: "passwords-\(UUID().uuidString)").path

    init() throws {
        let hash = DigestLogin.hash(user: "joe", realm: Self.realm, password: "secret")
        try "realm \(Self.realm)\njoe: \(hash)\n".write(toFile: path, atomically: true, encoding: .utf8)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var options: String {
        """
         authentication-protocol digest
         authentication-database \(path)
         authentication-realm \(Self.realm)
        """
    }
}

@Suite("Logins at servers", .serialized)
struct LoginTests {
    static let joe = Credentials(user: "joe", password: "secret")
    static let peers: [PythonPeer] = [.zodb37, .zodb38, .zodb310, .zeo4Python2, .zeo4].filter(\.isReady)

    private func connect(
        _ endpoint: Endpoint, _ login: Credentials?, writable: Bool = false
    ) throws -> ZEOClientStorage {
        var options = ZEOClientStorage.Options(
            readOnly: !writable, connectTimeout: .seconds(60), greetingTimeout: .seconds(60), cacheCapacity: 0)
        options.login = login
        return try ZEOClientStorage(endpoint, options)
    }

    private func failure(_ endpoint: Endpoint, _ login: Credentials?) throws -> LoginFailure? {
        let failure = try ConnectionTests.failure { _ = try connect(endpoint, login) }
        guard case .login(endpoint.description, let why) = failure else {
            Issue.record("\(failure)")
            return nil
        }
        return why
    }

    /// An empty database is one without a root, which a new one of ours is as well.
    private static func made(_ peer: PythonPeer) throws -> String {
        let path = FileManager.default.temporaryDirectory.appending(path: "login-\(UUID().uuidString).fs").path
        try peer.run(
            """
            import sys, ZODB
            from ZODB.FileStorage import FileStorage
            ZODB.DB(FileStorage(sys.argv[1])).close()
            """, [path])
        return path
    }

    @Test(
        "we log in, read, commit, are told of commits, and log in again after a restart", arguments: peers)
    func login(_ peer: PythonPeer) throws {
        let passwords = try PasswordFile()
        let file = try Self.made(peer)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let server = try PythonServer(peer, serving: ["1": file], options: passwords.options)
        let reader = try connect(server.endpoint, Self.joe)
        let writer = try connect(server.endpoint, Self.joe, writable: true)
        try use(reader, writer)
        server.kill()
        try server.start()
        #expect(LiveChangeTests.eventually { reader.isConnected && writer.isConnected })
        try use(reader, writer)
        #expect(reader.remarks.isEmpty)
        let information = try reader.information()
        #expect(information.details.contains(.init("login", "joe, realm \(PasswordFile.realm)")))
    }

    /// A small commit and a large one, which the other connection hears of.
    private func use(_ reader: ZEOClientStorage, _ writer: ZEOClientStorage) throws {
        let root = try writer.load(.root, at: .latest)
        let oid = try writer.newObjectIDs(1)[0]
        let large = Record.mapping("large", size: 300_000)
        try writer.commit([(oid, large, .none), (.root, root.data, root.serial)])
        let last = try writer.lastTransaction()
        #expect(
            try LiveChangeTests.eventually {
                _ = try reader.ping()
                return try reader.lastTransaction() >= last
            })
        #expect(try reader.load(oid, at: .latest).data == large)
        #expect(try reader.load(.root, at: .latest).serial == last)
    }

    @Test(
        "who does not get in is told why: no login, a wrong password, an unknown user, another realm", arguments: peers)
    func refused(_ peer: PythonPeer) throws {
        let passwords = try PasswordFile()
        let file = try Self.made(peer)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let server = try PythonServer(peer, serving: ["1": file], options: passwords.options)
        let endpoint = server.endpoint
        #expect(try failure(endpoint, nil) == .wanted(kind: "digest"))
        #expect(try failure(endpoint, Credentials(user: "joe", password: "wrong")) == .wrongPassword(user: "joe"))
        #expect(try failure(endpoint, Credentials(user: "ann", password: "secret")) == .noSuchUser("ann"))
        let elsewhere = Credentials(user: "joe", password: "secret", realm: "elsewhere")
        #expect(try failure(endpoint, elsewhere) == .otherRealm(expected: "elsewhere", found: PasswordFile.realm))
        #expect(try connect(endpoint, Self.joe).load(.root, at: .latest).data.count > 10)
    }

    @Test("our own server lets us log in, and says why not")
    func own() throws {
        let passwords = try PasswordFile()
        let server = try ZEOServerProcess(options: passwords.options)
        let endpoint = Endpoint.host("127.0.0.1", port: server.port)
        let first = try connect(endpoint, Self.joe, writable: true)
        try first.commit([(.root, Record.mapping("a", "b"), .none)])
        let second = try connect(endpoint, Self.joe)
        try use(second, first)
        try server.restart()
        #expect(LiveChangeTests.eventually { first.isConnected && second.isConnected })
        try use(second, first)
        #expect(server.logText.contains("(user joe) registered for storage 1"))
        #expect(try failure(endpoint, Credentials(user: "joe", password: "wrong")) == .wrongPassword(user: "joe"))
        #expect(try failure(endpoint, Credentials(user: "ann", password: "secret")) == .noSuchUser("ann"))
        // Clients that speak as ZEO 5 does are not asked.
        guard case .refused? = try failure(endpoint, nil) else {
            Issue.record("let in without a login")
            return
        }
    }

    @Test("of several one that refuses us is passed over, and each is logged in at as it wants it", .needs(.zeo6))
    func several() throws {
        let passwords = try PasswordFile()
        let folder = FileManager.default.temporaryDirectory.appending(path: "logins-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func serve(_ name: String, _ options: String) throws -> ZEOServerProcess {
            let copy = folder.appending(path: name)
            try FileManager.default.copyItem(atPath: SampleData.path("fs/zope5.fs"), toPath: copy.path)
            return try ZEOServerProcess(
                storages: "<filestorage 1>\n  path \(copy.path)\n</filestorage>", options: options)
        }
        let nobody = folder.appending(path: "nobody").path
        try "realm \(PasswordFile.realm)\n".write(toFile: nobody, atomically: true, encoding: .utf8)
        let refusing = try serve(
            "refusing.fs", passwords.options.replacingOccurrences(of: passwords.path, with: nobody))
        // It asks for none, and hangs up on who speaks as those do that have one.
        let open = try PythonServer(.zeo6, serving: ["1": SampleData.path("fs/zope5.fs")])
        let asking = try serve("asking.fs", passwords.options)
        var options = ZEOClientStorage.Options(
            connectTimeout: .seconds(60), greetingTimeout: .seconds(60), cacheCapacity: 0)
        options.login = Self.joe
        let storage = try ZEOClientStorage(
            [.host("127.0.0.1", port: refusing.port), open.endpoint, .host("127.0.0.1", port: asking.port)], options)
        #expect(storage.serverAddress == open.endpoint.description)
        #expect(storage.remarks == ["\(open.endpoint) asks for no login: nobody there knows that you are joe"])
        let root = try storage.load(.root, at: .latest)
        open.kill()
        #expect(LiveChangeTests.eventually { (try? storage.load(.root, at: .latest)) == root })
        #expect(storage.serverAddress.hasSuffix(":\(asking.port)"))
        #expect(storage.remarks == [])
        #expect(asking.logText.contains("(user joe) registered for storage 1"))
        #expect(!refusing.logText.contains("registered for storage 1"))
    }

    @Test("a server that asks for none lets us in all the same, with a remark", .needs(.zeo6), .needs(.zeo4))
    func notAsked() throws {
        for peer in [PythonPeer.zeo6, .zeo4] {
            let server = try PythonServer(peer, serving: ["1": SampleData.path("fs/undo.fs")])
            let storage = try connect(server.endpoint, Self.joe)
            #expect(try storage.load(.root, at: .latest).data.count > 10)
            #expect(storage.remarks == ["\(storage.name) asks for no login: nobody there knows that you are joe"])
            #expect(try storage.information().kind.hasSuffix(peer == .zeo6 ? "Z5" : "Z4"))
        }
        let own = try ZEOServerProcess()
        #expect(try connect(.host("127.0.0.1", port: own.port), Self.joe).remarks.count == 1)
    }
}
