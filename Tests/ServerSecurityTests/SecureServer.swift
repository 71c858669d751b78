import Foundation
import Logging
import Synchronization
import TestSupport
import Testing
import ZEOProtocol
import ZEOServer
import ZODB
import ZODBFile

/// A server in this process, on a new Data.fs, whose log is kept. Ends when it is released.
final class SecureServer {
    let folder: URL
    let log = LogLines()
    let port: Int
    private let server: StorageServer

    init(_ change: (inout ServicePolicy) -> Void = { _ in }) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "zeoserver-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var policy = ServicePolicy()
        change(&policy)
        let log = log
        var logger = Logger(label: "zeoserver") { _ in RecordingHandler(lines: log) }
        logger.logLevel = .debug
        let storage = try FileStorage(
            folder.appending(path: "Data.fs").path, options: .init(isWritable: true, newFileGeneration: .python2))
        server = try StorageServer(
            serving: [.init(name: "1", storage: storage)], at: [.host("127.0.0.1", port: 0)], policy: policy,
            logger: logger)
        guard case .host(_, let port)? = server.endpoints.first else { throw NoPort() }
        self.port = port
    }

    deinit {
        server.close()
        try? FileManager.default.removeItem(at: folder)
    }
}

private struct NoPort: Error {}

/// What a server has logged.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    func append(_ line: String) { lines.withLock { $0.append(line) } }

    var text: String { lines.withLock { $0.joined(separator: "\n") } }

    /// Waits until a line holds all these words.
    func waits(for words: String...) -> Bool {
        for _ in 0..<1200 {
            let isThere = lines.withLock { lines in
                lines.contains { line in words.allSatisfy(line.contains) }
            }
            if isThere { return true }
            usleep(50_000)
        }
        return false
    }
}

private struct RecordingHandler: LogHandler {
    let lines: LogLines
    var logLevel = Logger.Level.debug
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.append("\(event.level) \(event.message)") }
}

extension Trait where Self == ConditionTrait {
    /// Without its peer a test is skipped, and the report says which peer is missing and why.
    static func needs(_ peer: PythonPeer) -> Self { .enabled(if: peer.isReady, Comment(rawValue: peer.reason)) }
}

extension PythonPeer {
    static let zeo4 = PythonPeer(name: "zeo4", description: "ZEO 4.3.1 on Python 3")
    static let zeo4Python2 = PythonPeer(name: "zeo4-py2", description: "ZEO 4.3.1 on Python 2.7")
    static let zodb310 = PythonPeer(name: "zodb310-py2", description: "ZODB3 3.10.7 on Python 2.7")
    static let zodb38 = PythonPeer(name: "zodb38-py2", description: "ZODB3 3.8.6 on Python 2.7")

    /// Runs a script that lies beside the tests' sources.
    func run(script name: String, _ arguments: [String]) throws -> String {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "python/\(name)")
        return try run(
            "import sys; sys.argv[0] = sys.argv.pop(1); exec(compile(open(sys.argv[0]).read(), sys.argv[0], 'exec'))",
            [file.path] + arguments)
    }
}
