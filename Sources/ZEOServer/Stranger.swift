/// What a connection speaks that does not speak ZEO, by its first bytes.
enum Stranger: Hashable {
    case tls, http, proxy, ssh

    init?(_ first: some Sequence<UInt8>) {
        let start = Array(first.prefix(4))
        switch start {
        // A record of the type "handshake", of version 3.x.
        case let bytes where bytes.starts(with: [0x16, 3]): self = .tls
        case Array("GET ".utf8), Array("POST".utf8), Array("HEAD".utf8), Array("PUT ".utf8), Array("OPTI".utf8),
            Array("PRI ".utf8):
            self = .http
        case Array("PROX".utf8), [0x0d, 0x0a, 0x0d, 0x0a]: self = .proxy
        case Array("SSH-".utf8): self = .ssh
        default: return nil
        }
    }

    /// What it does, and what to try.
    var text: String {
        switch self {
        case .tls: "it speaks TLS, and this server does not: there is no <ssl> in its <zeo>"
        case .http: "it speaks HTTP: clients of ZEO come here; health and metrics are at http-address"
        case .proxy: "it begins with the PROXY protocol, which is not spoken here: take send-proxy out of the balancer"
        case .ssh: "it speaks SSH"
        }
    }
}
