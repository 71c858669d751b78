internal import NIOSSL
public import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Certificates and keys of this machine, and what may be wrong with them.
public enum TLSFiles {
    /// No file of certificates is that long; a device given by mistake may be.
    private static let limit = 16 << 20

    /// Whether the key in a PEM file is encrypted, so that a pass phrase has to be asked for.
    /// - Parameter file: what the file was named as.
    /// - Throws: `TLSFailure.file` when the file cannot be read.
    public static func isEncrypted(_ path: String, as file: TLSFile = .key) throws(TLSFailure) -> Bool {
        try holds("ENCRYPTED", contents(path, as: file))
    }

    static func certificates(of path: String, as file: TLSFile) throws(TLSFailure) -> [NIOSSLCertificate] {
        let bytes = try contents(path, as: file)
        guard let found = try? NIOSSLCertificate.fromPEMBytes(bytes), !found.isEmpty else {
            throw .file(file, path: path, .notPEM(isBinary: bytes.first == 0x30))
        }
        return found
    }

    /// - Throws: `TLSFailure.file`, also when others may read it.
    static func key(_ path: String, _ passphrase: [UInt8]?) throws(TLSFailure) -> NIOSSLPrivateKey {
        let bytes = try contents(path, as: .key)
        guard holds("PRIVATE KEY-----", bytes) else {
            throw .file(.key, path: path, .notPEM(isBinary: bytes.first == 0x30))
        }
        try checkPrivacy(path)
        let isEncrypted = holds("ENCRYPTED", bytes)
        if isEncrypted, passphrase == nil { throw .file(.key, path: path, .needsPassphrase) }
        do {
            return try NIOSSLPrivateKey(bytes: bytes, format: .pem) { (use: NIOSSLPassphraseSetter<[UInt8]>) in
                use(passphrase ?? [])
            }
        } catch {
            throw .file(.key, path: path, isEncrypted ? .wrongPassphrase : .notPEM(isBinary: false))
        }
    }

    static func isDirectory(_ path: String, as file: TLSFile) throws(TLSFailure) -> Bool {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw .file(file, path: path, .unreadable(errno: errno)) }
        return status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether a directory has files named as `openssl rehash` names them: `9d66eef0.0`.
    static func hasHashes(_ path: String) -> Bool {
        guard let directory = unsafe opendir(path) else { return false }
        defer { unsafe closedir(directory) }
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            let parts = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            if parts.count == 2, parts[0].count == 8,
                UInt32(String(decoding: parts[0], as: UTF8.self), radix: 16) != nil,
                Int(String(decoding: parts[1], as: UTF8.self)) != nil
            {
                return true
            }
        }
        return false
    }

    /// What is a secret of its owner must not lie open. A key that belongs to root may be shared with one group, which is
    /// how a service is given it.
    private static func checkPrivacy(_ path: String) throws(TLSFailure) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw .file(.key, path: path, .unreadable(errno: errno)) }
        let mode = UInt32(status.st_mode) & 0o777
        let isShared = status.st_uid == 0 && geteuid() != 0
        guard mode & (isShared ? 0o037 : 0o077) == 0 else { throw .file(.key, path: path, .exposed(mode: mode)) }
    }

    private static func contents(_ path: String, as file: TLSFile) throws(TLSFailure) -> [UInt8] {
        func failure() -> TLSFailure { .file(file, path: path, .unreadable(errno: errno)) }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure() }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw errno == EISDIR ? .file(file, path: path, .isDirectory) : failure()
            }
            guard count > 0 else { return bytes }
            bytes += piece[..<count]
            guard bytes.count <= limit else { throw .file(file, path: path, .unreadable(errno: EFBIG)) }
        }
    }

    /// Whether a text is anywhere in a file of lines.
    private static func holds(_ text: String, _ bytes: [UInt8]) -> Bool {
        bytes.split(separator: 10).contains { line in
            line.starts(with: Array("-----BEGIN".utf8)) || line.starts(with: Array("Proc-Type:".utf8))
                ? String(decoding: line, as: UTF8.self).contains(text) : false
        }
    }
}
