internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A file that holds the number of this process while it serves.
struct PIDFile {
    private let path: String

    /// - Throws: `io`.
    init(_ path: String) throws(StorageError) {
        self.path = path
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .io("pid file \(path)", errno: errno) }
        defer { close(descriptor) }
        guard FileWriting.write(Array("\(getpid())\n".utf8), to: descriptor) else {
            throw .io("pid file \(path)", errno: errno)
        }
    }

    /// Unless another process has put itself there since.
    func remove() {
        if Self.process(in: path) == getpid() { unlink(path) }
    }

    /// What keeps the file, which may be there, from being read; nil: nothing, or it is not there.
    static func obstacle(toReading path: String) -> FileAccess.Obstacle? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor < 0 else {
            close(descriptor)
            return nil
        }
        return errno == ENOENT || errno == ENOTDIR ? nil : FileAccess.Obstacle(path: path, errno: errno)
    }

    /// The number in such a file; nil when there is no file, or something else in it.
    static func process(in path: String) -> pid_t? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        let text = String(decoding: bytes[..<count], as: UTF8.self)
        return text.split(whereSeparator: \.isWhitespace).first.flatMap { pid_t($0) }.flatMap { $0 > 0 ? $0 : nil }
    }
}
