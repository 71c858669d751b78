import Foundation
import Logging
import Synchronization
import TestSupport
import ZEOProtocol
import ZEOServer
import ZODB
import ZODBFile

/// A server of one storage, named `1`, at a port of its own.
final class RunningServer: Sendable {
    let server: StorageServer
    let port: Int
    let log: LogLines

    init(_ storage: any Storage, policy: ServicePolicy = ServicePolicy()) throws {
        let log = LogLines()
        self.log = log
        server = try StorageServer(
            serving: [.init(name: "1", storage: storage)], at: [.host("127.0.0.1", port: 0)], policy: policy,
            logger: Logger(label: "test") { _ in log.handler() })
        guard case .host(_, let port) = server.endpoints[0] else { throw RawClient.Failure.notConnected }
        self.port = port
    }

    deinit { server.close() }

    func client(_ dialect: Dialect = .z5, python2: Bool? = nil, readOnly: Bool = false) throws -> ZEOClient {
        let client = try ZEOClient(port: port, dialect, python2: python2 ?? (dialect.generation < .v4))
        try client.register(readOnly: readOnly)
        return client
    }
}

/// What a server has written to its log.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func handler() -> any LogHandler { Handler(log: self) }

    private struct Handler: LogHandler {
        let log: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.lines.withLock { $0.append("\(event.level): \(event.message)") }
        }
    }
}

/// A client that speaks any dialect, and believes nothing: every message is looked at by the test.
final class ZEOClient {
    let raw: RawClient
    let dialect: Dialect
    private let python: PythonGeneration
    private var lastID: Int64 = 0
    /// What came that was no answer, in order.
    var notices: [Message] = []
    /// What `register` answered.
    private(set) var registered = WireValue.none

    var generation: Generation { dialect.generation }

    init(port: Int, _ dialect: Dialect = .z5, python2: Bool = false) throws {
        raw = try RawClient(port: port)
        self.dialect = dialect
        python = python2 ? .python2 : .python3
        _ = try raw.receive()
        raw.send(body: Array(dialect.description.utf8))
    }

    func register(readOnly: Bool = false) throws {
        let reply = try call("register", [.string("1"), .integer(readOnly ? 1 : 0)])
        registered = reply.arguments
    }

    // MARK: Messages

    @discardableResult
    func send(_ name: String, _ arguments: [WireValue], isOneWay: Bool = false) -> WireValue {
        lastID += 1
        let id = WireValue.integer(isOneWay && generation.numbersOnlyCalls ? 0 : lastID)
        raw.send(
            body: Message(id: id, isOneWay: isOneWay, name: name, arguments: .tuple(arguments))
                .body(in: dialect.encoding, for: python))
        return id
    }

    func receive() throws -> Message { try Message(try raw.receive(), encoding: dialect.encoding) }

    /// The next answer; what comes before it is kept in `notices`.
    func answer() throws -> Message {
        while true {
            let message = try receive()
            if message.isReply { return message }
            notices.append(message)
        }
    }

    /// Calls, and waits for the answer to just this.
    @discardableResult
    func call(_ name: String, _ arguments: [WireValue] = []) throws -> Message {
        let id = send(name, arguments)
        let reply = try answer()
        guard reply.id == id else { throw Unexpected.answer(reply.id.description) }
        return reply
    }

    enum Unexpected: Error {
        case answer(String)
        case exception(String)
        case notice(String)
    }

    /// The next notice, which has to be this one.
    func notice(_ name: String) throws -> [WireValue] {
        if !notices.isEmpty {
            let first = notices.removeFirst()
            guard first.name == name else { throw Unexpected.notice(first.name) }
            return first.arguments.elements ?? []
        }
        let message = try receive()
        guard message.name == name else { throw Unexpected.notice(message.name) }
        return message.arguments.elements ?? []
    }

    // MARK: Calls of every generation

    private var version: [WireValue] { generation.hasVersionArguments ? [.string("")] : [] }

    func load(_ oid: ObjectID) throws -> Message { try call(loadName, loadArguments(oid)) }

    var loadName: String {
        generation <= .v201 ? "zeoLoad" : generation <= .v3101 ? "loadEx" : "loadBefore"
    }

    func loadArguments(_ oid: ObjectID) -> [WireValue] {
        let argument = WireValue.bytes(oid.bytes)
        return switch loadName {
        case "zeoLoad": [argument]
        case "loadEx": [argument] + version
        default: [argument, .bytes(TransactionID.latest.bytes)]
        }
    }

    /// Data and serial of what a load has answered.
    static func revision(_ message: Message) throws -> (data: [UInt8], serial: TransactionID) {
        guard let parts = message.arguments.elements, parts.count > 1, let data = parts[0].rawBytes,
            let serial = parts[1].rawBytes.flatMap({ TransactionID(bytes: $0) })
        else { throw Unexpected.exception(message.arguments.description) }
        return (data, serial)
    }

