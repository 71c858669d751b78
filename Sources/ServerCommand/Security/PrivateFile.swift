#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Files with secrets: for their owner alone, and replaced in one step.
enum PrivateFile {
    /// No file with passwords or certificates is that long; a device given by mistake may be.
    private static let limit = 16 << 20

    /// - Throws: `FileFailure`.
    static func contents(_ path: String) throws(FileFailure) -> [UInt8] {
        // A pipe without a writer would keep the call until there is one.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw FileFailure(path) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw FileFailure(path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw FileFailure(path, "expected a regular file, found a directory, a pipe or a device")
        }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileFailure(path) }
            guard count > 0 else { return bytes }
            bytes += piece[..<count]
            guard bytes.count <= limit else { throw FileFailure(path, "it is longer than \(limit) bytes") }
        }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Makes a file that is not there.
    static func create(_ path: String, _ bytes: [UInt8] = []) throws(FileFailure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileFailure(path) }
        defer { close(descriptor) }
        guard write(bytes, to: descriptor), fsync(descriptor) == 0 else {
            let failure = FileFailure(path)
            unlink(path)
            throw failure
        }
    }

    /// Replaces a file, or makes it; what a link leads to, when it is one.
    static func replace(_ path: String, _ bytes: [UInt8]) throws(FileFailure) {
        let target = resolved(path)
        let temporary = "\(target).\(getpid()).new"
        try create(temporary, bytes)
        guard rename(temporary, target) == 0 else {
            let failure = FileFailure(target)
            unlink(temporary)
            throw failure
        }
    }

    static func remove(_ path: String) { unlink(path) }

    /// Makes a directory for its owner alone, and those that lead to it.
    static func makeDirectory(_ path: String) throws(FileFailure) {
        if mkdir(path, 0o700) == 0 { return }
        if errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try makeDirectory(String(path[..<slash]))
            if mkdir(path, 0o700) == 0 { return }
        }
        guard errno == EEXIST else { throw FileFailure(path) }
    }

    private static func resolved(_ path: String) -> String {
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        unsafe bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count {
                #if canImport(Glibc)
                    let count = unsafe Glibc.write(descriptor, buffer.baseAddress! + offset, buffer.count - offset)
                #else
                    let count = unsafe Musl.write(descriptor, buffer.baseAddress! + offset, buffer.count - offset)
                #endif
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                offset += count
            }
            return true
        }
    }
}

/// A file that cannot be read or written.
struct FileFailure: Error, Hashable, CustomStringConvertible {
    let path: String
    let problem: String

    init(_ path: String, _ problem: String) {
        self.path = path
        self.problem = problem
    }

    /// What the system said last.
    init(_ path: String) { self.init(path, unsafe String(cString: strerror(errno))) }

    var description: String { "\(path): \(problem)" }
}
