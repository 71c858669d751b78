internal import NIOCore
internal import NIOPosix
internal import ZEOProtocol
internal import ZODB

/// Who hears of a connection's fate. All on its event loop, in the order things arrive.
protocol ClientChannelOwner: AnyObject, Sendable {
    func isReady(_ channel: ClientChannel, _ welcome: ClientConnection.Welcome)
    func received(_ notification: Notification, attempt: Int)
    /// The attempt failed, or the connection it led to is over.
    func ended(_ error: StorageError, attempt: Int)
}

/// A connection that calls can be sent through, from any thread.
struct ClientChannel: Sendable {
    /// Which of the storage's connections this is.
    let attempt: Int
    fileprivate let channel: any Channel
    fileprivate let handler: NIOLoopBound<ConnectionHandler>

    /// Sends the calls together. What becomes of each, it is told itself.
    func send(_ calls: [any PendingCall]) {
        channel.eventLoop.preconditionNotInEventLoop()
        channel.eventLoop.execute { [handler] in handler.value.send(calls) }
    }

    func close() { channel.close(promise: nil) }

    /// Nobody waits for an answer. On the event loop.
    var isIdle: Bool { handler.value.isIdle }

    /// Somebody has waited in vain: when the server is not heard of for so long after a question, the connection ends.
    func suspect(after silence: Duration) {
        channel.eventLoop.execute { [handler] in handler.value.suspect(after: silence) }
    }
}

/// How long to wait for what, when connecting.
struct ConnectionTimeouts: Sendable {
    var connect: Duration
    var greeting: Duration
}

extension ClientChannel {
    /// Connects, shakes hands and registers; `owner` is told how it goes. Returns at once.
    static func open(
        _ endpoint: Endpoint, _ configuration: ClientConnection.Configuration, _ timeouts: ConnectionTimeouts,
        _ access: ServerAccess = ServerAccess(), attempt: Int, on eventLoop: any EventLoop,
        owner: any ClientChannelOwner
    ) {
        var configuration = configuration
        var again: (@Sendable (any ClientChannelOwner) -> Void)?
        if configuration.login != nil, configuration.newestGeneration > .v4 {
            // From generation 5 on there are no logins. A server that speaks older ones too, as ours does, lets us log in;
            // one that does not closes, and is spoken to as it wants.
            let newest = configuration
            configuration.newestGeneration = .v4
            again = { owner in
                open(endpoint, newest, timeouts, access, login: nil, attempt: attempt, on: eventLoop, owner: owner)
            }
        }
        open(endpoint, configuration, timeouts, access, login: again, attempt: attempt, on: eventLoop, owner: owner)
    }

    /// - Parameter again: connects anew where the server wants a newer generation.
    private static func open(
        _ endpoint: Endpoint, _ configuration: ClientConnection.Configuration, _ timeouts: ConnectionTimeouts,
        _ access: ServerAccess, login again: (@Sendable (any ClientChannelOwner) -> Void)?, attempt: Int,
        on eventLoop: any EventLoop, owner: any ClientChannelOwner
    ) {
        let handlerOwner = WeakOwner(owner)
        let mayAsk = attempt == 1 && access.tunnel?.mayAsk == true
        let greetingTimeout = access.patience(timeouts, mayAsk: mayAsk)
        let setupTimeout = greetingTimeout + timeouts.greeting * 5
        var ssh: TunnelProcess?
        let connected: EventLoopFuture<any Channel>
        let bootstrap = ClientBootstrap(group: eventLoop)
            // Nothing is read before there is a handler to read it: the server speaks first.
            .channelOption(.autoRead, value: false)
            .connectTimeout(TimeAmount(timeouts.connect))
        switch endpoint {
        case .host(_, let port) where !(1...65_535).contains(port):
            let failure = ConnectionFailure.unreachable(address: endpoint.description, "no such port: \(port)")
            return owner.ended(.connection(failure), attempt: attempt)
        case _ where access.tunnel != nil:
            do throws(ConnectionFailure) {
                let process = try TunnelProcess(access, to: endpoint, mayAsk: mayAsk)
                connected = bootstrap.withConnectedSocket(process.descriptor)
                ssh = process
            } catch {
                return owner.ended(.connection(error), attempt: attempt)
            }
        case .host(let name, let port):
            connected =
                KeepAlive.apply(to: bootstrap)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connect(host: name, port: port)
        case .unixSocket(let path): connected = bootstrap.connect(unixDomainSocketPath: path)
        }
        connected.flatMapThrowing { [configuration, ssh] channel in
            let pipeline = channel.pipeline.syncOperations
            var explanations: [Explanation] = []
            if let tls = access.tls { explanations.append(try TLSEntrance.add(tls, to: endpoint, pipeline)) }
            if let ssh {
                explanations.append(ssh.explain)
                ssh.follow(channel, while: { handlerOwner.value != nil })
            }
            let handler = ConnectionHandler(
                ClientConnection(configuration), attempt: attempt, owner: handlerOwner, explanations: explanations,
                again: again)
            try pipeline.addHandler(handler)
            handler.begin(greetingTimeout: greetingTimeout, setupTimeout: setupTimeout)
            try channel.syncOptions?.setOption(.autoRead, value: true)
        }.whenFailure { [ssh] error in
            var failure = (error as? ConnectionFailure) ?? ConnectionFailure(error, endpoint, timeouts.connect)
            // Closed as soon as it was connected, before TLS could begin.
            if access.tls != nil, case .lost(let address, _) = failure { failure = .tls(address: address, .closed) }
            handlerOwner.value?.ended(
                .connection(ssh?.abandoned(connected.eventLoop, failure) ?? failure), attempt: attempt)
        }
    }
}

/// The storage owns the connection and not the other way round.
final class WeakOwner: Sendable {
    weak let value: (any ClientChannelOwner)?

