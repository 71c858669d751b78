import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

/// Several servers of one database, as far as they are one.
@Suite("Several servers", .serialized)
struct FailoverTests {
    /// Data files of servers.
    final class Folder {
        let url = FileManager.default.temporaryDirectory.appending(path: "failover-\(UUID().uuidString)")

        init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

        deinit { try? FileManager.default.removeItem(at: url) }

        func file(_ name: String) -> URL { url.appending(path: name + ".fs") }

        func serve(_ name: String, options: String = "") throws -> ZEOServerProcess {
            try ZEOServerProcess(
                storages: "<filestorage 1>\n  path \(file(name).path)\n</filestorage>", options: options)
        }

        func copy(_ name: String, to copy: String) throws {
            try? FileManager.default.removeItem(at: file(copy))
            try FileManager.default.copyItem(at: file(name), to: file(copy))
        }

        /// A database of two objects, the root among them, which refers to the other.
        func make(_ name: String, _ generation: Generation = .v5) throws -> (oid: ObjectID, tid: TransactionID) {
            let server = try serve(name)
            defer { _ = try? server.terminate() }
            let storage = try FailoverTests.connect([server], generation)
            let oid = try storage.newObjectIDs(1)[0]
            let tid = try storage.commit([
                (.root, Record.mapping("made", name), .none), (oid, Record.mapping("n", "1"), .none),
            ])
            return (oid, tid)
        }
    }

    static func connect(
        _ servers: [ZEOServerProcess], _ generation: Generation = .v5, readOnly: Bool = false, fallsBack: Bool = false,
        interruption: Interruption = Interruption()
    ) throws -> ZEOClientStorage {
        var options = ZEOClientStorage.Options(
            readOnly: readOnly, greetingTimeout: .seconds(20), newestGeneration: generation)
        options.fallsBackToReading = fallsBack
        return try ZEOClientStorage(
            servers.map { .host("127.0.0.1", port: $0.port) }, options, interruption: interruption)
    }

    private static let readOnly = "  read-only true"

    /// What became of each of several servers, in words.
    private static func causes(_ failure: ConnectionFailure?) throws -> [String] {
        guard case .noneOf(_, let causes)? = failure else { throw CancellationError() }
        return causes.map(\.description)
    }
    static let generations: [Generation] = OwnTests.everything ? Generation.allCases : [.v5, .v3101, .v303, .v201]

