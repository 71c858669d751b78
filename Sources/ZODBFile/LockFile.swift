package import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The lock that keeps two writers from one Data.fs: `flock` on `Data.fs.lock`, as Python's `zc.lockfile` takes it.
///
/// The system gives it back when the process ends, however it ends. The file stays, with the number of its last holder:
/// that it is there means nothing. It is never removed, not even where it is new: `zc.lockfile` opens it and then locks what it
/// has opened, without a look at the name. In between removed and released, it would be held without a name by one, and another
/// would make and hold a new one.
///
/// Whoever opened the file by another name has locked that: of a symbolic link both names are locked, the link's and that
/// of the file it leads to. (A server that opened the file by a link that we do not know of cannot be noticed so.)
///
/// What lies under the name and is no lock file is locked and not overwritten: whoever can make names in the directory may have
/// made it a link.
package final class LockFile: Sendable {
    private let descriptors: [Int32]

    /// - Parameters:
    ///   - followsLinks: whether the lock file itself may be a symbolic link. Python's are where somebody made them so.
    ///   - permissions: of a lock file that is made, with the process's mask.
    /// - Throws: `locked` when somebody has it, this process included; `io`.
    package init(
        forDataFile path: String, followingLinks followsLinks: Bool = true, permissions: UInt32 = 0o666
    ) throws(StorageError) {
        let flags = O_RDWR | O_CLOEXEC | (followsLinks ? 0 : O_NOFOLLOW)
        var descriptors = [try Self.lock(path + ".lock", flags, permissions)]
        if let target = Self.target(of: path),
            FileIdentity(path: path + ".lock") != FileIdentity(path: target + ".lock")
        {
            do throws(StorageError) {
                descriptors.append(try Self.lock(target + ".lock", flags, permissions))
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

    private static func lock(_ name: String, _ flags: Int32, _ permissions: UInt32) throws(StorageError) -> Int32 {
        while true {
            let descriptor = try opened(name, flags, permissions)
            do throws(StorageError) {
                try lock(descriptor, name)
            } catch {
                _ = closeDescriptor(descriptor)
                throw error
            }
            // Somebody may have removed it meanwhile, a person or a script: then others lock another file.
            var (ours, named) = (stat(), stat())
            if unsafe fstat(descriptor, &ours) == 0, unsafe stat(name, &named) == 0,
                FileIdentity(ours) == FileIdentity(named)
            {
                note(descriptor)
                return descriptor
            }
            _ = closeDescriptor(descriptor)
        }
    }

    /// Not truncated before it is ours: it says who has it.
    private static func opened(_ name: String, _ flags: Int32, _ permissions: UInt32) throws(StorageError) -> Int32 {
        while true {
            var descriptor = open(name, flags)
            if descriptor >= 0 { return descriptor }
            guard errno != ELOOP else {
                throw .unsupported(
                    "\(name) is a symbolic link, which no lock file is here: remove it, or name another file")
            }
            guard errno == ENOENT else { throw .io(name, errno: errno) }
            descriptor = open(name, flags | O_CREAT | O_EXCL, permissions)
            if descriptor >= 0 { return descriptor }
            guard errno == EEXIST else { throw .io(name, errno: errno) }
            guard flags & O_NOFOLLOW == 0, FileIdentity(path: name) == nil else { continue }
            // A link that leads nowhere yet.
            descriptor = open(name, flags | O_CREAT, permissions)
            guard descriptor >= 0 else { throw .io(name, errno: errno) }
            return descriptor
        }
    }

    private static func lock(_ descriptor: Int32, _ name: String) throws(StorageError) {
        var result: Int32
        repeat { result = flock(descriptor, LOCK_EX | LOCK_NB) } while result != 0 && errno == EINTR
        guard result != 0 else { return }
        guard errno == EWOULDBLOCK else { throw .io(name, errno: errno) }
        throw .locked(holder(descriptor).map { "\(name) (process \($0))" } ?? name)
    }

    /// A space, then the number: `zc.lockfile` leaves room for a lock on the first byte. Nobody depends on it.
    private static func note(_ descriptor: Int32) {
        guard isLockFile(descriptor) else { return }
        let text = Array(" \(getpid())\n".utf8)
        _ = ftruncate(descriptor, 0)
        _ = unsafe text.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }

    /// Whether there is nothing in it, or the number of a process, with the name of its machine behind it.
    private static func isLockFile(_ descriptor: Int32) -> Bool {
        let bytes = beginning(descriptor, 300)
        guard bytes.count < 300 else { return false }
        let text = bytes.drop { $0 <= 0x20 }
        let rest = text.drop { (0x30...0x39).contains($0) }
        return text.isEmpty || rest.count < text.count && (rest.allSatisfy { $0 <= 0x20 } || rest.first == 0x3b)
    }

    deinit { for descriptor in descriptors { _ = Self.closeDescriptor(descriptor) } }

    package func release() { for descriptor in descriptors { _ = flock(descriptor, LOCK_UN) } }

    private static func closeDescriptor(_ descriptor: Int32) -> Int32 { close(descriptor) }

    private static func holder(_ descriptor: Int32) -> Int? {
        Int(String(decoding: beginning(descriptor, 32).filter { $0 > 0x20 }, as: UTF8.self))
    }

    private static func beginning(_ descriptor: Int32, _ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, 0) }
        return Array(bytes.prefix(max(count, 0)))
    }
}
