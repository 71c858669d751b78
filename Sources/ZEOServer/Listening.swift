internal import NIOCore
internal import NIOPosix
public import ZEOProtocol
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

extension Endpoint {
    /// For people, as a place to listen at: `10.0.0.1:8800`, `port 8800 of every address`, `/run/zeo.sock`.
    public var shown: String {
        if case .host("", let port) = self { "port \(port) of every address" } else { description }
    }

    /// With the port that the system chose.
    func bound(to channel: (any Channel)?) -> Endpoint {
        guard case .host(let host, port: 0) = self, let port = channel?.localAddress?.port else { return self }
        return .host(host, port: port)
    }
}

extension ServerBootstrap {
    /// Listens at an address. No host: at every address of the machine, IPv4 and, where there is such, IPv6, as Python's
    /// server does, with a socket for each.
    func listen(at endpoint: Endpoint) throws -> [any Channel] {
        switch endpoint {
        case .host("", let port):
            let first = try bind(host: "0.0.0.0", port: port).wait()
            let only = serverChannelOption(
                ChannelOptions.socket(SocketOptionLevel(IPPROTO_IPV6), SocketOptionName(IPV6_V6ONLY)), value: 1)
            do {
                return [first, try only.bind(host: "::", port: first.localAddress?.port ?? port).wait()]
            } catch let error as IOError where [EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.errnoCode) {
                return [first]
            } catch {
                try? first.close().wait()
                throw error
            }
        case .host(let host, let port): return [try bind(host: host, port: port).wait()]
        case .unixSocket(let path):
            // Taking away what nobody answers at, and nothing else: that of a living server would cut it off.
            guard !UnixSocket.isAnswering(at: path) else { throw UnixSocket.InUse() }
            return [try bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).wait()]
        }
    }
}
