public import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization
public import ZEOProtocol
public import ZODB

/// A ZEO server: storages, and the addresses at which clients reach them.
///
/// Many clients are served by few threads: loads are answered where they arrive, what writes to a storage runs on a thread
/// of the storage.
public final class StorageServer: Sendable {
    /// A storage to serve.
    public struct Served: Sendable {
        /// What clients register for.
        public var name: String
        public var storage: any Storage
        /// Nobody may write to it.
        public var isReadOnly: Bool

        public init(name: String, storage: any Storage, isReadOnly: Bool = false) {
            self.name = name
            self.storage = storage
            self.isReadOnly = isReadOnly
        }
    }

    let core: ServerCore
    private let group: MultiThreadedEventLoopGroup
    private let listening = Mutex<(endpoints: [Endpoint], channels: [any Channel])>(([], []))
    private let isClosed = Atomic(false)

    /// Opens the addresses and serves.
    ///
    /// The storages belong to the server from now on, which closes them at its end, or when it throws.
    /// - Throws: `io` for an address that cannot be had; what the storages throw.
    public convenience init(
        serving storages: [Served], at endpoints: [Endpoint], policy: ServicePolicy = ServicePolicy(),
        logger: Logger
    ) throws(StorageError) {
        try self.init(serving: storages, policy: policy, logger: logger)
        do {
            try listen(at: endpoints)
        } catch {
            close()
            throw error
        }
    }

    /// A server that no client can reach before it listens (`listen(at:)`).
    ///
    /// The storages belong to the server from now on, which closes them at its end.
    /// - Throws: what the storages throw.
    public init(
        serving storages: [Served], policy: ServicePolicy = ServicePolicy(), logger: Logger
    ) throws(StorageError) {
        let waker = Waker()
        var served: [String: ServedStorage] = [:]
        for storage in storages {
            served[storage.name] = try ServedStorage(
                storage.name, storage.storage, isReadOnly: storage.isReadOnly || policy.isReadOnly,
                policy: policy, logger: logger, wakeClients: { waker.core?.distribute($0) })
        }
        core = ServerCore(policy: policy, logger: logger, storages: served)
        waker.core = core
        group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, policy.threads))
        var index = 0
        for loop in group.makeIterator() {
            let number = index
            index += 1
            let core = core
            do {
                try loop.submit {
                    core.add(loop, NIOLoopBound(LoopClients(index: number, core), eventLoop: loop))
                }.wait()
            } catch {
                throw .io("\(error)", errno: 0)
            }
        }
    }

    /// Where it listens, ports chosen by the system filled in.
    public var endpoints: [Endpoint] { listening.withLock { $0.endpoints } }

    /// Takes clients at these addresses: at none before it has them all. Once.
    /// - Throws: `io` for an address that cannot be had; then it listens at none. `wrongState` the second time.
    public func listen(at endpoints: [Endpoint]) throws(StorageError) {
        guard !core.isListening.load(ordering: .relaxed) else { throw .wrongState("the server listens already") }
        var channels: [any Channel] = []
        var bound: [Endpoint] = []
        for endpoint in endpoints {
            do {
                let listening = try Self.listen(at: endpoint, group, core)
                channels += listening
                bound.append(endpoint.bound(to: listening.first))
            } catch {
                for channel in channels { try? channel.close().wait() }
                throw StorageError(listeningAt: endpoint, error)
            }
        }
        listening.withLock { [bound, channels] in $0 = (bound, channels) }
        core.isListening.store(true, ordering: .relaxed)
        for endpoint in bound { core.logger.info("listening at \(endpoint.shown)") }
        // Who has connected meanwhile waits for this.
        for channel in channels { _ = channel.setOption(.autoRead, value: true) }
    }

    private static func listen(
        at endpoint: Endpoint, _ group: MultiThreadedEventLoopGroup, _ core: ServerCore
    ) throws -> [any Channel] {
        var bootstrap = ServerBootstrap(group: group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try AcceptPause.add(to: channel, at: endpoint.shown, core.logger)
                }
            }
            .serverChannelOption(.autoRead, value: false)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 512, maximum: 65_536)
            )
            // One piece for each look at the network: then the others of the loop have theirs.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 1 << 20, high: 4 << 20))
            .childChannelInitializer { channel in
                Peer.name(of: channel).flatMapThrowing { peer in
                    guard let clients = core.clients(of: channel.eventLoop) else { return }
                    let handler = ClientHandler(
                        core, clients, id: core.newClientID(), peer: peer,
                        ClientIdentity(address: channel.remoteAddress?.clientBytes))
                    if let tls = core.policy.tls {
                        try TLSEntrance.add(tls, before: handler, to: channel)
                    } else {
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                }
            }
        if case .host = endpoint {
            bootstrap = KeepAlive.apply(to: bootstrap).childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        }
        return try bootstrap.listen(at: endpoint)
    }

    /// Ends it: takes no more clients, finishes the commits under way, lets go the clients, closes the storages. Once; from
    /// the second time on it does nothing.
    ///
    /// - Parameter patience: seconds that clients have to end a transaction that they have voted on; one that has not
    ///   ended by then is aborted.
    public func close(patience: Double = 0) {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        for channel in listening.withLock({ $0.channels }) { try? channel.close().wait() }
        core.letGo(within: patience)
        for served in core.storages.values { served.stopReading() }
        // Who has sent tpc_finish is answered; then nobody can ask for anything, and what leaving clients leave is done.
        for served in core.storages.values { served.waitForWork(group.next()) }
        core.closeClients()
        for served in core.storages.values {
            served.waitForWork(group.next())
            served.close()
        }
        try? group.syncShutdownGracefully()
    }
}

/// The way back from a storage to the server that is made after it.
///
/// `@unchecked`: set once, before the first client can come.
private final class Waker: @unchecked Sendable {
    weak var core: ServerCore?
}
