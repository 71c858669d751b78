internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import ZEOProtocol
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

extension ConnectionFailure {
    /// Why NIO could not connect, with the causes told apart.
    init(_ error: any Error, _ endpoint: Endpoint, _ timeout: Duration) {
        let address = endpoint.description
        switch error {
        case let error as NIOConnectionError:
            // A name has several addresses; each was tried.
            let causes = error.connectionErrors.map(\.error)
            if causes.isEmpty {
                self = .unreachable(address: address, "no host named \(error.host)")
            } else {
                self = Self.init(causes, address: address)
            }
        case ChannelError.connectTimeout:
            self = .unreachable(address: address, "no answer within \(timeout / .seconds(1)) s")
        case ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed, ChannelError.eof:
            // Connected, and closed before there was anybody to hear it.
            self = .lost(address: address, "the server closed the connection, before the server's greeting")
        default: self = Self.init([error], address: address)
        }
    }

    private init(_ causes: [any Error], address: String) {
        let others = causes.filter { ($0 as? IOError)?.errnoCode != ECONNREFUSED }
        if let other = others.first {
            self = .unreachable(address: address, systemText(of: other))
        } else {
            self = .refused(address: address)
        }
    }
}

/// An error's words: the system's where it has a number, without the calls that led to it.
func systemText(of error: any Error) -> String {
    // Few say goodbye in TLS: an end is an end.
    if error as? NIOSSLError == .uncleanShutdown { return "the server closed the connection" }
    if let error = error as? ChannelError, [.eof, .ioOnClosedChannel, .alreadyClosed].contains(error) {
        return "the server closed the connection"
    }
    guard let error = error as? IOError, let words = unsafe strerror(error.errnoCode) else { return "\(error)" }
    return unsafe String(cString: words)
}
