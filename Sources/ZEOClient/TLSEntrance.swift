internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import NIOTLS
internal import ZEOProtocol
internal import ZODB

/// Stands between TLS and the connection's handler until the server has said its first word: looks at the name in the
/// server's certificate, and makes words of what goes wrong.
///
/// Up to then, because with TLS 1.3 a handshake is over for us before the server has looked at our certificate: that it
/// refuses it shows afterwards, by an alert or by an end.
final class TLSEntrance: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private enum Phase {
        case handshake
        /// The handshake is over; the server has not yet spoken.
        case awaitsGreeting
        case over
    }

    private let tls: ClientTLS
    private let address: String
    /// What the server's certificate has to be for; nil: it has no name that could be looked at.
    private let host: String?
    private let handler: NIOSSLClientHandler
    private var phase = Phase.handshake

    private init(_ tls: ClientTLS, _ endpoint: Endpoint, _ handler: NIOSSLClientHandler) {
        self.tls = tls
        self.handler = handler
        address = endpoint.description
        host = tls.checksServerName ? tls.serverName ?? endpoint.hostName : nil
    }

    /// Puts TLS in front of a connection's handler.
    /// - Returns: makes the failure of a connection more precise; its event loop's alone.
    static func add(
        _ tls: ClientTLS, to endpoint: Endpoint, _ pipeline: ChannelPipeline.SynchronousOperations
    ) throws -> Explanation {
        let name = tls.serverName ?? endpoint.hostName
        // Addresses are no names to ask for.
        let asked = name.flatMap { IPAddress.bytes($0) == nil && !$0.isEmpty && $0.utf8.count <= 255 ? $0 : nil }
        let handler = try NIOSSLClientHandler(context: tls.context, serverHostname: asked)
        let entrance = TLSEntrance(tls, endpoint, handler)
        try pipeline.addHandlers([FirstBytes(entrance), handler, entrance])
        return { [entrance] failure in entrance.explain(failure) }
    }

    /// The server was silent: to our first TLS message, if the handshake is not over.
    private func explain(_ failure: ConnectionFailure) -> ConnectionFailure {
        guard case .silent(_, let seconds) = failure, case .handshake = phase else { return failure }
        return .tls(address: address, .noAnswer(seconds: seconds))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent, case .handshake = phase else {
            return context.fireUserInboundEventTriggered(event)
        }
        phase = .awaitsGreeting
        guard let host else { return }
        let names = handler.peerCertificate.map { ServerNames($0) } ?? ServerNames()
        guard names.include(host) else {
            return fail(context, .otherName(expected: host, names: names.texts))
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .awaitsGreeting = phase else { return }
        phase = .over
        context.fireChannelRead(data)
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch phase {
        case .over: context.fireErrorCaught(error)
        case .handshake: fail(context, TLSProblem(error, certificate: handler.peerCertificate).failure)
        case .awaitsGreeting: fail(context, TLSProblem(error, certificate: nil).afterHandshake(tls.hasCertificate))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        switch phase {
        case .over: break
        case .handshake: fail(context, .closed)
        case .awaitsGreeting: fail(context, .hungUp(hasCertificate: tls.hasCertificate))
        }
        context.fireChannelInactive()
    }

    private func fail(_ context: ChannelHandlerContext, _ failure: TLSFailure) {
        phase = .over
        context.fireErrorCaught(ConnectionFailure.tls(address: address, failure))
    }
}

/// Before TLS: sees whether that is what the server speaks at all.
private final class FirstBytes: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let entrance: TLSEntrance

    init(_ entrance: TLSEntrance) { self.entrance = entrance }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let first = bytes.getBytes(at: bytes.readerIndex, length: min(60, bytes.readableBytes)) ?? []
        // Records of the types "alert" and "handshake" are all that may come first.
        guard first.first == 0x15 || first.first == 0x16 else {
            return context.fireErrorCaught(PlainServer(first: first))
        }
        context.fireChannelRead(data)
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}

/// A server began with something that is not TLS.
struct PlainServer: Error {
    let first: [UInt8]
}

extension Endpoint {
    /// The host, as its certificate may name it.
    fileprivate var hostName: String? {
        switch self {
        case .host(let name, _): name
        case .unixSocket: nil
        }
    }
}
