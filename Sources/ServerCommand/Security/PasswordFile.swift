internal import Logging
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The users of a file, as it is now: it is read again when it has changed.
final class PasswordFile: Sendable {
    /// What tells a file that was replaced or written to from the one that was read.
    private struct Stamp: Hashable, Sendable {
        var inode: UInt64 = 0
        var size: Int64 = 0
        var seconds = 0
        var nanoseconds = 0

        init?(_ path: String) {
            var status = stat()
            guard unsafe stat(path, &status) == 0 else { return nil }
            inode = UInt64(status.st_ino)
            size = Int64(status.st_size)
            (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
        }
    }

    private let path: String
    private let logger: Logger
    private let state: Mutex<(stamp: Stamp?, database: PasswordDatabase)>

    /// - Throws: `FileFailure`, and `PasswordDatabaseError`.
    init(_ path: String, logger: Logger) throws {
        self.path = path
        self.logger = logger
        let stamp = Stamp(path)
        state = Mutex((stamp, try PasswordDatabase(contentsOf: path)))
    }

    var realm: String? { state.withLock { $0.database.realm } }

    /// What the file holds of a user. While it cannot be read, what it held before is good.
    func hash(of user: String) -> String? {
        state.withLock { state in
            let stamp = Stamp(path)
            if stamp != state.stamp {
                state.stamp = stamp
                do {
                    state.database = try PasswordDatabase(contentsOf: path)
                    logger.info("\(path) was read again: \(state.database.users.count) users")
                } catch {
                    logger.error("\(path) cannot be read again (\(error)); the users are those from before")
                }
            }
            return state.database.hashes[user]
        }
    }
}
