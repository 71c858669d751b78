internal import ByteCoding
package import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The lock on the file itself: `flock`, which belongs to the open file and not to a name.
///
/// Beside the lock file, which Python has too, since that is a name somebody may remove. It holds whatever name the file
/// was opened by, hard links included. Nobody who only reads takes it, nor does Python; so it keeps our own writers apart,
/// and disturbs nobody.
extension DataFile {
    /// - Throws: `locked` when somebody has the lock, with his process where the system tells it; `io`.
    package func lock() throws(StorageError) {
        var result: Int32
        repeat { result = flock(descriptor, LOCK_EX | LOCK_NB) } while result != 0 && errno == EINTR
        guard result != 0 else { return }
        switch errno {
        case EWOULDBLOCK: throw .locked(Self.lockHolder(of: identity).map { "\(path) (process \($0))" } ?? path)
        // A file system without locks: the lock file has to do.
        case ENOLCK, ENOSYS, EINVAL, EOPNOTSUPP: return
        case let number: throw .io("\(path), locking", errno: number)
        }
    }

    /// - Throws: `locked` when somebody has the lock, `io`.
    package func requireUnlocked() throws(StorageError) {
        try lock()
        unlock()
    }

    /// - Throws: `locked` when somebody has the lock beside a Data.fs of this name. None is made where there is none.
    package static func requireLockFree(forDataFile path: String) throws(StorageError) {
        guard FileIdentity(path: path + ".lock") != nil else { return }
        try LockFile(forDataFile: path).release()
    }

    func unlock() { _ = flock(descriptor, LOCK_UN) }

    private func lockHolder() -> Int? { Self.lockHolder(of: identity) }

    /// Whether somebody has the file open for writing, in our way or in Python's, as far as the system tells it. No lock is
    /// taken to find out.
    package var isLocked: Bool {
        let lockFile = FileIdentity(path: path + ".lock")
        return [identity, lockFile].contains { $0.flatMap { Self.lockHolder(of: $0) } != nil }
    }

    /// The process that has the lock beside a file of this name; nil where none has, or it is not known.
    package static func lockHolder(beside path: String) -> Int? {
        FileIdentity(path: path + ".lock").flatMap { lockHolder(of: $0) }
    }

    /// The process that has a file's lock; nil where it is not known: in another container, or on a file system whose
    /// device has other numbers there.
    ///
    /// A line of `/proc/locks`: `1: FLOCK  ADVISORY  WRITE 4711 fd:00:1234 0 EOF`, the device in hexadecimal digits.
    static func lockHolder(of identity: FileIdentity) -> Int? {
        guard let list = try? DataFile("/proc/locks"), let bytes = try? list.bytes(at: 0, count: 1 << 20) else {
            return nil
        }
        let device = identity.device
        let major = device >> 8 & 0xfff | device >> 32 & 0xffff_f000
        let minor = device & 0xff | device >> 12 & 0xffff_ff00
        let file = [major, minor].map { Hexadecimal.text($0, width: 2) } + [String(identity.inode)]
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
            guard words.count >= 6, words[1] == "FLOCK", words[5] == file.joined(separator: ":"),
                let process = Int(words[4]), process > 0
            else { continue }
            return process
        }
        return nil
    }
}
