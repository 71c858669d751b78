internal import Logging
internal import NIOCore
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// What all connections of a server have in common.
final class ServerCore: Sendable {
    let policy: ServicePolicy
    let logger: Logger
    let storages: [String: ServedStorage]
    /// Connections there are.
    let connections = Atomic<Int>(0)
    /// Bytes that have come of messages which are not complete, of all clients.
    let heldBytes = Atomic<Int>(0)
    /// Whether clients can reach it.
    let isListening = Atomic<Bool>(false)
    /// Whether the server ends: then no vote is taken any more, and a client is let go as soon as it has no commit under
    /// way.
    let isEnding = Atomic<Bool>(false)
    /// What the log has been told of clients that were refused.
    let refusals = Mutex(RefusalMemory())
    private let lastClient = Atomic<Int>(0)
    /// The event loops that have clients, each with its clients.
    private let loops: Mutex<[(loop: any EventLoop, clients: NIOLoopBound<LoopClients>)]> = Mutex([])

    init(policy: ServicePolicy, logger: Logger, storages: [String: ServedStorage]) {
        self.policy = policy
        self.logger = logger
        self.storages = storages
    }

    func newClientID() -> ClientID { ClientID(number: lastClient.add(1, ordering: .relaxed).newValue) }

    func add(_ loop: any EventLoop, _ clients: NIOLoopBound<LoopClients>) {
        loops.withLock { $0.append((loop, clients)) }
    }

    /// Event loops, and the clients of each: to be looked at on the loop only.
    var clientLoops: [(loop: any EventLoop, clients: NIOLoopBound<LoopClients>)] { loops.withLock { $0 } }

    /// The clients of the loop that calls.
    func clients(of loop: any EventLoop) -> LoopClients? {
        loops.withLock { loops in loops.first { $0.loop === loop }?.clients }?.value
    }

    /// Has all clients told of what a storage has published.
    func distribute(_ served: ServedStorage) {
        for (loop, clients) in loops.withLock({ $0 }) {
            loop.execute { clients.value.distribute(served) }
        }
    }

    /// Runs `body` for every client, on its loop.
    func forEachClient(_ body: @escaping @Sendable (ClientHandler) -> Void) {
        for (loop, clients) in loops.withLock({ $0 }) {
            loop.execute {
                for client in clients.value.clients.values where client.isOpen { body(client) }
            }
        }
    }

    /// Ends all connections, and returns when they have ended. Not to be called on an event loop.
    func closeClients() {
        let loops = loops.withLock { $0 }
        for (loop, clients) in loops {
            try? loop.submit { for client in Array(clients.value.clients.values) { client.close(because: nil) } }.wait()
        }
        // Once more round: what the ends have left to be done.
        for (loop, _) in loops { try? loop.submit {}.wait() }
    }

    /// Tells all clients of a storage how large it is: after a pack.
    func tellSizes(of served: ServedStorage) {
        forEachClient { client in
            guard client.served === served, let information = try? served.sizeInformation() else { return }
            client.tellNews()
            client.notify("info", [information])
        }
    }

    /// What a monitor is told that says `ruok`: JSON, the figures of each storage.
    /// Where there are roles, of those storages of which it may know.
    func statusText(for identity: ClientIdentity) -> String {
        let permitted = storages.filter { name, _ in
            policy.authorization?(identity, name).contains(.admin) ?? true
        }
        let storages = permitted.sorted { $0.key < $1.key }.map { name, served in
            "\(JSONText.quoted(name)): \(JSONText.text(served.status(in: .v5)))"
        }
        return "{" + storages.joined(separator: ", ") + "}"
    }
}
