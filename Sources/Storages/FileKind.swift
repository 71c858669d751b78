#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What is at a path.
public enum FileKind: Hashable, Sendable {
    case file
    case directory
    case socket
    case other
    /// Nothing, or nothing one may see; the error number.
    case missing(errno: Int32)

    public init(ofPath path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            self = .missing(errno: errno)
            return
        }
        self =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            case S_IFSOCK: .socket
            default: .other
            }
    }

    public static func exists(_ path: String) -> Bool {
        if case .missing = FileKind(ofPath: path) { false } else { true }
    }
}
