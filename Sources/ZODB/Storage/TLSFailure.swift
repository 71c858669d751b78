/// Why TLS cannot be spoken with a server, told apart by who refuses what.
public enum TLSFailure: Error, Hashable, Sendable {
    /// One of our own files will not do.
    case file(TLSFile, path: String, TLSFileProblem)
    /// The server does not speak TLS: what it said instead.
    case plainServer(received: String)
    /// No answer to our first TLS message within the time.
    case noAnswer(seconds: Double)
    /// We do not accept the server's certificate: nobody that we trust vouches for it, or it is not for servers.
    case unknownAuthority(CertificateNames)
    /// The same, and it vouches for itself.
    case selfSigned(CertificateNames)
    /// The server's certificate is not valid any more, since a time in words.
    case expired(CertificateNames, since: String)
    case notYetValid(CertificateNames, from: String)
    /// The server's certificate is for others: `names` are those that it has.
    case otherName(expected: String, names: [String])
    /// The server does not accept our certificate; its reason, as far as it gave one.
    case certificateRefused(String)
    /// The server wants a certificate, and we showed none.
    case certificateWanted
    /// The server closed during the handshake, without a reason.
    case closed
    /// The server closed after the handshake, before its first word and without a reason. With TLS 1.3 so do Python's when they
    /// do not like our certificate, or miss one; and whoever stands in for a server that is stopping.
    case hungUp(hasCertificate: Bool)
    /// Anything else; the library's words.
    case other(String)
}

/// The two names in a certificate: `CN=db1`, `CN=Example CA`.
public struct CertificateNames: Hashable, Sendable {
    public var subject: String
    public var issuer: String

    public init(subject: String, issuer: String) {
        self.subject = subject
        self.issuer = issuer
    }
}

/// The files that TLS takes.
public enum TLSFile: String, Hashable, Sendable {
    case certificate
    case key
    case authorities
}

public enum TLSFileProblem: Hashable, Sendable {
    /// The system does not let us read it: the error number.
    case unreadable(errno: Int32)
    /// It is a key, and others than its owner may read it: its permissions, such as `0o644`.
    case exposed(mode: UInt32)
    /// It holds nothing of the kind. `isBinary`: it may be one in DER or PKCS #12.
    case notPEM(isBinary: Bool)
    /// The key is encrypted, and there is no pass phrase to give.
    case needsPassphrase
    case wrongPassphrase
    /// It is a key, of another certificate than the one in this file.
    case otherCertificate(String)
    /// A key, and no certificate that it could be of.
    case noCertificate
    /// A directory without files that are named by hashes.
    case noHashes
    /// A directory where a file has to be.
    case isDirectory
}

extension TLSFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .file(let file, let path, let problem): "TLS: \(file) \(path): \(problem.text(of: file))"
        case .plainServer(let received): "the server does not speak TLS: it said \(received)"
        case .noAnswer(let seconds): "connected, and no answer to TLS within \(seconds) s"
        case .unknownAuthority(let names):
            "the server's certificate \(names.subject) is not accepted: its issuer \(names.issuer) is unknown here, or it "
                + "is not for servers"
        case .selfSigned(let names):
            "the server's certificate \(names.subject) is not accepted: it is self-signed, and not among the authorities"
        case .expired(let names, let since): "the server's certificate \(names.subject) is out of date since \(since)"
        case .notYetValid(let names, let from): "the server's certificate \(names.subject) is not valid before \(from)"
        case .otherName(let expected, let names):
            "the server's certificate is not for '\(expected)': it is for "
                + (names.isEmpty ? "no host at all" : names.joined(separator: ", "))
        case .certificateRefused(let reason): "the server does not accept our certificate" + Self.suffix(reason)
        case .certificateWanted: "the server wants a certificate of its clients, and there is none to show"
        case .closed: "the server closed the connection during the TLS handshake"
        // The likeliest, where it is the first connection.
        case .hungUp(hasCertificate: true):
            Self.certificateRefused("it closed the connection without a word").description
        case .hungUp(hasCertificate: false): Self.certificateWanted.description
        case .other(let reason): "the TLS handshake failed: \(reason)"
        }
    }

    private static func suffix(_ reason: String) -> String { reason.isEmpty ? "" : " (\(reason))" }
}

extension TLSFileProblem {
    /// What is wrong with a file, in words; the path left out.
    public func text(of file: TLSFile) -> String {
        guard case .notPEM(isBinary: false) = self else { return description }
        return switch file {
        case .certificate: "it holds no certificate: expected a line -----BEGIN CERTIFICATE-----"
        case .key: "it holds no private key: expected a line -----BEGIN … PRIVATE KEY-----"
        case .authorities: "it holds no certificate of an authority: expected a line -----BEGIN CERTIFICATE-----"
        }
    }
}

extension TLSFileProblem: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreadable(let number): StorageError.text(of: number)
        case .exposed(let mode): "others than its owner may read this key: its mode is \(String(mode, radix: 8))"
        case .notPEM(let isBinary): isBinary ? "it is not in PEM, but binary" : "it holds nothing of the kind in PEM"
        case .needsPassphrase: "the key is encrypted, and there is no pass phrase"
        case .wrongPassphrase: "the pass phrase is not the one of this key"
        case .otherCertificate(let path): "it is not the key of the certificate in \(path)"
        case .noCertificate: "a key without a certificate"
        case .noHashes: "no file in this directory is named by the hash of a certificate"
        case .isDirectory: "a directory, where a file is needed"
        }
    }
}