    init(_ value: any ClientChannelOwner) { self.value = value }
}

/// Moves bytes between the socket and the state machine, and hands out what the machine says. Its event loop's alone.
private final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var connection: ClientConnection
    private var waiting: [Int: any PendingCall] = [:]
    private var context: ChannelHandlerContext?
    private var heartbeat: RepeatedTask?
    /// When something came last.
    private var lastHeard = NIODeadline.now()
    private var isSuspected = false
    private let attempt: Int
    private let owner: WeakOwner
    private let explanations: [Explanation]
    private let again: (@Sendable (any ClientChannelOwner) -> Void)?

    /// - Parameters:
    ///   - explanations: what knows more of a failure than the protocol, the nearest first.
    ///   - again: connects anew, as the server wants it spoken to.
    init(
        _ connection: ClientConnection, attempt: Int, owner: WeakOwner, explanations: [Explanation],
        again: (@Sendable (any ClientChannelOwner) -> Void)?
    ) {
        self.connection = connection
        self.attempt = attempt
        self.owner = owner
        self.explanations = explanations
        self.again = again
    }

    /// Once it is in the pipeline: begins to look at the time.
    func begin(greetingTimeout: Duration, setupTimeout: Duration) {
        guard let context else { return }
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: TimeAmount(greetingTimeout)) {
            handler.value.perform(
                handler.value.connection.greetingTimedOut(afterSeconds: greetingTimeout / .seconds(1)))
        }
        // A server that greets is alive; registering may wait for its other work, but not for ever: cron would hang.
        context.eventLoop.scheduleTask(in: TimeAmount(setupTimeout)) {
            handler.value.perform(handler.value.connection.setupTimedOut(afterSeconds: setupTimeout / .seconds(1)))
        }
        heartbeat = context.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(60), delay: .seconds(60)) { _ in
            handler.value.perform(handler.value.connection.minutePassed())
        }
    }

    func send(_ calls: [any PendingCall]) {
        for pending in calls {
            do throws(StorageError) {
                let (id, action) = try connection.call(pending.call)
                guard case .send(let bytes) = action else { continue }
                if let id {
                    waiting[id] = pending
                    write(bytes)
                } else {
                    write(bytes, telling: pending)
                }
            } catch {
                pending.complete(.failure(error))
            }
        }
        context?.flush()
    }

    var isIdle: Bool { waiting.isEmpty }

    func suspect(after silence: Duration) {
        guard let context, !isSuspected else { return }
        isSuspected = true
        let heard = lastHeard
        // Whatever a server is at, Python's too, it has an answer to this in between, unless it hangs.
        send([UnattendedCall(.ping)])
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: TimeAmount(silence)) {
            handler.value.isSuspected = false
            guard handler.value.lastHeard == heard else { return }
            handler.value.perform(
                handler.value.connection.disconnected("the server does not answer, not even a ping: it hangs"))
        }
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        heartbeat?.cancel()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastHeard = .now()
        var buffer = unwrapInboundIn(data)
        guard let bytes = buffer.readBytes(length: buffer.readableBytes) else { return }
        perform(connection.received(bytes))
    }

    func channelInactive(context: ChannelHandlerContext) {
        perform(connection.disconnected("the server closed the connection"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let failure = error as? ConnectionFailure {
            perform(connection.failed(failure))
        } else {
            perform(connection.disconnected(systemText(of: error)))
        }
        context.close(promise: nil)
    }

    // MARK: Actions of the machine

    private func perform(_ actions: [ClientConnection.Action]) {
        var wrote = false
        for action in actions {
            switch action {
            case .send(let bytes):
                write(bytes)
                wrote = true
            case .ready(let welcome): ready(welcome)
            case .reply(let id, let result): waiting.removeValue(forKey: id)?.complete(result)
            case .blob(let id, let part): waiting[id]?.received(part)
            case .notification(let notification): owner.value?.received(notification, attempt: attempt)
            case .close(let error):
                if connection.wantsNewerGeneration, let again, let owner = owner.value {
                    again(owner)
                } else {
                    owner.value?.ended(explained(error), attempt: attempt)
                }
                context?.close(promise: nil)
            }
        }
        if wrote { context?.flush() }
    }

    /// What waits for a reply gets the same words: they are the end's, whoever tells it.
    private func explained(_ error: StorageError) -> StorageError {
        guard case .connection(let failure) = error else { return error }
        return .connection(explanations.reduce(failure) { $1($0) })
    }

    private func write(_ bytes: [UInt8], telling pending: (any PendingCall)? = nil) {
        guard let context else {
            pending?.complete(.failure(gone("the connection has ended")))
            return
        }
        var promise: EventLoopPromise<Void>?
        if let pending {
            promise = context.eventLoop.makePromise()
            promise?.futureResult.assumeIsolated().whenComplete { [self] result in
                switch result {
                case .success: pending.complete(.success(.none))
                case .failure(let error):
                    // What was not written is known before the connection's end is. Whoever hears of it may go on at once,
                    // and is not to be given this connection again.
                    let why = systemText(of: error)
                    perform(connection.disconnected(why))
                    pending.complete(.failure(explained(connection.failure ?? gone(why))))
                }
            }
        }
        context.write(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: promise)
    }

    private func gone(_ why: String) -> StorageError { .connection(.lost(address: connection.address, why)) }

    private func ready(_ welcome: ClientConnection.Welcome) {
        guard let context, let owner = owner.value else {
            // Nobody is interested any more.
            self.context?.close(promise: nil)
            return
        }
        let channel = ClientChannel(
            attempt: attempt, channel: context.channel, handler: NIOLoopBound(self, eventLoop: context.eventLoop))
        owner.isReady(channel, welcome)
    }
}
