internal import ByteCoding
internal import Logging
internal import NIOCore
internal import NIOSSL
internal import NIOTLS
internal import ZEOProtocol

/// Stands between TLS and a client's handler until the handshake is over: tells the handler who the client is, and the log
/// what went wrong.
///
/// The handler is there from the beginning, so a client in its handshake counts as one. What it sends waits until then.
final class TLSEntrance: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let tls: ServerTLS
    private let handler: NIOSSLServerHandler
    private let client: ClientHandler
    private var timer: Scheduled<Void>?
    private var hasHeard = false
    private let since = NIODeadline.now()
    private var isOver = false

    init(_ tls: ServerTLS, _ handler: NIOSSLServerHandler, _ client: ClientHandler) {
        self.tls = tls
        self.handler = handler
        self.client = client
    }

    /// Puts TLS, and all that belongs to it, in front of a client.
    static func add(_ tls: ServerTLS, before client: ClientHandler, to channel: any Channel) throws {
        let handler = NIOSSLServerHandler(context: tls.context)
        let entrance = TLSEntrance(tls, handler, client)
        try channel.pipeline.syncOperations.addHandlers([FirstBytes(entrance), handler, entrance, client])
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let timeout = tls.handshakeTimeout
        timer = context.eventLoop.scheduleTask(in: .nanoseconds(Int64(timeout * 1e9))) {
            let (entrance, context) = bound.value
            entrance.fail(
                context,
                entrance.hasHeard
                    ? "its TLS handshake took longer than \(timeout) s"
                    : "it said nothing for \(timeout) s. Clients speak first in TLS; one that is not told to waits for the "
                        + "server: does it have an <ssl> section?")
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func heard() { hasHeard = true }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent, !isOver else {
            return context.fireUserInboundEventTriggered(event)
        }
        isOver = true
        timer?.cancel()
        guard let certificate = handler.peerCertificate.flatMap(ClientCertificate.init) else {
            // The context demands one, so this does not happen; if it does, it is nobody.
            return fail(context, "it has no certificate that can be read")
        }
        client.identity.certificate = certificate
        client.logger.debug("\(client.name) speaks TLS\(client.identity.suffix)")
        context.fireUserInboundEventTriggered(event)
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isOver else { return context.fireErrorCaught(error) }
        let problem = TLSProblem(error, certificate: handler.peerCertificate, trust: tls.trust, hasSpoken: hasHeard)
        // Who waited is a client that was not spoken to; who went at once has looked at the port.
        fail(context, problem.text, isNews: problem.isNews || !tls.isLook(since: since))
    }

    private func fail(_ context: ChannelHandlerContext, _ why: String, isNews: Bool = true) {
        isOver = true
        timer?.cancel()
        if isNews {
            client.noteRefusal("is not let in: \(why)")
        } else {
            client.logger.debug("\(client.name): \(why)")
        }
        context.close(promise: nil)
    }
}

/// Before TLS: sees whether that is what a client speaks at all.
private final class FirstBytes: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let entrance: TLSEntrance

    init(_ entrance: TLSEntrance) { self.entrance = entrance }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        entrance.heard()
        let first = bytes.getBytes(at: bytes.readerIndex, length: min(8, bytes.readableBytes)) ?? []
        // A record of the type "handshake" is how every TLS begins.
        guard first.first == 0x16 else { return context.fireErrorCaught(NotTLS(first: first)) }
        context.fireChannelRead(data)
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}

/// A client began with something that is no ClientHello.
struct NotTLS: Error {
    let first: [UInt8]
}

extension ClientCertificate {
    init?(_ certificate: NIOSSLCertificate) {
        guard let bytes = try? certificate.toDERBytes() else { return nil }
        self.init(subject: Self.attributes(certificate.subjectName), fingerprint: SHA256.digest(bytes))
    }

    /// The attributes that have a name here.
    static func attributes(_ names: [SSLCertificateName]) -> [Attribute] {
        names.compactMap { name in types[name.type].map { Attribute(type: $0, value: name.value) } }
    }

    private static let types: [SSLCertificateNameType: String] = [
        .commonName: "CN", .organization: "O", .organizationalUnit: "OU", .city: "L", .state: "ST", .country: "C",
        .userId: "UID", .emailAddress: "EMAILADDRESS",
    ]
}

extension ServerTLS {
    fileprivate func isLook(since: NIODeadline) -> Bool {
        NIODeadline.now() - since < .nanoseconds(Int64(lookTimeout * 1e9))
    }
}
