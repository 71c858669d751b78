internal import Logging
internal import NIOCore
internal import ZEOProtocol
internal import ZODB

/// Messages, as they come from the network and go to it.
extension ClientHandler {
    /// What is done for a client before others have their turn: a load or a store of the common kind counts as one, and
    /// takes a few microseconds; see `cost`.
    private static let turn = 2048
    /// Records behind the newest that the loads of one turn may go through.
    private static let stepsOfTurn = 1024

    // MARK: Receiving

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard isOpen, !isClosing else { return }
        isReading = true
        clients.hand(to: self)
        var input = unwrapInboundIn(data)
        if rest.readableBytes == 0, pauses.isEmpty {
            takeMessages(&input)
            if input.readableBytes > 0 {
                // Copied: the buffer that the network is read into is not to be kept.
                rest = ByteBuffer()
                rest.writeBuffer(&input)
            }
        } else {
            rest.writeBuffer(&input)
            takeMessages(&rest)
        }
        settle()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        lastHeard = .now()
        noteLoads()
        flush()
    }

    /// Goes on with what has arrived before.
    func takeRest() {
        isToGoOn = false
        pauses.remove(.turn)
        guard pauses.isEmpty, isOpen, !isClosing else { return }
        isReading = true
        clients.hand(to: self)
        // What is left of a message has not come more slowly for our pause.
        held.begin(clients)
        takeMessages(&rest)
        settle()
        isReading = false
        lastHeard = .now()
        noteLoads()
        flush()
    }

    /// Puts in order what messages have left behind.
    private func settle() {
        guard isOpen else { return }
        if rest.readableBytes > 0 {
            rest.discardReadBytes()
        } else if rest.capacity > 0 {
            rest = ByteBuffer()
        }
        noteHeld()
        listen()
        if pauses == .turn { goOnSoon() }
    }

    private func takeMessages(_ input: inout ByteBuffer) {
        guard pauses.isEmpty else { return }
        isTaking = true
        defer { isTaking = false }
        var left = Self.turn
        steps = Self.stepsOfTurn
        var isFirst = true
        while isOpen, !isClosing, pauses.isEmpty,
            let word = input.getInteger(at: input.readerIndex, as: UInt32.self)
        {
            guard left > 0 else { return pause(.turn) }
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
                if connection.dialect == nil, let bytes = input.getBytes(at: input.readerIndex, length: 4),
                    let stranger = Stranger(bytes)
                {
                    noteRefusal("is not let in: \(stranger.text)")
                    return close(because: nil)
                }
                return close(because: "it announced a message of \(head.size) bytes; the most is \(limit)")
            }
            guard input.readableBytes >= head.length + head.size else { return }
            if isFirst {
                held.begin(clients)
                isFirst = false
            }
            let start = input.readerIndex + head.length
            guard let cost = take(input, start..<start + head.size, head) else {
                return close(because: "the code of a message is not that of its client")
            }
            left -= cost
            input.moveReaderIndex(forwardBy: head.length + head.size)
            if clients.out.readableBytes >= LoopClients.flushSize { flush() }
        }
    }

    /// - Returns: what it has cost, as parts of a turn; nil when it is not what the client sent.
    private func take(_ input: ByteBuffer, _ range: Range<Int>, _ head: LoginState.Head) -> Int? {
        if let served, let direct = served.direct, connection.answersLoadsDirectly,
            let encoding = connection.dialect?.encoding
        {
            let base = input.readerIndex
            let isAnswered = input.withUnsafeReadableBytes { bytes in
                let body = unsafe UnsafeRawBufferPointer(
                    rebasing: bytes[range.lowerBound - base..<range.upperBound - base])
                return unsafe load(body.bytes, encoding, served, direct) || store(body.bytes, encoding, served)
            }
            if isAnswered { return 1 }
        }
        let start = NIODeadline.now()
        let body = input.getBytes(at: range.lowerBound, length: range.count) ?? []
        if head.hasCode {
            let size = MessageAuthenticator.size
            let code = input.getBytes(at: range.lowerBound - size, length: size)
            guard login.verify(body, code ?? []) else { return nil }
        }
        receive(body)
        return Self.cost(of: NIODeadline.now() - start)
    }

    /// What a call of any kind has cost: it takes at least as long as some loads.
    private static func cost(of time: TimeAmount) -> Int { 16 + Int(clamping: time.nanoseconds / 2500) }

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
        guard context.channel.isWritable else {
            pause(.output)
            if !isTaking { listen() }
            return
        }
        goOn(.output)
        continueBlob()
    }
}
