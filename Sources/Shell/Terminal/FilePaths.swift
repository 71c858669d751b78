internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Small files of this machine: the journal, the services, plans.
enum FilePaths {
    /// Makes the directories above a path, for their owner alone; what fails shows when the file is opened.
    static func makeDirectories(of path: String) {
        var index = path.startIndex
        while let slash = path[index...].dropFirst().firstIndex(of: "/") {
            _ = mkdir(String(path[..<slash]), 0o700)
            index = slash
        }
    }

    /// The path from the root, without symbolic links where there is something; a spelling to compare by.
    static func resolved(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// All bytes of a file.
    /// - Parameter limit: a larger file is refused, in bytes.
    static func read(_ path: String, limit: Int = 1 << 30) throws(StorageError) -> [UInt8] {
        let descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .io(path, errno: errno) }
        defer { if descriptor > 0 { close(descriptor) } }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw .io(path, errno: errno)
            }
            bytes += buffer[..<count]
            guard bytes.count <= limit else { throw .io(path, errno: EFBIG) }
        }
    }

    /// The same; nil when there is no such file.
    static func readIfPresent(_ path: String, limit: Int = 1 << 30) throws(StorageError) -> [UInt8]? {
        do throws(StorageError) {
            return try read(path, limit: limit)
        } catch .io(_, errno: ENOENT) {
            return nil
        } catch .io(_, errno: ENOTDIR) {
            return nil
        }
    }
}
