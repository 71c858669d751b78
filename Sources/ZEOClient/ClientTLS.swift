internal import NIOCore
internal import NIOSSL
public import ZODB

/// TLS as a client of ZEO 5 speaks it: from the first byte on, 1.2 or newer, with a certificate of its own.
///
/// The files are read once, here. A connection that is made again speaks TLS with what was read.
public struct ClientTLS: Sendable {
    /// Where everything comes from.
    public struct Settings: Sendable {
        /// Our certificate, then those between it and its authority: a PEM file; nil: we show none.
        public var certificate: String?
        /// Its private key: a PEM file; nil: it is in the certificate's.
        public var key: String?
        /// What the key is encrypted with, if it is.
        public var passphrase: [UInt8]?
        /// Who may vouch for the server: a PEM file, or a directory whose files are named by hashes, as `openssl rehash`
        /// does it; nil: the authorities of the system.
        public var authorities: String?
        /// The name that the server's certificate has to have; nil: the host of the address. A Unix socket has none.
        public var serverName: String?
        public var checksServerName: Bool

        public init(
            certificate: String? = nil, key: String? = nil, passphrase: [UInt8]? = nil, authorities: String? = nil,
            serverName: String? = nil, checksServerName: Bool = true
        ) {
            self.certificate = certificate
            self.key = key
            self.passphrase = passphrase
            self.authorities = authorities
            self.serverName = serverName
            self.checksServerName = checksServerName
        }
    }

    let context: NIOSSLContext
    /// Whether we have a certificate to show.
    let hasCertificate: Bool
    let serverName: String?
    let checksServerName: Bool

    /// - Throws: `TLSFailure.file` for a file that will not do.
    public init(_ settings: Settings) throws(TLSFailure) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        // The name is looked at by us: to say which names there are, and to look for addresses behind tunnels.
        configuration.certificateVerification = .noHostnameVerification
        configuration.shutdownTimeout = .seconds(1)
        if let path = settings.authorities { configuration.trustRoots = try Self.authorities(path) }
        if let certificate = settings.certificate {
            let chain = try TLSFiles.certificates(of: certificate, as: .certificate)
            let key = try TLSFiles.key(settings.key ?? certificate, settings.passphrase)
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(key)
        } else if let key = settings.key {
            throw .file(.key, path: key, .noCertificate)
        }
        do {
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            guard let certificate = settings.certificate, let path = settings.key ?? settings.certificate else {
                throw .other("\(error)")
            }
            // Both can be read, so what is left is that they do not belong together.
            throw .file(.key, path: path, .otherCertificate(certificate))
        }
        hasCertificate = settings.certificate != nil
        serverName = settings.serverName
        checksServerName = settings.checksServerName
    }

    private static func authorities(_ path: String) throws(TLSFailure) -> NIOSSLTrustRoots {
        guard try TLSFiles.isDirectory(path, as: .authorities) else {
            return .certificates(try TLSFiles.certificates(of: path, as: .authorities))
        }
        guard TLSFiles.hasHashes(path) else { throw .file(.authorities, path: path, .noHashes) }
        return .file(path)
    }
}
