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
    var iterators = ServerIterators()
    /// Blobs that go on when the client has taken what waits for it.
    var waitingBlobs: [BlobSender] = []
    /// What the client calls itself.
    var label: String?
    var loads = 0
    /// When it connected, and when it last said anything, in seconds since 1970 and on the loop's clock.
    let connectedSince = Clock.now()
    private(set) var lastHeard = NIODeadline.now()

    private(set) var context: ChannelHandlerContext?
    private(set) var handle: ClientHandle?
    /// What has arrived of a message that is not complete.
    private var rest = ByteBuffer()
    private(set) var isOpen = false
    /// Nothing more is taken from it: TLS says farewell, and waits for the answer.
    private var isClosing = false
    /// Whether messages are being answered now: then what is to be sent waits for the last of them.
    var isReading = false
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
        close(because: nil)
    }

    private func end() {
        guard isOpen else { return }
        isOpen = false
        clients.forget(self)
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
            served.writing.submit { _ in served.turn.leave(id, served) }
            logger.info("\(name) disconnected")
        }
        transaction = nil
        incomingBlob = nil
        waitingBlobs = []
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
            guard silent < timeout else { return client.close(because: "it was silent for \(Int(silent)) s") }
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

    // MARK: Receiving

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard isOpen, !isClosing else { return }
        isReading = true
        clients.hand(to: self)
        var input = unwrapInboundIn(data)
        if rest.readableBytes == 0 {
            takeMessages(&input)
            if input.readableBytes > 0 {
                // Copied: the buffer that the network is read into is not to be kept.
                rest = ByteBuffer()
                rest.writeBuffer(&input)
            }
        } else {
            rest.writeBuffer(&input)
            takeMessages(&rest)
            if rest.readableBytes == 0 { rest = ByteBuffer() } else { rest.discardReadBytes() }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        lastHeard = .now()
        noteLoads()
        flush()
    }

    private func takeMessages(_ input: inout ByteBuffer) {
        while isOpen, !isClosing, let word = input.getInteger(at: input.readerIndex, as: UInt32.self) {
            // Strangers get no memory: a greeting is a few bytes, a login a few hundred.
            let limit =
                connection.dialect == nil
                ? 64
                : served == nil
                    ? min(1 << 16, server.policy.messageLimit)
                    : server.policy.messageLimit
            let head: LoginState.Head
            switch login.head(word) {
            case .success(let found): head = found
            case .failure(let problem): return close(because: problem.text)
            }
            guard head.size <= limit else {
                return close(because: "it announced a message of \(head.size) bytes; the most is \(limit)")
            }
            guard input.readableBytes >= head.length + head.size else { return }
            let start = input.readerIndex + head.length
            guard take(input, start..<start + head.size, head) else {
                return close(because: "the code of a message is not that of its client")
            }
            input.moveReaderIndex(forwardBy: head.length + head.size)
            if clients.out.readableBytes >= LoopClients.flushSize { flush() }
        }
    }

    /// - Returns: false when it is not what the client sent.
    private func take(_ input: ByteBuffer, _ range: Range<Int>, _ head: LoginState.Head) -> Bool {
        if let served, let direct = served.direct, connection.answersLoadsDirectly,
            let encoding = connection.dialect?.encoding
        {
            let base = input.readerIndex
            let isAnswered = input.withUnsafeReadableBytes { bytes in
                let body = unsafe UnsafeRawBufferPointer(
                    rebasing: bytes[range.lowerBound - base..<range.upperBound - base])
                return unsafe load(body.bytes, encoding, served, direct) || store(body.bytes, encoding, served)
            }
            if isAnswered { return true }
        }
        let body = input.getBytes(at: range.lowerBound, length: range.count) ?? []
        if head.hasCode {
            let size = MessageAuthenticator.size
            let code = input.getBytes(at: range.lowerBound - size, length: size)
            guard login.verify(body, code ?? []) else { return false }
        }
        receive(body)
        return true
    }

    /// Answers a message that is a load of the common kind.
    /// - Returns: whether it is one.
    private func load(
        _ body: RawSpan, _ encoding: Dialect.Encoding, _ served: ServedStorage, _ direct: any DirectLoadStorage
    ) -> Bool {
        guard let request = LoadRequest(body, in: encoding) else { return false }
        let known = cursor
        let publications = served.publications
        let reader = connection.clientPython
        do throws(StorageError) {
            let isDone = try direct.withRevision(request.oid, before: request.before) { data, serial, next -> Bool in
                // Only now: what was just found may be newer than the last news.
                guard publications.count == known else { return false }
                let id = body.extracting(request.id)
                let size = LoadReply.frameSize(
                    id: id.byteCount, count: data.byteCount, hasNext: next != nil, in: encoding, for: reader)
                clients.out.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { space in
                    unsafe LoadReply.write(
                        to: UnsafeMutableRawBufferPointer(rebasing: space[0..<size]), id: id, data: data,
                        serial: serial, next: next, in: encoding, for: reader)
                    return size
                }
                return true
            }
            guard isDone else { return false }
            loads += 1
            return true
        } catch {
            // An object that is not there: not so often that it has to be fast.
            return false
        }
    }

    /// Takes a message that brings a record in the common way.
    /// - Returns: whether it does, and all is as it should be; otherwise the common way of all calls says what is wrong.
    private func store(_ body: RawSpan, _ encoding: Dialect.Encoding, _ served: ServedStorage) -> Bool {
        // Not the transaction itself: a second owner would have its operations copied for each that is added.
        guard let id = transaction?.id, case .no = voting, !isReadOnly,
            let request = StoreRequest(body, in: encoding), id == .integer(request.transaction)
        else { return false }
        let data = unsafe body.extracting(request.data).withUnsafeBytes { unsafe [UInt8]($0) }
        store(
            .store(request.oid, serial: request.serial, data: data), id, .unanswered, served)
        return true
    }

    private func noteLoads() {
        guard loads > 0, let served else { return }
        let count = loads
        loads = 0
        served.statistics.withLock { $0.loads += count }
    }

    // MARK: Sending

    /// Sends a message, after the news.
    func send(_ body: [UInt8]) {
        guard isOpen else { return }
        if !isReading { clients.hand(to: self) }
        let size = UInt32(truncatingIfNeeded: body.count)
        if let code = login.code(of: body) {
            clients.out.writeInteger(size | MessageAuthenticator.flag)
            clients.out.writeBytes(code)
        } else {
            clients.out.writeInteger(size)
        }
        clients.out.writeBytes(body)
        if !isReading || clients.out.readableBytes >= LoopClients.flushSize { flush() }
    }

    /// Hands everything that was written to the network.
    func flush() {
        guard clients.out.readableBytes > 0 else { return }
        defer { clients.clearOut() }
        guard let context, isOpen else { return }
        context.writeAndFlush(wrapOutboundOut(clients.out), promise: nil)
        guard !context.channel.isWritable, waitingBytes > server.policy.outboxLimit else { return }
        logger.notice("\(name) is disconnected: \(waitingBytes) bytes wait for it, and it does not take them")
        context.close(mode: .all, promise: nil)
    }

    /// What does not take its answers is not asked for more calls.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        try? context.channel.syncOptions?.setOption(.autoRead, value: isWritable)
        guard isWritable else { return }
        context.read()
        let blobs = waitingBlobs
        waitingBlobs = []
        for blob in blobs { blob.continueLater(handle) }
    }
}
