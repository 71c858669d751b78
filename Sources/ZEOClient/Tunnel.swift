/// A way to a server through the system's `ssh`.
public struct Tunnel: Hashable, Sendable {
    /// As `ssh` takes it, a name of its configuration too: `db1`, `zope@db1.example.org`.
    public let destination: String
    /// nil: what ssh's configuration says, or 22.
    public let port: Int?
    /// Whether ssh may ask at the terminal, the first time: for a password, for leave to trust a host.
    public let mayAsk: Bool

    /// - Parameter text: `user@host`, `host`, `user@host:port`, `user@[::1]:port`.
    /// - Throws: `TunnelError` for anything else.
    public init(_ text: String, mayAsk: Bool = false) throws(TunnelError) {
        let (user, place) = Self.split(text)
        var (host, port) = (place, String?.none)
        if place.hasPrefix("[") {
            guard let end = place.firstIndex(of: "]") else { throw TunnelError(text: text) }
            host = String(place[place.index(after: place.startIndex)..<end])
            let rest = place[place.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw TunnelError(text: text) }
            if !rest.isEmpty { port = String(rest.dropFirst()) }
        } else if let colon = place.lastIndex(of: ":"), place.firstIndex(of: ":") == colon {
            host = String(place[..<colon])
            port = String(place[place.index(after: colon)...])
        }
        // Whatever begins with a minus would be an option of ssh.
        guard !host.isEmpty, !host.hasPrefix("-"), !text.hasPrefix("-"), Self.isWord(host),
            user.map({ !$0.isEmpty && Self.isWord($0) }) ?? true
        else { throw TunnelError(text: text) }
        if let port {
            guard let number = Int(port), (1...65_535).contains(number) else { throw TunnelError(text: text) }
            self.port = number
        } else {
            self.port = nil
        }
        destination = (user.map { "\($0)@" } ?? "") + host
        self.mayAsk = mayAsk
    }

    private static func split(_ text: String) -> (user: String?, place: String) {
        guard let at = text.lastIndex(of: "@") else { return (nil, text) }
        return (String(text[..<at]), String(text[text.index(after: at)...]))
    }

    private static func isWord(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7f && $0 != "/" }
    }
}

/// A text that names no host for ssh.
public struct TunnelError: Error, Hashable, Sendable, CustomStringConvertible {
    public let text: String
    public var description: String { "'\(text)' is no host for ssh: USER@HOST, HOST or USER@HOST:PORT" }
}
