internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What is done to names rather than to bytes.
enum Directories {
    /// The directory that holds the file `path`.
    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Makes names that were created, renamed or removed in the directory survive a power cut.
    static func sync(_ path: String) throws(StorageError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .io(path, errno: errno) }
        defer { close(descriptor) }
        // Some file systems have no such thing for directories, and need none.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw .io("\(path), flushing", errno: errno) }
    }

    static func rename(_ path: String, to target: String) throws(StorageError) {
        guard Self.move(path, target) == 0 else { throw .io("\(path), renaming to \(target)", errno: errno) }
    }

    /// Removes a file; that there is none is no error.
    static func remove(_ path: String) { unlink(path) }

    /// Makes a directory and those above it that are missing.
    static func make(_ path: String) throws(StorageError) {
        if mkdir(path, 0o777) == 0 { return try sync(parent(of: path)) }
        switch errno {
        case EEXIST: return
        case ENOENT where parent(of: path) != path:
            try make(parent(of: path))
            guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw .io(path, errno: errno) }
            try sync(parent(of: path))
        default: throw .io(path, errno: errno)
        }
    }

    /// Takes the right to write from everybody.
    static func protect(_ path: String) throws(StorageError) {
        guard chmod(path, 0o444) == 0 else { throw .io(path, errno: errno) }
    }

    /// Gives the file another name beside its own.
    static func link(_ path: String, to target: String) throws(StorageError) {
        guard hardLink(path, target) == 0 else { throw .io("\(path), linking to \(target)", errno: errno) }
    }

    /// Removes a directory when it is empty; whether it did.
    static func removeEmpty(_ path: String) -> Bool { rmdir(path) == 0 }

    /// The names in a directory, `.` and `..` apart; nil when there is no such directory.
    static func names(in path: String) throws(StorageError) -> [String]? {
        guard let directory = unsafe opendir(path) else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .io(path, errno: errno)
        }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe String(cString: UnsafeRawPointer(pointer).assumingMemoryBound(to: CChar.self))
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Removes a directory with all that is in it. Symbolic links are removed, not followed.
    static func removeTree(_ path: String) throws(StorageError) {
        if unlink(path) == 0 || errno == ENOENT { return }
        for name in try names(in: path) ?? [] { try removeTree("\(path)/\(name)") }
        guard rmdir(path) == 0 || errno == ENOENT else { throw .io("\(path), removing", errno: errno) }
    }

    /// The path without symbolic links; as it is when there is nothing there.
    static func resolved(_ path: String) -> String {
        guard let resolved = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    private static func hardLink(_ path: String, _ target: String) -> Int32 {
        #if canImport(Glibc)
            Glibc.link(path, target)
        #else
            Musl.link(path, target)
        #endif
    }

    private static func move(_ path: String, _ target: String) -> Int32 {
        #if canImport(Glibc)
            Glibc.rename(path, target)
        #else
            Musl.rename(path, target)
        #endif
    }
}