    @Test("who reads takes the first that answers, who writes the first that lets it write", arguments: generations)
    func choice(_ generation: Generation) throws {
        let folder = try Folder()
        let (oid, tid) = try folder.make("b")
        try folder.copy("b", to: "a")
        let (a, b) = (try folder.serve("a", options: Self.readOnly), try folder.serve("b"))
        let reading = try Self.connect([a, b], generation, readOnly: true)
        #expect(reading.serverAddress == "127.0.0.1:\(a.port)")
        #expect(reading.name == "127.0.0.1:\(a.port),127.0.0.1:\(b.port)")
        #expect(!reading.awaitsWritableServer)
        let writing = try Self.connect([a, b], generation)
        #expect(writing.serverAddress == "127.0.0.1:\(b.port)")
        try writing.commit([(oid, Record.mapping("n", "2"), tid)])
        #expect(
            try writing.information().details.contains {
                ($0.name, $0.value) == ("connected to", writing.serverAddress)
            })
        // Without the one that does, and without being content with less, there is none.
        b.kill()
        let failure = try ConnectionTests.failure { _ = try Self.connect([a, b], generation) }
        let causes = try Self.causes(failure)
        #expect(causes.count == 2 && causes[0].contains("read-only") && causes[1].contains("refused"), "\(causes)")
    }

    @Test(
        "a server that lets nobody write will do for a while, and is left again for one that does",
        arguments: generations)
    func fallback(_ generation: Generation) throws {
        let folder = try Folder()
        let (oid, tid) = try folder.make("b")
        try folder.copy("b", to: "a")
        let (a, b) = (try folder.serve("a", options: Self.readOnly), try folder.serve("b"))
        let storage = try Self.connect([a, b], generation, fallsBack: true)
        #expect(storage.isWritable && storage.serverAddress.hasSuffix(":\(b.port)"))
        b.kill()
        #expect(LiveChangeTests.eventually { (try? storage.ping()) != nil })
        #expect(storage.serverAddress.hasSuffix(":\(a.port)"))
        #expect(storage.awaitsWritableServer && !storage.isWritable)
        #expect(try storage.load(oid, at: tid).data == Record.mapping("n", "1"))
        #expect {
            try storage.begin(.plain)
        } throws: { error in
            if case StorageError.readOnly = error { true } else { false }
        }
        try b.start()
        #expect(LiveChangeTests.eventually { storage.isWritable })
        #expect(storage.serverAddress.hasSuffix(":\(b.port)") && !storage.awaitsWritableServer)
        let made = try storage.commit([(oid, Record.mapping("n", "2"), tid)])
        #expect(try storage.load(oid, at: made).data == Record.mapping("n", "2"))
        #expect(try storage.load(oid, at: tid).data == Record.mapping("n", "1"))
    }

    @Test(
        "a server that is behind what was seen is refused: nothing goes back",
        arguments: generations.filter { $0 > .v200 })
    func behind(_ generation: Generation) throws {
        let folder = try Folder()
        let (oid, tid) = try folder.make("b")
        try folder.copy("b", to: "a")
        let (a, b) = (try folder.serve("a", options: Self.readOnly), try folder.serve("b"))
        let storage = try Self.connect([a, b], generation, fallsBack: true)
        let made = try storage.commit([(oid, Record.mapping("n", "2"), tid)])
        #expect(try storage.load(oid, at: made).data == Record.mapping("n", "2"))
        b.kill()
        #expect(LiveChangeTests.eventually { !storage.isConnected })
        let failure = try ConnectionTests.failure { _ = try storage.ping() }
        let causes = try Self.causes(failure)
        #expect(causes.contains { $0.contains("the server is behind") && $0.contains("\(made)") }, "\(causes)")
        #expect(try storage.load(oid, at: made).data == Record.mapping("n", "2"))
        try b.start()
        #expect(LiveChangeTests.eventually { (try? storage.ping()) != nil })
        #expect(storage.serverAddress.hasSuffix(":\(b.port)"))
        #expect(try storage.lastTransaction() == made)
    }

    @Test("a server that was restored from an older state is refused as well, alone as it is")
    func restored() throws {
        let folder = try Folder()
        let (oid, tid) = try folder.make("b")
        try folder.copy("b", to: "old")
        let server = try folder.serve("b")
        let storage = try Self.connect([server])
        let made = try storage.commit([(oid, Record.mapping("n", "2"), tid)])
        try server.terminate()
        try folder.copy("old", to: "b")
        try? FileManager.default.removeItem(atPath: folder.file("b").path + ".index")
        #expect(LiveChangeTests.eventually { !storage.isConnected })
        try server.start()
        #expect(
            try ConnectionTests.failure { _ = try storage.ping() }
                == .behind(address: storage.name, last: tid, seen: made))
        // Who looks at it anew sees what it has.
        #expect(try Self.connect([server]).load(oid, at: .latest).serial == tid)
    }

    @Test("a server of another database is not taken for the same", arguments: generations)
    func otherDatabase(_ generation: Generation) throws {
        let folder = try Folder()
        _ = try folder.make("a")
        _ = try folder.make("b")
        let (a, b) = (try folder.serve("a"), try folder.serve("b"))
        let storage = try Self.connect([a, b], generation, readOnly: true)
        a.kill()
        #expect(LiveChangeTests.eventually { !storage.isConnected })
        let failure = try ConnectionTests.failure { _ = try storage.ping() }
        let causes = try Self.causes(failure)
        #expect(causes.contains { $0.contains("another database") }, "\(causes)")
        #expect(causes.contains { $0.contains("refused") })
        try a.start()
        #expect(LiveChangeTests.eventually { (try? storage.ping()) != nil })
        #expect(storage.serverAddress.hasSuffix(":\(a.port)"))
    }

    @Test("a copy that has gone its own way is not taken for the same", arguments: generations.filter { $0 >= .v309 })
    func diverged(_ generation: Generation) throws {
        let folder = try Folder()
        let (oid, tid) = try folder.make("a")
        try folder.copy("a", to: "b")
        let (a, b) = (try folder.serve("a"), try folder.serve("b"))
        let storage = try Self.connect([a, b], generation)
        let made = try storage.commit([(oid, Record.mapping("n", "ours"), tid)])
        try Self.connect([b]).commit([(oid, Record.mapping("n", "of the copy"), tid)])
        a.kill()
        #expect(LiveChangeTests.eventually { !storage.isConnected })
        let failure = try ConnectionTests.failure { _ = try storage.ping() }
        let causes = try Self.causes(failure)
        #expect(causes.contains { $0.contains("it does not have transaction \(made)") }, "\(causes)")
    }

    /// Stops the process, and waits until all its threads stand still.
    private static func stop(_ server: ZEOServerProcess) {
        kill(server.processID, SIGSTOP)
        _ = LiveChangeTests.eventually {
            let status = try? String(contentsOfFile: "/proc/\(server.processID)/stat", encoding: .utf8)
            return status?.split(separator: ")").last?.hasPrefix(" T") ?? true
        }
    }

    @Test("reads that are under way when a server goes are made at the next", arguments: generations)
    func underWay(_ generation: Generation) throws {
        let folder = try Folder()
        let (oid, tid) = try folder.make("a")
        try folder.copy("a", to: "b")
        let (a, b) = (try folder.serve("a"), try folder.serve("b"))
        var options = ZEOClientStorage.Options(
            greetingTimeout: .seconds(20), cacheCapacity: 0, newestGeneration: generation)
        options.reconnectPatience = .seconds(60)
        let storage = try ZEOClientStorage([a, b].map { .host("127.0.0.1", port: $0.port) }, options)
        #expect(storage.serverAddress.hasSuffix(":\(a.port)"))
        Self.stop(a)
        Thread.detachNewThread { [processID = a.processID] in
            Thread.sleep(forTimeInterval: 0.5)
            kill(processID, SIGKILL)
        }
        let revisions = storage.load([.root, oid], at: tid)
        #expect(try revisions.map { try $0.get().serial } == [tid, tid])
        #expect(storage.serverAddress.hasSuffix(":\(b.port)"))
        #expect(try storage.history(of: oid, limit: 10).map(\.transaction.tid) == [tid])
    }

    @Test("while all of them are away the cache file is read from, and whichever returns is compared with it")
    func cacheFile() throws {
        let folder = try Folder()
        let (oid, tid) = try folder.make("a")
        try folder.copy("a", to: "b")
        let (a, b) = (try folder.serve("a"), try folder.serve("b"))
        let options = ZEOClientStorage.Options(
            greetingTimeout: .seconds(20), cacheCapacity: 0, cacheFile: (folder.file("c.zec").path, 1 << 20))
        func open() throws -> ZEOClientStorage {
            try ZEOClientStorage([a, b].map { .host("127.0.0.1", port: $0.port) }, options)
        }
        var storage = try open()
        let known = try storage.load([.root, oid], at: tid).map { try $0.get() }
        storage.close()
        a.kill()
        b.kill()
        storage = try open()
        for server in [b, a] {
            #expect(LiveChangeTests.eventually { storage.absence != nil })
            #expect(try storage.lastTransaction() == tid)
            #expect(try storage.load([.root, oid], at: tid).map { try $0.get() } == known)
            try server.start()
            #expect(LiveChangeTests.eventually { storage.isConnected })
            #expect(storage.serverAddress.hasSuffix(":\(server.port)"))
            #expect(try storage.load([.root, oid], at: .latest).map { try $0.get() } == known)
            #expect(storage.cachedRevisionCount == 2)
            #expect(storage.takeRemarks() == [])
            server.kill()
        }
    }

    @Test("a server that is there and refuses us is not away: its words are said, and no cache file is read")
    func refusals() throws {
        let passwords = try PasswordFile()
        let folder = try Folder()
        let (oid, tid) = try folder.make("a")
        try folder.copy("a", to: "b")
        let (a, b) = (try folder.serve("a"), try folder.serve("b", options: passwords.options))
        var options = ZEOClientStorage.Options(
            greetingTimeout: .seconds(20), cacheCapacity: 0, cacheFile: (folder.file("c.zec").path, 1 << 20))
        let endpoints = [a, b].map { Endpoint.host("127.0.0.1", port: $0.port) }
        let storage = try ZEOClientStorage(endpoints, options)
        #expect(try storage.load(oid, at: tid).serial == tid)
        storage.close()
        a.kill()
        func causes() throws -> [String] {
            try Self.causes(try ConnectionTests.failure { _ = try ZEOClientStorage(endpoints, options) })
        }
        options.login = Credentials(user: "joe", password: "wrong")
        var told = try causes()
        #expect(told.count == 2 && told[0].contains("refused") && told[1].contains("joe"), "\(told)")
        options.login = LoginTests.joe
        options.storage = "main"
        told = try causes()
        #expect(told.count == 2 && told[1].contains("no storage named 'main'"), "\(told)")
        // With neither of them there, what is in the file is read.
        (options.login, options.storage) = (nil, "1")
        b.kill()
        let away = try ZEOClientStorage(endpoints, options)
        #expect(away.absence?.why.contains("127.0.0.1:\(a.port): connection refused") == true)
        #expect(try away.load(oid, at: tid).serial == tid)
        // Who read on is told as well when one comes back that refuses him.
        try b.start()
        let refused = Self.eventuallyRefused { _ = try away.load(ObjectID(rawValue: 99), at: tid) }
        #expect(refused?.contains { $0.hasPrefix("127.0.0.1:\(b.port): ") && !$0.contains("nothing listens") } == true)
    }

    /// What the servers said when the first that is there refused us.
    private static func eventuallyRefused(_ body: () throws -> Void) -> [String]? {
        var told: [String]?
        _ = LiveChangeTests.eventually {
            told = try? causes(try ConnectionTests.failure(body))
            return told != nil
        }
        return told
    }

    @Test("one that hangs is passed over; one that begins to hang is left")
    func hanging() throws {
        let folder = try Folder()
        let (oid, tid) = try folder.make("a")
        try folder.copy("a", to: "b")
        let (a, b) = (try folder.serve("a"), try folder.serve("b"))
        var options = ZEOClientStorage.Options(
            greetingTimeout: .seconds(5), replyTimeout: .seconds(5), cacheCapacity: 0)
        let waits = Waits()
        options.onWait = { address, _ in waits.note(address) }
        Self.stop(a)
        let storage = try ZEOClientStorage([a, b].map { .host("127.0.0.1", port: $0.port) }, options)
        #expect(storage.serverAddress.hasSuffix(":\(b.port)"))
        #expect(LiveChangeTests.eventually { (try? storage.load(oid, at: tid).serial) == tid })
        kill(a.processID, SIGCONT)
        Self.stop(b)
        // Its silence is said, then it is given up, and the other is there.
        #expect(
            try ConnectionTests.failure { _ = try storage.load(oid, at: tid) }
                == .silent(address: "127.0.0.1:\(b.port)", seconds: 5))
        #expect(LiveChangeTests.eventually { (try? storage.load(oid, at: tid).serial) == tid })
        #expect(storage.serverAddress.hasSuffix(":\(a.port)"))
        #expect(waits.addresses.contains("127.0.0.1:\(b.port)"))
        kill(b.processID, SIGCONT)
    }

    @Test("a server that moves is found where its name leads then")
    func moved() throws {
        let folder = try Folder()
        let (oid, tid) = try folder.make("a")
        // A name that can be changed at will: a link to the socket.
        func serve(_ name: String) throws -> ZEOServerProcess {
            try ZEOServerProcess(
                storages: "<filestorage 1>\n  path \(folder.file("a").path)\n</filestorage>",
                options: "  address \(folder.url.appending(path: name).path)")
        }
        let link = folder.url.appending(path: "zeo.sock").path
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "one.sock")
        let first = try serve("one.sock")
        let storage = try ZEOClientStorage(.unixSocket(path: link), .init(greetingTimeout: .seconds(20)))
        #expect(try storage.load(oid, at: tid).serial == tid)
        try first.terminate()
        try FileManager.default.removeItem(atPath: link)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "two.sock")
        let second = try serve("two.sock")
        #expect(LiveChangeTests.eventually { (try? storage.ping()) != nil })
        #expect(try storage.load(.root, at: .latest).serial == tid)
        _ = second
    }
}

/// Servers that were waited for, and told of.
private final class Waits: @unchecked Sendable {
    // Under the lock only.
    private var noted: Set<String> = []
    private let lock = NSLock()

    func note(_ address: String) { lock.withLock { _ = noted.insert(address) } }
    var addresses: Set<String> { lock.withLock { noted } }
}
