internal import NIOCore
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

extension ServedStorage {
    /// Asks the storage what it knows without searching.
    func figures(at time: Double) -> StorageFigures {
        let counts = statistics.withLock { $0 }
        var figures = StorageFigures(name: name)
        figures.loads = counts.loads
        figures.stores = counts.stores
        figures.commits = counts.commits
        figures.aborts = counts.aborts
        figures.conflicts = counts.conflicts
        figures.conflictsResolved = counts.conflictsResolved
        figures.connections = counts.connections
        figures.activeTransactions = counts.activeTransactions
        figures.waiting = counts.waiting
        figures.lockSeconds = counts.lockTime.map { max(0, time - $0) }
        figures.isReadOnly = writable == nil
        figures.pack = (storage as? any PackableStorage)?.packProgress
        do throws(StorageError) {
            let tid = try lastTransaction()
            figures.lastTransaction = tid == .none ? nil : tid.unixTime
            let information = try storage.information()
            figures.size = information.size
            figures.objects = information.objectCount
        } catch {
            figures.failure = "\(error)"
        }
        return figures
    }
}

extension ClientHandler {
    /// On the client's loop.
    func figures(at time: Double) -> ClientFigures {
        let commit: ClientFigures.Commit =
            switch voting {
            case .no, .failed: .none
            case .waiting: .waiting
            case .done: .holding
            }
        return ClientFigures(
            number: id.number, label: label, address: peer, dialect: connection.dialect.map { "\($0)" },
            storage: served?.name, age: max(0, time - connectedSince), bytesWaiting: waitingBytes,
            isReadOnly: isReadOnly, hasTransaction: transaction != nil, commit: commit,
            user: identity.user ?? identity.certificate.map { "\($0)" }, loads: notedLoads + loads, commits: commits)
    }
}

extension ServerCore {
    /// Asks every event loop for its clients; they answer when they have time.
    func clientFigures(on loop: any EventLoop, at time: Double) -> EventLoopFuture<[ClientFigures]> {
        let parts = clientLoops.map { clientLoop, clients in
            clientLoop.submit {
                clients.value.clients.values.filter(\.isOpen).map { $0.figures(at: time) }
            }
        }
        return EventLoopFuture.whenAllSucceed(parts, on: loop).map { parts in
            parts.flatMap { $0 }.sorted { $0.number < $1.number }
        }
    }

    func figures(on loop: any EventLoop) -> EventLoopFuture<ServerFigures> {
        let time = Clock.now()
        return clientFigures(on: loop, at: time).map { [storages] clients in
            ServerFigures(
                storages: storages.values.map { $0.figures(at: time) }.sorted { $0.name < $1.name },
                clients: clients, start: storages.values.map(\.start).min() ?? time, time: time)
        }
    }
}

extension ServedStorage {
    fileprivate var start: Double { statistics.withLock { $0.start } }
}
