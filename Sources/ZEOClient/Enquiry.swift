internal import NIOCore
internal import NIOPosix
public import ZEOProtocol
public import ZODB

/// Says a few bytes to a server and takes all that it answers until it hangs up: its monitor, `ruok`, HTTP of version 1.0.
public enum Enquiry {
    /// - Parameters:
    ///   - timeout: how long all of it may take.
    ///   - limit: the most bytes that are taken.
    /// - Throws: `connection`: nobody there, silence, too much; `interrupted`.
    public static func perform(
        _ endpoint: Endpoint, saying bytes: [UInt8], timeout: Duration, limit: Int = 4 << 20, interruption: Interruption
    ) throws(StorageError) -> [UInt8] {
        let answer = Waiting<[UInt8]>()
        let address = endpoint.description
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton.next())
            .connectTimeout(TimeAmount(timeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        AnswerCollector(bytes, limit: limit, address: address, answer))
                }
            }
        let connected: EventLoopFuture<any Channel>
        switch endpoint {
        case .host(let name, let port):
            guard (1...65_535).contains(port) else {
                throw .connection(.unreachable(address: address, "no such port: \(port)"))
            }
            connected = bootstrap.connect(host: name, port: port)
        case .unixSocket(let path): connected = bootstrap.connect(unixDomainSocketPath: path)
        }
        connected.whenFailure { error in
            answer.complete(.failure(.connection(ConnectionFailure(error, endpoint, timeout))))
        }
        defer { connected.whenSuccess { $0.close(promise: nil) } }
        return try answer.value(interruption, within: timeout, from: address)
    }
}

/// What arrives on one connection. Its event loop's alone.
private final class AnswerCollector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let question: [UInt8]
    private let limit: Int
    private let address: String
    private let answer: Waiting<[UInt8]>
    private var received: [UInt8] = []

    init(_ question: [UInt8], limit: Int, address: String, _ answer: Waiting<[UInt8]>) {
        self.question = question
        self.limit = limit
        self.address = address
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        guard !question.isEmpty else { return }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: question)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += Array(buffer: unwrapInboundIn(data))
        guard received.count > limit else { return }
        answer.complete(.failure(.connection(.protocolError(address: address, "it says more than \(limit) bytes"))))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { answer.complete(.success(received)) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Servers that do not know the question hang up, some of them rudely: what they said before counts.
        answer.complete(.success(received))
        context.close(promise: nil)
    }
}
