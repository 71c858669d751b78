internal import NIOCore
internal import NIOSSL

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// TLS as ZEO 5 has it: from the first byte on, 1.2 or newer, and every client shows a certificate.
public struct ServerTLS: Sendable {
    /// Whose certificates are accepted.
    public enum Trust: Hashable, Sendable {
        /// Those in this PEM file, and those signed by one of them.
        case file(String)
        /// The same, of a directory whose files are named by hashes, as `openssl rehash` does it.
        case directory(String)
        /// Nobody's (`authenticate DYNAMIC`).
        case nobody
    }

    /// Seconds that a client has for the handshake.
    public var handshakeTimeout: Double = 10
    /// Seconds up to which somebody who connects and goes without a word has looked at the port; a client without TLS
    /// waits for longer.
    public var lookTimeout: Double = 0.3
    let context: NIOSSLContext
    let trust: Trust

    /// - Parameters:
    ///   - certificates: a PEM file: the server's certificate, then those that lead to its CA.
    ///   - key: a PEM file; nil: the key is in the file of the certificates.
    ///   - password: what the key is encrypted with; nil: it is not.
    public init(
        certificates: String, key: String?, password: [UInt8]?, clients trust: Trust
    ) throws(ServerTLSError) {
        let chain = try Self.certificates(of: certificates, what: "certificate")
        let keyFile = key ?? certificates
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(try Self.key(keyFile, password)))
        configuration.minimumTLSVersion = .tlsv12
        // What NIOSSL calls so is what a server needs: a certificate that leads to a trusted one, whatever name is in it.
        configuration.certificateVerification = .noHostnameVerification
        configuration.shutdownTimeout = .seconds(1)
        switch trust {
        case .file(let path):
            configuration.trustRoots = .certificates(try Self.certificates(of: path, what: "authenticate"))
        case .directory(let path): configuration.trustRoots = .file(path)
        case .nobody: configuration.trustRoots = .certificates([])
        }
        do {
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            switch (error, trust) {
            case (NIOSSLError.failedToLoadPrivateKey, _):
                throw ServerTLSError(
                    setting: "key", path: keyFile, problem: "it is not the key of the certificate in \(certificates)")
            case (NIOSSLError.noSuchFilesystemObject, .directory(let path)):
                throw ServerTLSError(setting: "authenticate", path: path, problem: "there is no such directory")
            default:
                throw ServerTLSError(
                    setting: "certificate", path: certificates, problem: "it and its key cannot be used for TLS")
            }
        }
        self.trust = trust
    }

    private static func certificates(
        of path: String, what setting: String
    ) throws(ServerTLSError) -> [NIOSSLCertificate] {
        try checkReadable(path, setting)
        guard let found = try? NIOSSLCertificate.fromPEMFile(path), !found.isEmpty else {
            throw ServerTLSError(setting: setting, path: path, problem: "it holds no certificate in PEM")
        }
        return found
    }

    /// NIOSSL does not say why it cannot read a file.
    private static func checkReadable(_ path: String, _ setting: String) throws(ServerTLSError) {
        guard access(path, R_OK) != 0 else { return }
        let number = errno
        let advice = "; the user that the server runs as has to be able to read it, and its directory"
        throw ServerTLSError(
            setting: setting, path: path,
            problem: unsafe String(cString: strerror(number)) + (number == EACCES ? advice : ""))
    }

    private static func key(_ path: String, _ password: [UInt8]?) throws(ServerTLSError) -> NIOSSLPrivateKey {
        try checkReadable(path, "key")
        do {
            return try NIOSSLPrivateKey(file: path, format: .pem) { (use: NIOSSLPassphraseSetter<[UInt8]>) in
                use(password ?? [])
            }
        } catch {
            throw ServerTLSError(
                setting: "key", path: path,
                problem: password == nil
                    ? "it holds no private key in PEM, or one that needs a password (password-file)"
                    : "it holds no private key in PEM, or one with another password")
        }
    }
}

/// TLS cannot be spoken with these files.
public struct ServerTLSError: Error, Hashable, Sendable {
    /// The setting that names the file: `certificate`, `key`, `authenticate`.
    public let setting: String
    public let path: String
    public let problem: String
}

extension ServerTLSError: CustomStringConvertible {
    public var description: String { "TLS: \(setting) \(path): \(problem)" }
}
