package import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The lock that keeps two writers from one Data.fs: `flock` on `Data.fs.lock`, as Python's `zc.lockfile` takes it.
///
/// The system gives it back when the process ends, however it ends. The file stays, with the number of its last holder:
/// that it is there means nothing.
///
/// Whoever opened the file by another name has locked that: of a symbolic link both names are locked, the link's and that
/// of the file it leads to. (A server that opened the file by a link that we do not know of cannot be noticed so.)
package final class LockFile: Sendable {
    private let descriptors: [Int32]

    /// - Throws: `locked` when somebody has it, this process included; `io`.
    package init(forDataFile path: String) throws(StorageError) {
        var descriptors = [try Self.lock(path + ".lock")]
        if let target = Self.target(of: path),
            FileIdentity(path: path + ".lock") != FileIdentity(path: target + ".lock")
        {
            do throws(StorageError) {
                descriptors.append(try Self.lock(target + ".lock"))
            } catch {
                for descriptor in descriptors { _ = Self.closeDescriptor(descriptor) }
                throw error
            }
        }
        self.descriptors = descriptors
    }

    /// The path without symbolic links; nil when there is nothing.
    private static func target(of path: String) -> String? {
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    private static func lock(_ name: String) throws(StorageError) -> Int32 {
        // Not truncated before it is ours: it says who has it.
        let descriptor = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .io(name, errno: errno) }
        var result: Int32
        repeat { result = flock(descriptor, LOCK_EX | LOCK_NB) } while result != 0 && errno == EINTR
        guard result == 0 else {
            let number = errno
            let holder = Self.holder(descriptor)
            _ = Self.closeDescriptor(descriptor)
            guard number == EWOULDBLOCK else { throw .io(name, errno: number) }
            throw .locked(holder.map { "\(name) (process \($0))" } ?? name)
        }
        // A space, then the number: `zc.lockfile` leaves room for a lock on the first byte. Nobody depends on it.
        let text = Array(" \(getpid())\n".utf8)
        _ = ftruncate(descriptor, 0)
        _ = unsafe text.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        return descriptor
    }

    deinit { for descriptor in descriptors { _ = Self.closeDescriptor(descriptor) } }

    package func release() { for descriptor in descriptors { _ = flock(descriptor, LOCK_UN) } }

    private static func closeDescriptor(_ descriptor: Int32) -> Int32 { close(descriptor) }

    private static func holder(_ descriptor: Int32) -> Int? {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, 0) }
        guard count > 0 else { return nil }
        return Int(String(decoding: bytes[..<count].filter { $0 > 0x20 }, as: UTF8.self))
    }
}
