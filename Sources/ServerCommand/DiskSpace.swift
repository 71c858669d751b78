#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Whether a disk has room for commits.
struct DiskSpace: Sendable {
    /// Bytes below which a server is not ready: a few large commits, or the index, must fit.
    static let least: UInt64 = 64 << 20

    let directory: String

    init(of directory: String) { self.directory = directory }

    /// What is wrong; nil: nothing.
    @Sendable
    func check() -> String? {
        var status = statvfs()
        guard unsafe statvfs(directory, &status) == 0 else {
            return "\(directory): \(String(cString: strerror(errno)))"
        }
        let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        return free < Self.least ? "\(directory): only \(free >> 20) MB are free on its disk" : nil
    }
}
