public import ZODB

/// What `zeoserver` tells beyond what Python's servers do: of itself, and who its clients are.
///
/// It is no call of ZEO's. A server that has it says so in its answer to `get_info`, under a key that Python's clients pass
/// over; a client asks only where it was said, because a server ends the connection at a call that it does not know.
///
///     get_info       {…, 'zeoserver': {'version': '0.1.0', 'calls': ('zeoserver_status',)}}
///     zeoserver_status()  {'version', 'uptime', 'permissions', 'storages', 'process': {…}, 'clients': [{…}, …]}
///
/// Fields that a reader does not know are passed over, those that it misses are nil: either side may be newer.
public struct OwnStatus: Hashable, Sendable {
    public static let method = "zeoserver_status"
    /// The key in the answer to `get_info`.
    public static let informationKey = "zeoserver"

    public var version: String
    /// Seconds since the server began.
    public var uptime: Double
    /// What the client that asks may do with its storage, in words.
    public var permissions: String
    /// Names of those storages whose status it may see.
    public var storages: [String]
    public var process: ServerProcess
    /// Those of the storage that the client that asks is registered for.
    public var clients: [ServerClient]

    public init(
        version: String, uptime: Double, permissions: String, storages: [String], process: ServerProcess,
        clients: [ServerClient]
    ) {
        self.version = version
        self.uptime = uptime
        self.permissions = permissions
        self.storages = storages
        self.process = process
        self.clients = clients
    }

    /// What `get_info` says of it.
    public static func announcement(version: String) -> WireValue {
        .dict([
            .init(.string("version"), .string(version)), .init(.string("calls"), .tuple([.string(method)])),
        ])
    }
}

extension OwnStatus {
    public var value: WireValue {
        var processFields: [WireValue.Entry] = []
        func add(_ name: String, _ value: Int?) {
            if let value { processFields.append(.init(.string(name), .integer(Int64(value)))) }
        }
        add("id", process.id)
        add("resident_bytes", process.residentBytes)
        add("open_files", process.openFiles)
        add("file_limit", process.fileLimit)
        if let seconds = process.processorSeconds {
            processFields.append(.init(.string("processor_seconds"), .float(seconds)))
        }
        return .dict([
            .init(.string("version"), .string(version)), .init(.string("uptime"), .float(uptime)),
            .init(.string("permissions"), .string(permissions)),
            .init(.string("storages"), .list(storages.map { .string($0) })),
            .init(.string("process"), .dict(processFields)),
            .init(.string("clients"), .list(clients.map(Self.value))),
        ])
    }

    private static func value(_ client: ServerClient) -> WireValue {
        func text(_ text: String?) -> WireValue { text.map { .string($0) } ?? .none }
        func count(_ number: Int?) -> WireValue { number.map { .integer(Int64($0)) } ?? .none }
        return .dict([
            .init(.string("number"), .integer(Int64(client.number))), .init(.string("label"), text(client.label)),
            .init(.string("address"), .string(client.address)), .init(.string("user"), text(client.user)),
            .init(.string("dialect"), text(client.dialect)), .init(.string("age"), .float(client.age)),
            .init(.string("read_only"), .bool(client.isReadOnly)),
            .init(.string("in_transaction"), .bool(client.hasTransaction)),
            .init(.string("commit"), .string(client.commit.rawValue)),
            .init(.string("loads"), count(client.loads)), .init(.string("commits"), count(client.commits)),
            .init(.string("bytes_waiting"), .integer(Int64(client.bytesWaiting))),
            .init(.string("is_you"), .bool(client.isUs)),
        ])
    }
}

extension OwnStatus {
    /// The most clients that are taken from a reply.
    private static let mostClients = 100_000

    public init(_ value: WireValue) throws(MalformedReply) {
        guard let version = value["version"]?.name, let clients = value["clients"]?.elements,
            clients.count <= Self.mostClients
        else { throw MalformedReply(method: Self.method, value: value) }
        self.version = version
        uptime = value["uptime"]?.number ?? 0
        permissions = value["permissions"]?.name ?? ""
        storages = (value["storages"]?.elements ?? []).compactMap(\.name)
        process = .init()
        if let fields = value["process"] {
            process.id = fields["id"]?.integer
            process.processorSeconds = fields["processor_seconds"]?.number
            process.residentBytes = fields["resident_bytes"]?.integer
            process.openFiles = fields["open_files"]?.integer
            process.fileLimit = fields["file_limit"]?.integer
        }
        self.clients = []
        for client in clients { self.clients.append(try Self.client(client)) }
    }

    private static func client(_ value: WireValue) throws(MalformedReply) -> ServerClient {
        guard let number = value["number"]?.integer, let address = value["address"]?.name else {
            throw MalformedReply(method: method, value: value)
        }
        var client = ServerClient(number: number, address: address, age: value["age"]?.number ?? 0)
        client.label = value["label"]?.name
        client.user = value["user"]?.name
        client.dialect = value["dialect"]?.name
        client.isReadOnly = value["read_only"]?.isTrue ?? false
        client.hasTransaction = value["in_transaction"]?.isTrue ?? false
        client.commit = value["commit"]?.name.flatMap(ServerClient.Commit.init) ?? .none
        client.loads = value["loads"]?.integer
        client.commits = value["commits"]?.integer
        client.bytesWaiting = value["bytes_waiting"]?.integer ?? 0
        client.isUs = value["is_you"]?.isTrue ?? false
        return client
    }
}

extension Reply {
    /// `server_status`, typed.
    public static func figures(_ value: WireValue) -> ServerFigureSet {
        var figures = ServerFigureSet()
        figures.clients = value["connections"]?.integer
        figures.verifying = value["verifying_clients"]?.integer
        figures.loads = value["loads"]?.integer
        figures.stores = value["stores"]?.integer
        figures.commits = value["commits"]?.integer
        figures.aborts = value["aborts"]?.integer
        figures.conflicts = value["conflicts"]?.integer
        figures.conflictsResolved = value["conflicts_resolved"]?.integer
        figures.activeTransactions = value["active_txns"]?.integer
        figures.waiting = value["waiting"]?.integer
        figures.lockSince = value["lock_time"]?.number
        // 'stub' where there is no limit to how long a transaction takes.
        if case .bool(let isAlive)? = value["timeout-thread-is-alive"] { figures.watchesLock = isAlive }
        if let text = value["last-transaction"]?.name, text.utf8.count == 16, let number = UInt64(text, radix: 16) {
            figures.lastTransaction = TransactionID(rawValue: number)
        }
        return figures
    }
}
