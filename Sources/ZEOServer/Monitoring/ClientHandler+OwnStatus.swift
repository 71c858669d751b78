internal import NIOCore
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

extension ClientHandler {
    /// Answers `zeoserver_status`: the clients of this storage are asked for of every event loop, which takes a moment.
    func answerOwnStatus(_ reply: ServerConnection.Reply, _ served: ServedStorage) {
        guard let context, let handle else { return }
        let time = Clock.now()
        let (server, identity, number) = (server, identity, id.number)
        let own = OwnStatus(
            version: server.policy.version,
            uptime: max(0, time - served.statistics.withLock { $0.start }), permissions: "\(permissions)",
            storages: server.names(for: identity), process: .current(), clients: [])
        let name = served.name
        beginRead()
        server.clientFigures(on: context.eventLoop, at: time).whenComplete { result in
            var complete = own
            if case .success(let figures) = result {
                complete.clients = figures.filter { $0.storage == name }.map { figure in
                    var client = ServerClient(figure)
                    client.isUs = figure.number == number
                    return client
                }
            }
            let value = complete.value
            handle.execute { client in
                client.answer(reply, value)
                client.endRead()
            }
        }
    }
}

extension ServerCore {
    /// The storages whose status a client may see.
    func names(for identity: ClientIdentity) -> [String] {
        storages.keys.filter { policy.authorization?(identity, $0).contains(.admin) ?? true }.sorted()
    }
}

extension ServerClient {
    fileprivate init(_ figures: ClientFigures) {
        self.init(number: figures.number, address: figures.address, age: figures.age)
        label = figures.label
        user = figures.user
        dialect = figures.dialect
        isReadOnly = figures.isReadOnly
        hasTransaction = figures.hasTransaction
        commit = Commit(rawValue: figures.commit.rawValue) ?? .none
        loads = figures.loads
        commits = figures.commits
        bytesWaiting = figures.bytesWaiting
    }
}

extension ServerProcess {
    fileprivate static func current() -> ServerProcess {
        let figures = ProcessFigures.current()
        var process = ServerProcess()
        process.id = Int(getpid())
        process.processorSeconds = figures.processorSeconds
        process.residentBytes = figures.residentBytes
        process.openFiles = figures.openFiles
        process.fileLimit = figures.fileLimit
        return process
    }
}