    /// Begins a transaction and stores; nothing is waited for where the generation does not.
    func begin(
        _ id: Int64, _ stores: [(ObjectID, TransactionID, [UInt8])] = [], extension: [WireValue.Entry] = []
    ) throws {
        let arguments: [WireValue] = [
            .integer(id), .string("joe"), .string("a commit"), .dict(`extension`), .none, .string(" "),
        ]
        if generation <= .v309 {
            try call("tpc_begin", arguments)
        } else {
            send("tpc_begin", arguments, isOneWay: true)
        }
        for (oid, serial, data) in stores { store(id, oid, serial, data) }
    }

    func store(_ id: Int64, _ oid: ObjectID, _ serial: TransactionID, _ data: [UInt8]) {
        send(
            "storea", [.bytes(oid.bytes), .bytes(serial.bytes), .bytes(data)] + version + [.integer(id)],
            isOneWay: true)
    }

    /// - Returns: nil when the vote was good, else what failed.
    func vote(_ id: Int64) throws -> String? {
        notices.removeAll { $0.name == "serialnos" }
        let reply = try call("vote", [.integer(id)])
        return failure(ofVote: reply)
    }

    func failure(ofVote reply: Message) -> String? {
        if reply.isException { return reply.arguments.elements?.first?.name }
        guard generation <= .v4 else { return nil }
        guard let index = notices.lastIndex(where: { $0.name == "serialnos" }) else {
            // A vote that could not be carried out at all has its error as the answer.
            return reply.arguments.isNone ? "no serialnos" : reply.arguments.description
        }
        let serials = notices.remove(at: index)
        for entry in serials.arguments.elements?.first?.elements ?? [] {
            if case .instance(let instance)? = entry.elements?.last { return WireValue.instance(instance).description }
        }
        return nil
    }

    /// Commits, and returns the tid.
    @discardableResult
    func commit(
        _ id: Int64, _ stores: [(ObjectID, TransactionID, [UInt8])], extension: [WireValue.Entry] = []
    ) throws -> TransactionID {
        try begin(id, stores, extension: `extension`)
        if let failure = try vote(id) { throw Unexpected.exception(failure) }
        return try finish(id)
    }

    func finish(_ id: Int64) throws -> TransactionID {
        let reply = try call("tpc_finish", [.integer(id)])
        guard !reply.isException, let tid = reply.arguments.rawBytes.flatMap({ TransactionID(bytes: $0) }) else {
            throw Unexpected.exception(reply.arguments.description)
        }
        return tid
    }

    func abort(_ id: Int64) throws {
        if generation <= .v309 {
            send("tpc_abort", [.integer(id)], isOneWay: true)
        } else {
            try call("tpc_abort", [.integer(id)])
        }
    }

    func lastTransaction() throws -> TransactionID? {
        try call("lastTransaction").arguments.rawBytes.flatMap { TransactionID(bytes: $0) }
    }
}

/// Messages as they stand in the stream.
enum Frames {
    static func bytes(_ body: [UInt8]) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: body.count >> (24 - 8 * $0)) } + body
    }
}

/// Records as Python pickles them.
enum Records {
    static func mapping(_ number: UInt8) -> [UInt8] {
        Array("cpersistent.mapping\nPersistentMapping\nq\u{1}.}q\u{2}U\u{4}dataq\u{3}}q\u{4}U\u{1}nq\u{5}K".utf8)
            + [number] + Array("ss.".utf8)
    }

    static func length(_ number: UInt8) -> [UInt8] {
        Array("cBTrees.Length\nLength\nq\u{1}.K".utf8) + [number] + Array(".".utf8)
    }
}

extension WritableStorage {
    /// Commits objects before anybody is served.
    @discardableResult
    func commit(_ records: [(ObjectID, [UInt8])], description: String = "") throws -> TransactionID {
        let transaction = try begin(TransactionMetadata(description: Array(description.utf8)))
        for (oid, data) in records { try transaction.store(data, for: oid, basedOn: .none) }
        _ = try transaction.vote()
        return try transaction.finish()
    }
}

/// A folder that is there for one test.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "zeoserver-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Plain files that receiving blobs has left in a directory.
    static func files(in directory: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".tmp") }
    }

    func dataFile(_ generation: PythonGeneration = .python3, blobs: Bool = false) throws -> FileStorage {
        try FileStorage(
            path + "/Data.fs",
            options: .init(
                blobDirectory: blobs ? path + "/blobs" : nil, isWritable: true, newFileGeneration: generation))
    }
}
