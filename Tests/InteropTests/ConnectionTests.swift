import Foundation
import Storages
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

@Suite("Connections", .serialized)
struct ConnectionTests {
    static func failure(_ body: () throws -> Void) throws -> ConnectionFailure {
        do {
            try body()
        } catch StorageError.connection(let failure) {
            return failure
        }
        Issue.record("no failure")
        throw CancellationError()
    }

    static func connect(port: Int, _ options: ZEOClientStorage.Options = .init()) throws {
        _ = try ZEOClientStorage(.host("127.0.0.1", port: port), options)
    }

    static let impatient = ZEOClientStorage.Options(greetingTimeout: .milliseconds(300))

    // MARK: Without Python

    @Test("nothing listening is refused, on a port and on a socket")
    func refused() throws {
        let port = try FreePort.find()
        #expect(try Self.failure { try Self.connect(port: port) } == .refused(address: "127.0.0.1:\(port)"))
        let path = FileManager.default.temporaryDirectory.appending(path: "no-such-\(UUID().uuidString)").path
        #expect(
            try Self.failure { _ = try ZEOClientStorage(.unixSocket(path: path)) }
                == .unreachable(address: path, "No such file or directory"))
    }

    @Test("a host that does not exist, a port that cannot be and a path that is too long are unreachable")
    func unreachable() throws {
        for endpoint: Endpoint in [
            .host("no-such-host.invalid", port: 8100), .host("127.0.0.1", port: 99_999),
            .unixSocket(path: "/" + String(repeating: "x", count: 300)),
        ] {
            guard case .unreachable = try Self.failure({ _ = try ZEOClientStorage(endpoint) }) else {
                Issue.record("\(endpoint)")
                continue
            }
        }
    }

    @Test("a server that waits for its client to speak is silent: TLS, HTTP")
    func silent() throws {
        let server = try ScriptedServer([.stay])
        #expect(
            try Self.failure { try Self.connect(port: server.port, Self.impatient) }
                == .silent(address: "127.0.0.1:\(server.port)", seconds: 0.3))
    }

    @Test("another protocol's greeting is shown")
    func notZEO() throws {
        let server = try ScriptedServer([.say(Array("SSH-2.0-OpenSSH_9.2\r\n".utf8)), .stay])
        #expect(
            try Self.failure { try Self.connect(port: server.port) }
                == .notZEO(address: "127.0.0.1:\(server.port)", received: "'SSH-2.0-OpenSSH_9.2\\x0d\\x0a'"))
    }

    @Test("one that refuses us, and one that hangs up, are told apart, old and new")
    func refusals() throws {
        let old = try ScriptedServer([.say([0, 0, 0, 2] + Array("Z4".utf8)), .hear(6), .hangUp])
        #expect(
            try Self.failure({ try Self.connect(port: old.port) })
                == .versionRefused(
                    address: "127.0.0.1:\(old.port)", theirs: "Z4, and closed on our answer", ours: "Z4"))
        let newer = try ScriptedServer([.say([0, 0, 0, 2] + Array("Z6".utf8)), .hear(6), .hangUp])
        #expect(
            try Self.failure { try Self.connect(port: newer.port) }
                == .versionRefused(
                    address: "127.0.0.1:\(newer.port)", theirs: "Z6, and closed on our answer", ours: "Z5"))
        let gone = try ScriptedServer([.hangUp])
        guard case .lost = try Self.failure({ try Self.connect(port: gone.port) }) else { throw CancellationError() }
    }

    @Test("a user who does not want to wait for a connection does not have to")
    func interruptedConnecting() throws {
        let server = try ScriptedServer([.stay])
        let interruption = Interruption()
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: 0.2)
            interruption.raise()
        }
        // Without the interruption it would be the server's silence that ends it.
        #expect(throws: StorageError.interrupted) {
            _ = try ZEOClientStorage(
                .host("127.0.0.1", port: server.port), .init(greetingTimeout: .seconds(600)),
                interruption: interruption)
        }
    }

    // MARK: With Python

    @Test("a storage name the server does not have is said to be unknown", .needs(.zeo6))
    func unknownStorage() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        #expect(
            try Self.failure { _ = try server.connect("main") }
                == .unknownStorage(address: server.endpoint.description, name: "main"))
    }

    @Test("an unknown storage of a Python 2 server as well", .needs(.zeo5Python2))
    func unknownStoragePython2() throws {
        let server = try PythonServer(.zeo5Python2, serving: ["1": ""])
        #expect(
            try Self.failure { _ = try server.connect("main") }
                == .unknownStorage(address: server.endpoint.description, name: "main"))
    }

    @Test("a web server is silent towards us", .needs(.zeo6))
    func http() throws {
        let port = try FreePort.find()
        let process = Process()
        process.executableURL = PythonPeer.zeo6.python
        process.arguments = ["-m", "http.server", "--bind", "127.0.0.1", String(port)]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer {
            // SIGTERM may be blocked, as it is in threads of the tests' pool.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        var failure = ConnectionFailure.refused(address: "")
        _ = try LiveChangeTests.eventually {
            failure = try Self.failure { try Self.connect(port: port, Self.impatient) }
            return failure != .refused(address: "127.0.0.1:\(port)")
        }
        #expect(failure == .silent(address: "127.0.0.1:\(port)", seconds: 0.3))
    }

    @Test("by a Unix socket and by IPv6", .needs(.zeo6))
    func otherAddresses() throws {
        let local = try PythonServer(.zeo6, serving: ["1": SampleData.path("fs/undo.fs")], onUnixSocket: true)
        let storage = try local.connect()
        #expect(try storage.load(.root, at: .latest).data.count > 10)
        #expect(storage.name.hasSuffix("/zeo.sock"))
        let every = try PythonServer(.zeo6, serving: ["1": SampleData.path("fs/undo.fs")], host: "")
        guard case .port(let port) = every.address else { throw CancellationError() }
        let six = try ZEOClientStorage(.host("::1", port: port))
        #expect(try six.load(.root, at: .latest).data.count > 10)
        #expect(six.name == "[::1]:\(port)")
    }

    @Test("an address opens what it names: a host and port, a path that is a socket, a storage's name", .needs(.zeo6))
    func addresses() throws {
        let files = ["1": SampleData.path("fs/undo.fs"), "main": SampleData.path("fs/zope5.fs")]
        func open(_ location: StorageAddress.Location, storage: String? = nil) throws -> any Storage {
            try openStorage(
                StorageAddress(location, storageName: storage), options: .init(), interruption: Interruption(),
                progress: { _ in })
        }
        let server = try PythonServer(.zeo6, serving: files)
        guard case .port(let port) = server.address else { throw CancellationError() }
        let first = try open(.server(host: "localhost", port: port))
        #expect(first.name == "localhost:\(port)")
        #expect(try first.information().objectCount == 6)
        let main = try open(.server(host: "127.0.0.1", port: port), storage: "main")
        #expect(try main.information().objectCount == 117)
        let local = try PythonServer(.zeo6, serving: files, onUnixSocket: true)
        guard case .unixSocket(let path) = local.address else { throw CancellationError() }
        #expect(try open(.path(path)).information().objectCount == 6)
        #expect(try open(.socket(path), storage: "main").information().objectCount == 117)
    }

    @Test("the server's log knows the client by its label, and no error of its making", .needs(.zeo6))
    func label() throws {
        let server = try PythonServer(.zeo6, serving: ["1": SampleData.path("fs/py3-zodb6.fs")])
        let storage = try server.connect()
        _ = try storage.transactionLog().rest()
        _ = try storage.records(of: storage.lastTransaction()).records.rest()
        _ = try storage.currentRecords(from: .root).rest()
        _ = try storage.information()
        storage.close()
        #expect(throws: StorageError.self) { try storage.ping() }
        #expect(LiveChangeTests.eventually { server.logText.contains("(tests 127.0.0.1") })
        #expect(!server.logText.contains("ERROR"))
    }

    @Test("an interrupted call leaves the connection as it was", .needs(.zeo6))
    func interruptedCall() throws {
        let server = try PythonServer(.zeo6, serving: ["1": SampleData.path("fs/undo.fs")])
        let interruption = Interruption()
        let storage = try server.connect(cache: 0, interruption: interruption)
        server.pause()
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: 0.3)
            interruption.raise()
        }
        #expect(throws: StorageError.interrupted) { try storage.load(.root, at: .latest) }
        #expect(throws: StorageError.interrupted) { try storage.ping() }
        interruption.clear()
        server.resume()
        #expect(storage.isConnected)
        #expect(try storage.load(.root, at: .latest).data.count > 10)
        #expect(try storage.ping() < .seconds(60))
    }

    @Test("a server that stops answering is waited for so long as was said", .needs(.zeo6))
    func replyTimeout() throws {
        let server = try PythonServer(.zeo6, serving: ["1": SampleData.path("fs/undo.fs")])
        let storage = try ZEOClientStorage(
            // The server answers the first calls, of the registration, within this even on a busy machine.
            server.endpoint, .init(greetingTimeout: .seconds(20), replyTimeout: .seconds(3), cacheCapacity: 0),
            interruption: Interruption())
        server.pause()
        let silent = ConnectionFailure.silent(address: storage.name, seconds: 3)
        #expect(try Self.failure({ _ = try storage.load(.root, at: .latest) }) == silent)
        #expect(try Self.failure({ _ = try storage.ping() }) == silent)
        server.resume()
        // Late answers are for nobody; the connection goes on.
        #expect(LiveChangeTests.eventually { (try? storage.load(.root, at: .latest).data.count) ?? 0 > 10 })
    }

    @Test(
        "a killed server fails the calls under way; back again, it works, and what was missed is known", .needs(.zeo6))
    func restart() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        try server.client("root['n'] = 1; transaction.commit()")
        let storage = try server.connect()
        let before = try storage.lastTransaction()
        let old = try storage.load(.root, at: before)
        let iterator = try storage.transactions(from: .none, through: .latest)
        _ = try iterator.next()

        server.pause()
        Thread.detachNewThread { [processID = server.processID] in
            // Long enough for the call to be under way.
            Thread.sleep(forTimeInterval: 1)
            kill(processID, SIGKILL)
        }
        guard case .lost = try Self.failure({ _ = try storage.ping() }) else { throw CancellationError() }
        #expect(!storage.isConnected)
        server.kill()
        #expect(try Self.failure { _ = try storage.ping() } == .refused(address: storage.name))
        // What is cached is known to have been so then.
        #expect(try storage.load(.root, at: before) == old)

        try commitOffline(server, 3)
        try server.start()
        #expect(LiveChangeTests.eventually { storage.isConnected })
        #expect(try storage.ping() < .seconds(60))
        let after = try storage.lastTransaction()
        #expect(after > before)
        #expect(try storage.poll() == [Invalidation(tid: after, oids: [.root])])
        #expect(try storage.load(.root, at: .latest).serial == after)
        #expect(try storage.load(.root, at: before).data == old.data)
        // It named something that lived in the old server.
        guard case .lost = try Self.failure({ _ = try iterator.next() }) else { throw CancellationError() }
        #expect(try iterator.next() == nil)
    }

    @Test("after a longer absence than the server remembers, nothing cached counts as current", .needs(.zeo6))
    func longAbsence() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        try server.client("root['n'] = 1; transaction.commit()")
        let storage = try server.connect()
        let old = try storage.load(.root, at: .latest)
        server.kill()
        try commitOffline(server, 150)
        try server.start()
        // The call connects by itself, whatever the background is at.
        let new = try storage.load(.root, at: .latest)
        #expect(new.serial > old.serial)
        let reported = try storage.poll()
        #expect(reported == [Invalidation(tid: try storage.lastTransaction(), oids: [], isComplete: false)])
    }

    /// Commits straight into the file, the server being down.
    private func commitOffline(_ server: PythonServer, _ count: Int) throws {
        try server.peer.run(
            """
            import sys, ZODB, transaction
            db = ZODB.DB(sys.argv[1])
            root = db.open().root()
            for n in range(\(count)):
                root['n'] = ('offline', n)
                transaction.commit()
            db.close()
            """, [server.folder.appending(path: "1.fs").path])
    }
}
