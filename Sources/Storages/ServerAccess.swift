internal import ZEOClient
public import ZODB

/// How to speak TLS to a server: servers from ZEO 5 on can, and want a certificate of every client.
public struct TLSSettings: Hashable, Sendable {
    /// Our certificate, with those between it and its authority: the path of a PEM file.
    public var certificate: String?
    /// Its private key: the path of a PEM file; nil when it is in the certificate's file.
    public var key: String?
    /// What the key is encrypted with, if it is.
    public var passphrase: String?
    /// The authorities that may vouch for the server: a PEM file, or a directory of them; nil: those of the system.
    public var authorities: String?
    /// The name that the server's certificate has to have; nil: the host of the address.
    public var serverName: String?
    /// Whether the name is looked at.
    public var checksServerName: Bool

    public init(
        certificate: String? = nil, key: String? = nil, passphrase: String? = nil, authorities: String? = nil,
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

/// However it is printed, the pass phrase is not.
extension TLSSettings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String {
        "certificate \(certificate ?? "none"), authorities \(authorities ?? "of the system")"
    }
    public var debugDescription: String { description }
    public var customMirror: Mirror {
        Mirror(
            self,
            children: [
                "certificate": certificate as Any, "key": key as Any, "authorities": authorities as Any,
                "serverName": serverName as Any, "checksServerName": checksServerName,
            ])
    }

    /// Whether the key is encrypted, so that a pass phrase is needed.
    /// - Throws: `StorageError` when there is no such file, or it cannot be read.
    public func keyIsEncrypted() throws(StorageError) -> Bool {
        guard let path = key ?? certificate else { return false }
        do throws(TLSFailure) {
            return try TLSFiles.isEncrypted(path, as: key == nil ? .certificate : .key)
        } catch {
            throw .connection(.tls(address: path, error))
        }
    }
}

/// What is kept of a server's objects from one run to the next.
public struct CacheSettings: Hashable, Sendable {
    /// The path of the cache file, in ZEO's own format.
    public var file: String
    /// How large the file is to be, in bytes; nil: as it is, and a new one 20 MB.
    public var size: Int?

    public init(file: String, size: Int? = nil) {
        self.file = file
        self.size = size
    }
}
