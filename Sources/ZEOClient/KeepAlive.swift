internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// How a server is found out that is gone without a word: a machine without power, a firewall that has forgotten the
/// connection. The system's own two hours are longer than anybody waits.
enum KeepAlive {
    /// Seconds of silence before the system asks.
    static let idle = 60
    /// Seconds between questions.
    static let interval = 15
    /// Questions without an answer, after which the connection ends.
    static let questions = 4
    /// Milliseconds that what was sent may remain unacknowledged (`TCP_USER_TIMEOUT` of `linux/tcp.h`).
    static let unacknowledged = 120_000
    private static let userTimeout: CInt = 18

    static func apply(to bootstrap: ClientBootstrap) -> ClientBootstrap {
        let asked =
            bootstrap
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: idle)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: interval)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: questions)
        #if os(Linux)
            return asked.channelOption(.tcpOption(.init(rawValue: userTimeout)), value: unacknowledged)
        #else
            return asked
        #endif
    }
}
