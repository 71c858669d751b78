internal import NIOCore

/// Who is at the other end of a connection, for the log.
enum Peer {
    /// What Linux tells of the process that connected to a Unix socket (`SO_PEERCRED`, unix(7)).
    private struct Credentials {
        var process: Int32 = 0
        var user: UInt32 = 0
        var group: UInt32 = 0
    }

    /// `SOL_SOCKET` and `SO_PEERCRED` of Linux.
    private static let (level, credentials) = (1, 17)

    /// `10.0.0.7:41022`, `[::1]:41022`, `local process 4711 (uid 1000)`.
    static func name(of channel: any Channel) -> EventLoopFuture<String> {
        if let address = channel.remoteAddress, let host = address.ipAddress, let port = address.port {
            let name = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            return channel.eventLoop.makeSucceededFuture(name)
        }
        guard let provider = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeSucceededFuture("a local client")
        }
        let option: EventLoopFuture<Credentials> = provider.unsafeGetSocketOption(
            level: SocketOptionLevel(level), name: SocketOptionName(credentials))
        return option.map { "local process \($0.process) (uid \($0.user))" }
            .flatMapErrorThrowing { _ in "a local client" }
    }
}
