internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The lock that keeps two backups from one repository: `flock` on the directory itself, so that no file is left behind.
///
/// repozo takes no lock. Its one temporary file has another name than ours.
final class RepositoryLock: Sendable {
    private let descriptor: Int32

    /// - Throws: `locked` when another backup runs there; `io`.
    init(_ directory: String) throws(StorageError) {
        descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .io(directory, errno: errno) }
        var result: Int32
        repeat { result = flock(descriptor, LOCK_EX | LOCK_NB) } while result != 0 && errno == EINTR
        guard result != 0 else { return }
        let number = errno
        // A file system without locks: nothing can be done.
        guard number == EWOULDBLOCK else { return }
        throw .locked("\(directory), by another backup")
    }

    deinit { Self.closeDescriptor(descriptor) }

    private static func closeDescriptor(_ descriptor: Int32) { if descriptor >= 0 { _ = close(descriptor) } }
}
