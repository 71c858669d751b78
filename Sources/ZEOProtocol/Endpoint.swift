/// Where a ZEO server listens: a host and a port, or a Unix-domain socket.
///
/// Reading one from a user's text is not done here: it takes an address as it is.
public enum Endpoint: Hashable, Sendable {
    /// A name or a numeric address, IPv6 without brackets.
    case host(String, port: Int)
    case unixSocket(path: String)
}

extension Endpoint: CustomStringConvertible {
    /// As users write it: `db1:8800`, `[::1]:8800`, `/run/zeo.sock`.
    public var description: String {
        switch self {
        case .host(let name, let port): name.contains(":") ? "[\(name)]:\(port)" : "\(name):\(port)"
        case .unixSocket(let path): path
        }
    }
}
