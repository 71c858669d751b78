import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB
import ZODBFile

/// Whoever can be at the other end: a Python server of some release, or ours spoken to in some dialect.
enum ServerMake: CustomTestStringConvertible, Sendable {
    case python(ServerKind)
    case own(Generation)

    static let python: [ServerMake] = [
        ServerKind(peer: .zeo6), ServerKind(peer: .zeo6, messagePack: true), ServerKind(peer: .zeo5),
        ServerKind(peer: .zeo5Python2), ServerKind(peer: .zeo4), ServerKind(peer: .zeo4Python2),
        ServerKind(peer: .zodb310), ServerKind(peer: .zodb38), ServerKind(peer: .zodb37),
    ].filter(\.peer.isReady).map { .python($0) }

    /// One of each kind of dialect, for what takes long.
    static let few: [ServerMake] = python.filter { make in
        guard case .python(let kind) = make else { return true }
        return kind.messagePack || [.zeo4, .zodb37].contains(kind.peer)
    }

    var testDescription: String {
        switch self {
        case .python(let kind): kind.testDescription
        case .own(let generation): "zeoserver, speaking \(generation.rawValue)"
        }
    }

    var generation: Generation {
        switch self {
        case .python(let kind): kind.generation
        case .own(let generation): generation
        }
    }

    /// Serves a copy of the file, or an empty database.
    func serve(_ file: String = "", blobs: Bool = false, options: String = "") throws -> AnyServer {
        switch self {
        case .python(let kind): try AnyServer(python: kind.serve(file, blobs: blobs, options: options), make: self)
        case .own: try AnyServer(ownServing: file, blobs: blobs, options: options, make: self)
        }
    }
}

/// A server of any make, and what a test does with it.
final class AnyServer {
    enum Program {
        case python(PythonServer)
        case own(ZEOServerProcess)
    }

    let program: Program
    let make: ServerMake
    let port: Int
    /// Of our server, where the copy lies.
    private let folder: URL?

    init(python server: PythonServer, make: ServerMake) throws {
        guard case .port(let port) = server.address else { throw CancellationError() }
        (program, self.make, self.port, folder) = (.python(server), make, port, nil)
    }

    init(ownServing file: String, blobs: Bool, options: String, make: ServerMake) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "served-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let copy = folder.appending(path: "Data.fs")
        if !file.isEmpty { try FileManager.default.copyItem(at: URL(filePath: file), to: copy) }
        let blobLine = blobs ? "  blob-dir \(folder.appending(path: "blobs").path)\n" : ""
        let server = try ZEOServerProcess(
            storages: "<filestorage 1>\n  path \(copy.path)\n\(blobLine)</filestorage>", options: options)
        (program, self.make, port, self.folder) = (.own(server), make, server.port, folder)
    }

    deinit {
        kill()
        if let folder { try? FileManager.default.removeItem(at: folder) }
    }

    var dataFile: String {
        switch program {
        case .python(let server): server.folder.appending(path: "1.fs").path
        case .own: folder?.appending(path: "Data.fs").path ?? ""
        }
    }

    func kill() {
        switch program {
        case .python(let server): server.kill()
        case .own(let server): server.kill()
        }
    }

    func start() throws {
        switch program {
        case .python(let server): try server.start()
        case .own(let server): try server.start()
        }
    }

    /// Stops it without ending it: it is connected, and answers nothing.
    func pause() { Foundation.kill(processID, SIGSTOP) }
    func resume() { Foundation.kill(processID, SIGCONT) }

    private var processID: Int32 {
        switch program {
        case .python(let server): server.processID
        case .own(let server): server.processID
        }
    }

    /// - Parameter port: another than the server's own: that of somebody who stands between.
    func connect(
        through port: Int? = nil, writable: Bool = true, _ change: (inout ZEOClientStorage.Options) -> Void = { _ in }
    ) throws -> ZEOClientStorage {
        var options = ZEOClientStorage.Options(
            readOnly: !writable, label: "tests", greetingTimeout: .seconds(20), newestGeneration: make.generation)
        change(&options)
        return try ZEOClientStorage(.host("127.0.0.1", port: port ?? self.port), options)
    }

    /// Every transaction that its file holds, without the server.
    func readFile<Value>(_ body: (FileStorage) throws -> Value) throws -> Value {
        kill()
        let file = try FileStorage(dataFile)
        defer { file.close() }
        return try body(file)
    }
}
