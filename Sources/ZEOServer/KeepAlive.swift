internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// How a client is found out that is gone without a word: a machine without power, a firewall that has forgotten the
/// connection. Nothing else would tell of a client that is only told of nothing.
enum KeepAlive {
    /// Seconds of silence before the system asks.
    static let idle = 60
    /// Seconds between questions.
    static let interval = 15
    /// Questions without an answer, after which the connection ends.
    static let questions = 4

    /// Options of a TCP address: its connections have them from the beginning.
    static func apply(to bootstrap: ServerBootstrap) -> ServerBootstrap {
        bootstrap
            .serverChannelOption(.socketOption(.so_keepalive), value: 1)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: idle)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: interval)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: questions)
    }
}
