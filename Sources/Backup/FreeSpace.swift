#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// How much a file system still takes.
enum FreeSpace {
    /// Bytes that a user may still write where `path` is; nil when the system does not tell.
    static func bytes(at path: String) -> Int? {
        var status = statvfs()
        guard unsafe statvfs(path, &status) == 0 else { return nil }
        let (bytes, overflow) = Int(clamping: status.f_bavail).multipliedReportingOverflow(
            by: Int(clamping: status.f_frsize))
        return overflow ? .max : bytes
    }
}

enum ProcessNumber {
    static var own: Int { Int(getpid()) }
}
