internal import ByteCoding
internal import ZEOProtocol

/// What is known of a client for sure, to decide what it may do.
public struct ClientIdentity: Hashable, Sendable {
    /// The bytes of its address, 4 or 16; nil: it is connected by a Unix socket.
    public var address: [UInt8]?
    /// nil: it has shown none, because the server does not speak TLS.
    public var certificate: ClientCertificate?
    /// The name by which it logged in; nil: it did not.
    public var user: String?

    public init(address: [UInt8]? = nil, certificate: ClientCertificate? = nil, user: String? = nil) {
        self.address = address
        self.certificate = certificate
        self.user = user
    }

    /// For the log: ` (user joe, certificate CN=zope1)`; empty when nothing but the address is known.
    var suffix: String {
        var parts: [String] = []
        if let user { parts.append("user \(LogText.printable(user))") }
        if let certificate { parts.append("certificate \(certificate)") }
        return parts.isEmpty ? "" : " (\(parts.joined(separator: ", ")))"
    }
}

/// A client's certificate that was verified.
public struct ClientCertificate: Hashable, Sendable {
    /// An attribute of its subject.
    public struct Attribute: Hashable, Sendable {
        /// The usual short name in capitals: `CN`, `O`, `OU`, `L`, `ST`, `C`, `UID`, `EMAILADDRESS`.
        public var type: String
        public var value: String

        public init(type: String, value: String) {
            self.type = type
            self.value = value
        }
    }

    public var subject: [Attribute]
    /// SHA-256 of the certificate in DER, 32 bytes.
    public var fingerprint: [UInt8]

    public init(subject: [Attribute], fingerprint: [UInt8]) {
        self.subject = subject
        self.fingerprint = fingerprint
    }
}

extension ClientCertificate: CustomStringConvertible {
    /// `CN=zope1, O=Example`, or the beginning of the fingerprint.
    public var description: String {
        guard !subject.isEmpty else { return "sha256:" + Hexadecimal.text(fingerprint.prefix(8)) + "…" }
        return subject.map { "\($0.type)=\(LogText.printable($0.value))" }.joined(separator: ", ")
    }
}
