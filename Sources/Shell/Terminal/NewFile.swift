internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A file that is written beside its place and put there when it is whole; given up, nothing is left of it.
final class NewFile {
    private(set) var size = 0
    private let target: String
    private let temporary: String
    private var descriptor: Int32
    private var isFinished = false

    static func exists(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0
    }

    /// A symbolic link is followed: what it leads to is replaced, not the link.
    /// - Throws: `ShellFailure` when nothing can be written there, and when it is no file: a device, a directory.
    init(beside name: String) throws {
        var status = stat()
        if stat(name, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw ShellFailure(
                "not-a-file", .environment, at: name, "it is no file, and would be replaced by one",
                advice: "give the name of a file")
        }
        var target = name
        if let resolved = realpath(name, nil) {
            target = String(cString: resolved)
            free(resolved)
        }
        self.target = target
        temporary = "\(target).zeoshell-\(getpid())"
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            isFinished = true
            throw ShellFailure(.io(target, errno: errno))
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        if !isFinished { unlink(temporary) }
    }

    func write(_ bytes: [UInt8]) throws {
        do {
            try Output.write(bytes, to: descriptor)
        } catch {
            throw error is Output.Closed ? ShellFailure(.io(target, errno: EPIPE)) : error
        }
        size += bytes.count
    }

    /// The same for those who may throw nothing else.
    func append(_ bytes: [UInt8]) throws(StorageError) {
        do {
            try write(bytes)
        } catch {
            throw .io(target, errno: errno == 0 ? EIO : errno)
        }
    }

    /// Puts the file in its place.
    /// - Throws: `ShellFailure`; also when there is a file meanwhile that may not be replaced.
    func finish(replacing: Bool) throws {
        guard fsync(descriptor) == 0 else { throw ShellFailure(.io(target, errno: errno)) }
        // Unlike a rename, a link fails where something is already; some file systems have no links.
        if !replacing, link(temporary, target) == 0 { return }
        if !replacing, errno == EEXIST || Self.exists(target) { throw ShellFailure(.io(target, errno: EEXIST)) }
        guard rename(temporary, target) == 0 else { throw ShellFailure(.io(target, errno: errno)) }
        isFinished = true
    }
}
