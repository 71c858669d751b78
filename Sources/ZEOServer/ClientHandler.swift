internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// One client's connection: takes its messages from the network and answers them, loads on the spot.
///
/// Belongs to its event loop. Messages are cut from what has arrived and answered into a buffer that all connections of the
/// loop share; it is sent once what has arrived is used up.
final class ClientHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let server: ServerCore
    let clients: LoopClients
    let id: ClientID
    /// Where it comes from: an address, for the log.
    let peer: String
    /// What decides what it may do.
    var identity: ClientIdentity
    /// What it may do with the storage that it registered for.
    var permissions: Permissions = []
    var login = LoginState()
    var connection: ServerConnection
    /// The storage it registered for.
    var served: ServedStorage?
    var isReadOnly = false
    /// How many publications it has been told of.
    var cursor = 0
    var transaction: ClientTransaction?
    var voting = Voting.no
    /// Calls of `tpc_finish` that wait for the disk.
    var unansweredEnds = 0
    /// What the client is told when so many ends of transactions have come out.
    var heldBack: (endings: Int, tell: (ClientHandler) -> Void)?
    /// How often it has asked for the storage's turn: an outcome has the number of its request, since the client may have
    /// aborted and be waiting for another one by then.
    var requests = 0
    /// A blob on its way in.
    var incomingBlob: ReceivedBlob?
    /// Bytes of it that are not in its file yet.
    var blobBytes = 0
    /// What has to be done before it can vote: blobs are being flushed, or its last transaction taken back.
    var voteObstacles = 0
    /// The vote that waits for that.
    var heldVote: ((ClientHandler) -> Void)?
    var iterators = ServerIterators()
    /// Blobs on their way out.
    var outgoing = OutgoingBlobs()
    /// Calls that are answered by other threads, and not yet.
    var readsUnderWay = 0
    var farLoads = FarLoads()
    /// How many records behind the newest its loads may go through before others have their turn.
    var steps = 0
    /// What a look for a load in the common way has found out, for the common way of all calls.
    var finding = LoadFinding.nothing
    /// What the client calls itself.
    var label: String?
    var loads = 0
    /// Those that the storage's statistics know already.
    var notedLoads = 0
    /// Transactions of its own that it was told the end of.
    var commits = 0
    /// When it connected, and when it last said anything, in seconds since 1970 and on the loop's clock.
    let connectedSince = Clock.now()
    var lastHeard = NIODeadline.now()

    private(set) var context: ChannelHandlerContext?
    private(set) var handle: ClientHandle?
    /// What has arrived and is not answered: a message that is not complete, and what comes behind a pause.
    var rest = ByteBuffer()
    var held = HeldInput()
    private(set) var isOpen = false
    /// It was said why it is not let in.
    var isRefused = false
    /// Nothing more is taken from it: TLS says farewell, and waits for the answer.
    private(set) var isClosing = false
    /// Whether messages are being answered now: then what is to be sent waits for the last of them.
    var isReading = false
    /// Whether messages are being cut from what has arrived.
    var isTaking = false
    /// Why none are.
    var pauses: Pauses = []
    /// Whether the network is read for it.
    var isListening = true
    /// It is about to go on behind a pause.
    var isToGoOn = false
    private var timers: [Scheduled<Void>] = []
    private var lockTimer: Scheduled<Void>?

    enum Voting {
        case no
        /// Its turn has not come, or the storage is at it.
        case waiting(ServerConnection.Reply, number: Int)
        case done
        /// Clients up to generation 4 abort after that.
        case failed
    }

    init(_ server: ServerCore, _ clients: LoopClients, id: ClientID, peer: String, _ identity: ClientIdentity) {
        self.server = server
        self.clients = clients
        self.id = id
        self.peer = peer
        self.identity = identity
        connection = ServerConnection(announcing: server.policy.announced)
    }

    /// For the log: the label, if the client gave one, and the address.
    var name: String { label.map { "\($0) \(peer)" } ?? peer }
    var logger: Logger { server.logger }
    var waitingBytes: Int {
        (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    // MARK: Beginning and end

    func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { begin(context) } }
    func channelActive(context: ChannelHandlerContext) { begin(context) }

    private func begin(_ context: ChannelHandlerContext) {
        guard !isOpen else { return }
        self.context = context
        isOpen = true
        handle = ClientHandle(id, self, context.eventLoop)
        guard clients.add(self) else {
            logger.warning("\(peer) turned away: there are \(server.policy.connectionLimit) clients already")
            return close(because: nil)
        }
        send(connection.greeting)
        let patience = server.policy.handshakeTimeout
        schedule(after: patience) { client in
            guard client.served == nil else { return }
            client.close(because: "it has not registered within \(patience) s")
        }
        watchSilence()
    }

    func channelInactive(context: ChannelHandlerContext) { end() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.debug("\(name): \(error)")
        if served == nil, !isClosing { noteDeparture() }
        close(because: nil)
    }

    private func end() {
        guard isOpen else { return }
        isOpen = false
        clients.forget(self)
        handle?.end()
        hold(0)
        for timer in timers { timer.cancel() }
        lockTimer?.cancel()
        noteLoads()
        clients.remove(self)
        if let served {
            served.statistics.withLock { statistics in
                statistics.connections -= 1
                if transaction != nil { statistics.activeTransactions -= 1 }
            }
            let id = id
            for line in served.lines { line.forget(id) }
            served.writing.submit { _ in served.turn.leave(id, served) }
            logger.info("\(name) disconnected")
        } else if !isClosing {
            noteDeparture()
        }
        transaction = nil
        incomingBlob = nil
        outgoing = OutgoingBlobs()
        heldVote = nil
        iterators = ServerIterators()
        context = nil
        handle = nil
    }

    /// Ends the connection; what was answered before is still sent.
    func close(because reason: String?) {
        guard let context, isOpen else { return }
        if let reason { logger.notice("\(name) is disconnected: \(reason)") }
        flush()
        isClosing = true
        context.close(promise: nil)
    }

    // MARK: Time

    private func schedule(after seconds: Double, _ body: @escaping @Sendable (ClientHandler) -> Void) {
        guard let context, let handle else { return }
        timers.append(
            context.eventLoop.scheduleTask(in: .nanoseconds(Int64(seconds * 1e9))) {
                handle.execute(body)
            })
    }

    private func watchSilence() {
        guard let timeout = server.policy.idleTimeout else { return }
        schedule(after: timeout) { client in
            client.timers.removeAll { _ in client.served != nil }
            let silent = Double((NIODeadline.now() - client.lastHeard).nanoseconds) / 1e9
            // One that waits for an answer need not say anything.
            guard silent < timeout || client.readsUnderWay > 0 else {
                return client.close(because: "it was silent for \(Int(silent)) s")
            }
            client.watchSilence()
        }
    }

    /// Begins or ends the time that a client may hold the lock.
    func watchLock(_ isHeld: Bool) {
        lockTimer?.cancel()
        lockTimer = nil
        guard isHeld, let timeout = server.policy.transactionTimeout, let context, let handle else { return }
        lockTimer = context.eventLoop.scheduleTask(in: .nanoseconds(Int64(timeout * 1e9))) {
            handle.execute { $0.close(because: "its transaction took longer than transaction-timeout, \(timeout) s") }
        }
    }
}
