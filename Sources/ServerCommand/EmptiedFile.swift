internal import Logging
internal import ZODB
internal import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// `create true`: the file begins empty each time the server starts, as Python's FileStorage does it.
enum EmptiedFile {
    /// Removes the file and its index; nothing happens when there is no file.
    /// - Throws: `locked` when somebody else writes to it: it must not be taken from under them. `corrupt` when it is no
    ///   Data.fs: a file that was named by mistake stays.
    static func empty(_ path: String, _ options: FileStorage.Options, _ logger: Logger) throws(StorageError) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return }
        let storage = try FileStorage(path, options: options)
        storage.close()
        logger.warning("\(path) is emptied, \(status.st_size) bytes: its configuration says 'create true'")
        for name in [path, path + ".index"] where unlink(name) != 0 && errno != ENOENT {
            throw .io(name, errno: errno)
        }
    }
}
