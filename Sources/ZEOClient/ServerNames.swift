internal import NIOSSL
internal import ZEOProtocol

/// The hosts that a server's certificate is for.
///
/// Source: RFC 6125, as Python's `ssl` follows it: DNS names and addresses of the subjectAltName; the common name only
/// where there is none of them. A `*` stands for the whole first label.
struct ServerNames: Hashable {
    /// Names, without regard to case, without a dot at the end.
    var hosts: [String] = []
    /// Addresses: 4 or 16 bytes.
    var addresses: [[UInt8]] = []

    init(hosts: [String] = [], addresses: [[UInt8]] = []) {
        self.hosts = hosts
        self.addresses = addresses
    }

    init(_ certificate: NIOSSLCertificate) {
        for name in certificate._subjectAlternativeNames() {
            let bytes = Array(name.contents)
            switch name.nameType {
            case .dnsName: hosts.append(String(decoding: bytes, as: UTF8.self))
            case .ipAddress where bytes.count == 4 || bytes.count == 16: addresses.append(bytes)
            default: break
            }
        }
        if hosts.isEmpty, addresses.isEmpty {
            hosts = certificate.subjectName.filter { $0.type == .commonName }.map(\.value)
        }
    }

    /// Whether the certificate is for this host: a name or an address.
    func include(_ host: String) -> Bool {
        if let address = IPAddress.bytes(host) { return addresses.contains(address) }
        let wanted = Self.labels(host)
        guard !wanted.isEmpty else { return false }
        return hosts.contains { name in
            let labels = Self.labels(name)
            guard labels.count == wanted.count, labels.dropFirst() == wanted.dropFirst() else { return false }
            return labels.first == wanted.first || (labels.first == "*" && labels.count > 2)
        }
    }

    private static func labels(_ host: String) -> [Substring] {
        let name = host.hasSuffix(".") ? host.dropLast() : host[...]
        let labels = Substring(name.lowercased()).split(separator: ".", omittingEmptySubsequences: false)
        return labels.contains("") ? [] : labels
    }

    /// As people write them.
    var texts: [String] { (hosts + addresses.map(IPAddress.text)).map(LogText.printable) }
}
