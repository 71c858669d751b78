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

    /// All bytes of a file, or of a pipe; Ctrl-C and SIGTERM end the waiting for one.
    /// - Parameter limit: a larger file is refused, in bytes.
    static func read(_ path: String, limit: Int = 1 << 30) throws(StorageError) -> [UInt8] {
        // A pipe without a writer would keep the call until there is one.
        let descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw .io(path, errno: errno) }
        defer { if descriptor > 0 { close(descriptor) } }
        return try read(descriptor, of: path, limit)
    }

    /// Opens a file, or a pipe, of which somebody waits for each piece; `-` is standard input.
    ///
    /// A pipe that nobody writes to as yet is waited for; Ctrl-C and SIGTERM end that.
    static func openToRead(_ path: String) throws(StorageError) -> Int32 {
        guard path != "-" else { return 0 }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw .io(path, errno: errno) }
        do throws(StorageError) {
            try awaitInput(descriptor)
        } catch {
            close(descriptor)
            throw error
        }
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        return descriptor
    }

    /// What a small text file of ours holds; nil when there is none.
    ///
    /// It is read at every start, by jobs as well: a pipe or a device there would be a trap.
    /// - Throws: `ShellFailure` for what is no regular file; `StorageError`.
    static func readIfPresent(_ path: String, limit: Int = 1 << 30) throws -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw StorageError.io(path, errno: errno)
        }
        defer { close(descriptor) }
        var (status, null) = (stat(), stat())
        guard fstat(descriptor, &status) == 0 else { throw StorageError.io(path, errno: errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            guard status.st_size <= limit else { throw StorageError.io(path, errno: EFBIG) }
            return try read(descriptor, of: path, limit)
        case S_IFCHR where stat("/dev/null", &null) == 0 && null.st_rdev == status.st_rdev: return []
        case let kind:
            let found = kind == S_IFDIR ? "a directory" : kind == S_IFIFO ? "a pipe" : "a device"
            throw ShellFailure(
                "io", .environment, at: path, "expected a file of text, found \(found)",
                advice: "remove it, or put a file in its place")
        }
    }

    private static func read(_ descriptor: Int32, of path: String, _ limit: Int) throws(StorageError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            try awaitInput(descriptor)
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                throw .io(path, errno: errno)
            }
            bytes += buffer[..<count]
            guard bytes.count <= limit else { throw .io(path, errno: EFBIG) }
        }
    }

    /// Waits until there is something to be read, or its end; of a file there always is.
    /// - Throws: `interrupted`, instead of waiting, after Ctrl-C, SIGTERM or SIGHUP.
    static func awaitInput(_ descriptor: Int32) throws(StorageError) {
        var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        var patience: Int32 = 0
        while poll(&event, 1, patience) <= 0 {
            if Signals.wasInterrupted { throw .interrupted }
            patience = 100
        }
    }
}
