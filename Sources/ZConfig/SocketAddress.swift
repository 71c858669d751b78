/// Where to listen or to connect: a host and a port, or a Unix-domain socket.
public enum SocketAddress: Hashable, Sendable {
    /// - host: a name or a numeric address, lower-cased, IPv6 without brackets. Empty: every address of the machine.
    /// - port: nil when the text names a host alone.
    case internet(host: String, port: Int?)
    case unixSocket(path: String)
}

extension SocketAddress: CustomStringConvertible {
    public var description: String {
        switch self {
        case .internet(let host, let port):
            (host.contains(":") ? "[\(host)]" : host) + (port.map { ":\($0)" } ?? "")
        case .unixSocket(let path): path
        }
    }
}

extension ValueType<SocketAddress> {
    /// Text with a `/` is the path of a Unix socket. Else it is `port`, `host`, `host:port`, `[v6]:port`, or an IPv6
    /// address without brackets, which has no port then. No name is looked up.
    ///
    /// Source: ZConfig 4.3, `ZConfig/datatypes.py`, `SocketBindingAddress`.
    public static var bindingAddress: Self {
        Self("an address: PORT, HOST:PORT, [IPv6]:PORT or the path of a Unix socket with a '/' in it") { text in
            text.utf8.contains(UInt8(ascii: "/")) ? .unixSocket(path: text) : internet(text)
        }
    }

    /// The same, where no host means this machine.
    public static var connectionAddress: Self {
        bindingAddress.map { address in
            guard case .internet("", let port) = address else { return address }
            return .internet(host: "127.0.0.1", port: port)
        }
    }

    private static func internet(_ text: String) -> SocketAddress? {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else {
            if let port = try? ValueType<Int>.port(text) { return .internet(host: "", port: port) }
            return text.words().count == 1 ? .internet(host: text.lowercased(), port: nil) : nil
        }
        var host = String(text[..<colon])
        let end = String(text[text.utf8.index(after: colon)...])
        if host.unicodeScalars.first == "[", host.unicodeScalars.last == "]" {
            host = String(host.unicodeScalars.dropFirst().dropLast())
        } else if host.utf8.contains(UInt8(ascii: ":")) {
            return .internet(host: text.lowercased(), port: nil)
        }
        guard !end.isEmpty else { return .internet(host: host.lowercased(), port: nil) }
        guard let port = try? ValueType<Int>.port(end) else { return nil }
        return .internet(host: host.lowercased(), port: port)
    }
}
