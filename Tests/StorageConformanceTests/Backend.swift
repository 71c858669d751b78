import Foundation
import Logging
import Synchronization
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZEOServer
import ZODB
import ZODBFile

/// All that a storage can be asked for here.
typealias FullStorage = BlobStorage & CurrentRecordStorage & HistoryStorage & UndoableStorage

/// An empty database of one kind. What it takes is gone when it is released.
final class Fixture {
    let storage: any FullStorage
    private let open: (_ isWritable: Bool) throws -> (any WritableStorage)?
    private let folder: URL?
    private let whenDone: () -> Void

    init(
        _ storage: any FullStorage, folder: URL? = nil, whenDone: @escaping () -> Void = {},
        open: @escaping (_ isWritable: Bool) throws -> (any WritableStorage)?
    ) {
        self.whenDone = whenDone
        self.storage = storage
        self.folder = folder
        self.open = open
    }

    deinit {
        storage.close()
        whenDone()
        if let folder { try? FileManager.default.removeItem(at: folder) }
    }

    /// The same database, opened once more; nil where there can be but one.
    func another(isWritable: Bool) throws -> (any WritableStorage)? { try open(isWritable) }
}

/// A kind of storage, as a test's argument.
struct Backend: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// False for a server that leaves merging to its clients: it asks them in a commit, and nobody in an undo.
    var mergesInUndo = true
    let make: @Sendable () throws -> Fixture

    static let all =
        [
            memory, overlayOverMemory, overlayOverFile, file, ownServer(.init()), ownServer(.messagePack),
            ownServer(.init(), speaking: .v4),
        ] + ServerKind.all.map(server)

    static let memory = Backend(testDescription: "memory") {
        let storage = MemoryStorage()
        return Fixture(storage) { MemoryStorage(sharing: storage, isWritable: $0) }
    }

    static let overlayOverMemory = Backend(testDescription: "overlay over memory") {
        let base = MemoryStorage()
        _ = try base.commit([(try base.newObjectIDs(1)[0], Record.text("base"), .none)])
        return Fixture(try OverlayStorage(over: base)) { _ in nil }
    }

    static let overlayOverFile = Backend(testDescription: "overlay over a Data.fs") {
        let folder = try temporaryFolder()
        let writer = try openFile(folder, isWritable: true)
        _ = try writer.commit([(.root, Record.text("base"), .none)])
        writer.close()
        return Fixture(try OverlayStorage(over: try openFile(folder, isWritable: false)), folder: folder) { _ in nil }
    }

    static let file = Backend(testDescription: "Data.fs") {
        let folder = try temporaryFolder()
        let storage = try openFile(folder, isWritable: true)
        return Fixture(storage, folder: folder) { isWritable in
            isWritable ? nil : try openFile(folder, isWritable: false)
        }
    }

    static func server(_ kind: ServerKind) -> Backend {
        Backend(testDescription: kind.testDescription, mergesInUndo: !kind.clientResolves) {
            let server = try SharedServer.of(kind)
            let name = server.nextStorage()
            return Fixture(try server.connect(name, isWritable: true)) { try server.connect(name, isWritable: $0) }
        }
    }

    /// Our own server over a Data.fs, in this process.
    static func ownServer(_ policy: ServicePolicy, speaking generation: Generation = .v5) -> Backend {
        let description =
            "our server" + (policy.announced == .m5 ? " with msgpack" : "")
            + (policy.resolvesConflictsInClients ? ", conflicts merged here" : "")
            + (generation < .v5 ? " in generation \(generation.rawValue)" : "")
        return Backend(testDescription: description, mergesInUndo: true) {
            let folder = try temporaryFolder()
            var logger = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }
            logger.logLevel = .critical
            let server = try StorageServer(
                serving: [.init(name: "1", storage: try openFile(folder, isWritable: true))],
                at: [.host("127.0.0.1", port: 0)], policy: policy, logger: logger)
            func connect(_ isWritable: Bool) throws -> ZEOClientStorage {
                try ZEOClientStorage(
                    server.endpoints[0],
                    .init(storage: "1", readOnly: !isWritable, label: "tests", newestGeneration: generation),
                    interruption: Interruption())
            }
            return Fixture(try connect(true), folder: folder, whenDone: { server.close() }, open: connect)
        }
    }

    private static func temporaryFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private static func openFile(_ folder: URL, isWritable: Bool) throws -> FileStorage {
        let blobs = folder.appending(path: "blobs")
        try FileManager.default.createDirectory(at: blobs, withIntermediateDirectories: true)
        return try FileStorage(
            folder.appending(path: "Data.fs").path,
            options: .init(
                blobDirectory: blobs.path, isWritable: isWritable, newFileGeneration: isWritable ? .python3 : nil))
    }
}

extension ServicePolicy {
    /// Everything different from what is usual.
    fileprivate static var messagePack: ServicePolicy {
        var policy = ServicePolicy()
        policy.announced = .m5
        policy.resolvesConflictsInClients = true
        policy.threads = 2
        return policy
    }
}

/// A Python server of one kind.
struct ServerKind: Sendable {
    var peer: PythonPeer
    var messagePack = false
    /// Who merges conflicts: the server, or we.
    var clientResolves = false

    static let all =
        [
            ServerKind(peer: .zeo6), ServerKind(peer: .zeo6, messagePack: true, clientResolves: true),
            ServerKind(peer: .zeo5), ServerKind(peer: .zeo5Python2),
        ].filter(\.peer.isReady)
        + [ServerKind(peer: .zeo4), ServerKind(peer: .zeo4Python2)].filter {
            $0.peer.isReady && ProcessInfo.processInfo.environment["ZEOSHELL_TEST_ALL"] == "1"
        }

    var testDescription: String {
        peer.description + (messagePack ? " with msgpack" : "") + (clientResolves ? ", conflicts merged here" : "")
    }
}

/// One server of a kind for all tests, with an empty storage for each: a Python starts slowly.
// @unchecked: the server is not touched after it has started, the counter is guarded.
final class SharedServer: @unchecked Sendable {
    private static let storageCount = 80
    private static let servers = Mutex<[String: SharedServer]>([:])

    private let server: PythonServer
    private let used = Mutex(0)

    private init(_ kind: ServerKind) throws {
        let names = (0..<Self.storageCount).map { "s\($0)" }
        server = try PythonServer(
            kind.peer, serving: Dictionary(uniqueKeysWithValues: names.map { ($0, "") }),
            messagePack: kind.messagePack, blobs: true,
            options: kind.clientResolves ? " client-conflict-resolution true" : "")
    }

    /// The server ends with this process; what it leaves behind is removed then.
    static func of(_ kind: ServerKind) throws -> SharedServer {
        try servers.withLock { servers in
            if let server = servers[kind.testDescription] { return server }
            if servers.isEmpty { atexit { SharedServer.servers.withLock { $0 = [:] } } }
            let server = try SharedServer(kind)
            servers[kind.testDescription] = server
            return server
        }
    }

    func nextStorage() -> String {
        used.withLock { used in
            defer { used += 1 }
            precondition(used < Self.storageCount, "every test has a storage of its own: make more")
            return "s\(used)"
        }
    }

    func connect(_ name: String, isWritable: Bool) throws -> ZEOClientStorage {
        let endpoint: Endpoint =
            switch server.address {
            case .port(let port): .host("127.0.0.1", port: port)
            case .unixSocket(let path): .unixSocket(path: path)
            }
        return try ZEOClientStorage(
            endpoint,
            .init(storage: name, readOnly: !isWritable, label: "tests", greetingTimeout: .seconds(30)),
            interruption: Interruption())
    }
}
