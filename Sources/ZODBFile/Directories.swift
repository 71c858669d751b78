package import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What is done to names rather than to bytes.
package enum Directories {
    /// The directory that holds the file `path`.
    package static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Makes names that were created, renamed or removed in the directory survive a power cut.
    package static func sync(_ path: String) throws(StorageError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .io(path, errno: errno) }
        defer { close(descriptor) }
        // Some file systems have no such thing for directories, and need none.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw .io("\(path), flushing", errno: errno) }
    }

    package static func rename(_ path: String, to target: String) throws(StorageError) {
        guard Self.move(path, target) == 0 else { throw .io("\(path), renaming to \(target)", errno: errno) }
    }

    /// Gives a file a second name; false where that cannot be done: on another file system, for one.
    package static func link(_ path: String, as name: String) -> Bool { Self.makeLink(path, name) == 0 }

    /// Removes a file; that there is none is no error.
    package static func remove(_ path: String) { unlink(path) }

    /// Removes a file; whether there was one, and it is gone.
    static func removed(_ path: String) -> Bool { unlink(path) == 0 }

    /// Makes a directory and those above it that are missing.
    package static func make(_ path: String) throws(StorageError) {
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
    package static func protect(_ path: String) throws(StorageError) {
        guard chmod(path, 0o444) == 0 else { throw .io(path, errno: errno) }
    }

    /// Gives the file another name beside its own.
    static func link(_ path: String, to target: String) throws(StorageError) {
        guard makeLink(path, target) == 0 else { throw .io("\(path), linking to \(target)", errno: errno) }
    }

    /// Removes a directory when it is empty; whether it did.
    static func removeEmpty(_ path: String) -> Bool { rmdir(path) == 0 }

    /// The names in a directory, in any order, without those of itself and the one above; nil when there is no such
    /// directory.
    package static func names(in path: String) throws(StorageError) -> [String]? {
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

    /// The same of a directory that has to be there.
    package static func entries(of path: String) throws(StorageError) -> [String] {
        guard let names = try names(in: path) else { throw .io(path, errno: ENOENT) }
        return names
    }

    /// Removes a directory with all that is in it; that there is none is no error. Symbolic links are removed, not followed.
    package static func removeTree(_ path: String) throws(StorageError) {
        if unlink(path) == 0 || errno == ENOENT { return }
        for name in try names(in: path) ?? [] { try removeTree("\(path)/\(name)") }
        guard rmdir(path) == 0 || errno == ENOENT else { throw .io("\(path), removing", errno: errno) }
    }

    /// The path without symbolic links; as it is when there is nothing there.
    package static func resolved(_ path: String) -> String {
        guard let resolved = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    private static func makeLink(_ path: String, _ name: String) -> Int32 {
        #if canImport(Glibc)
            Glibc.link(path, name)
        #else
            Musl.link(path, name)
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
