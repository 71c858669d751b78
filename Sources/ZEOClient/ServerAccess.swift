internal import NIOCore
internal import ZEOProtocol
internal import ZODB

/// What stands between us and a server, beside the network.
struct ServerAccess: Sendable {
    var tls: ClientTLS?
    var tunnel: Tunnel?
    var temporaryDirectory = "/var/tmp"
    var processes = TunnelProcesses()

    /// ssh has to log in before there is a server to greet us, and a person may have to type a password for it.
    func patience(_ timeouts: ConnectionTimeouts, mayAsk: Bool) -> Duration {
        guard tunnel != nil else { return timeouts.greeting }
        return max(timeouts.connect + timeouts.greeting, mayAsk ? .seconds(300) : .zero)
    }
}

extension ZEOClientStorage.Options {
    func access(_ processes: TunnelProcesses) -> ServerAccess {
        ServerAccess(tls: tls, tunnel: tunnel, temporaryDirectory: temporaryDirectory, processes: processes)
    }
}

/// Makes the failure of a connection more precise, with what is known below the protocol. Its event loop's alone.
typealias Explanation = (ConnectionFailure) -> ConnectionFailure
