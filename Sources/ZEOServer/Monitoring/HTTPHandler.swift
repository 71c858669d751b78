internal import NIOCore
internal import NIOHTTP1

/// Answers one request, GET or HEAD, and hangs up.
final class HTTPHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answers: MonitoringAnswers
    private var request: HTTPRequestHead?
    private var isAnswered = false

    init(_ answers: MonitoringAnswers) { self.answers = answers }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAnswered else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            request = head
            if head.method != .GET, head.method != .HEAD { refuse(405, "only GET and HEAD\n", context) }
        case .body: refuse(413, "a request has no body here\n", context)
        case .end: if let request { answer(request, context) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func answer(_ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        isAnswered = true
        let path = request.uri.prefix { $0 != "?" }
        let isHead = request.method == .HEAD
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        answers.answer(to: String(path), on: context.eventLoop).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let answer): self.send(answer, withBody: !isHead, bound.value)
            case .failure:
                // The event loops are gone: it is ending.
                self.send(MonitoringAnswer(status: 503, text: "the server ends\n"), withBody: !isHead, bound.value)
            }
        }
    }

    private func refuse(_ status: Int, _ text: String, _ context: ChannelHandlerContext) {
        isAnswered = true
        send(MonitoringAnswer(status: status, text: text), withBody: request?.method != .HEAD, context)
    }

    private func send(_ answer: MonitoringAnswer, withBody: Bool, _ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        var headers = HTTPHeaders()
        headers.add(name: "Content-Type", value: answer.mediaType)
        headers.add(name: "Content-Length", value: "\(answer.text.utf8.count)")
        headers.add(name: "Cache-Control", value: "no-store")
        headers.add(name: "X-Content-Type-Options", value: "nosniff")
        headers.add(name: "Connection", value: "close")
        if answer.status == 405 { headers.add(name: "Allow", value: "GET, HEAD") }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: answer.status), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if withBody {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer.text)))), promise: nil)
        }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }
}

/// Says the text of ZEO's monitor to whoever connects, and hangs up.
final class MonitorTextHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answers: MonitoringAnswers
    private var hasBegun = false

    init(_ answers: MonitoringAnswers) { self.answers = answers }

    func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { begin(context) } }
    func channelActive(context: ChannelHandlerContext) { begin(context) }

    /// What a watcher says is not looked at.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    private func begin(_ context: ChannelHandlerContext) {
        guard !hasBegun else { return }
        hasBegun = true
        let channel = context.channel
        answers.monitorText(on: context.eventLoop).whenComplete { result in
            guard case .success(let text) = result else { return channel.close(promise: nil) }
            channel.writeAndFlush(ByteBuffer(string: text)).whenComplete { _ in channel.close(promise: nil) }
        }
    }
}
