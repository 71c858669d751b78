#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Whether the one who runs this may use a file.
enum FileAccess {
    /// Whether there is nothing of this name.
    static func isMissing(_ path: String) -> Bool { access(path, F_OK) != 0 && errno == ENOENT }

    /// A path that the one who runs this may not use so, and why.
    struct Obstacle: CustomStringConvertible {
        let path: String
        let errno: Int32

        var description: String { "\(path): \(unsafe String(cString: strerror(errno)))" }
    }

    /// Why a file could not be written to, or made; nil: it could.
    static func obstacle(toWriting path: String) -> Obstacle? {
        if access(path, F_OK) == 0 {
            return access(path, W_OK) == 0 ? nil : Obstacle(path: path, errno: errno)
        }
        guard errno == ENOENT else { return Obstacle(path: path, errno: errno) }
        let parent = AbsolutePath.split(AbsolutePath.of(path)).folder
        let folder = parent.isEmpty ? "/" : parent
        return access(folder, W_OK | X_OK) == 0 ? nil : Obstacle(path: folder, errno: errno)
    }
}
