#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The end of a log file, and what is added to it, also after it was begun anew.
struct LogTail {
    private let path: String

    init(_ path: String) { self.path = path }

    /// Writes it to standard output.
    /// - Returns: false when the file cannot be read; `errno` tells why.
    func show(lines: Int, follows: Bool) -> Bool {
        var descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        lseek(descriptor, off_t(Self.start(ofLast: lines, descriptor)), SEEK_SET)
        while true {
            guard Self.copy(descriptor) else { break }
            guard follows else { break }
            usleep(250_000)
            if isReplaced(descriptor) {
                let new = open(path, O_RDONLY | O_CLOEXEC)
                guard new >= 0 else { continue }
                Self.copy(descriptor)
                close(descriptor)
                descriptor = new
            }
        }
        close(descriptor)
        return true
    }

    /// - Returns: whether all of it could be written.
    @discardableResult
    private static func copy(_ descriptor: Int32) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe read(descriptor, &bytes, bytes.count)
            guard count > 0 else { return true }
            guard FileWriting.write(Array(bytes[..<count]), to: STDOUT_FILENO) else { return false }
        }
    }

    /// Where the last lines begin, within the last megabyte.
    private static func start(ofLast lines: Int, _ descriptor: Int32) -> Int {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return 0 }
        let size = Int(status.st_size)
        let base = max(0, size - (1 << 20))
        var bytes = [UInt8](repeating: 0, count: size - base)
        let count = unsafe pread(descriptor, &bytes, bytes.count, off_t(base))
        guard count > 0 else { return size }
        var left = lines
        // The last byte ends the last line.
        for index in stride(from: count - 2, through: 0, by: -1) where bytes[index] == UInt8(ascii: "\n") {
            left -= 1
            if left == 0 { return base + index + 1 }
        }
        return lines == 0 ? size : base
    }

    /// Whether the path leads to another file, or this one has become shorter than what was read.
    private func isReplaced(_ descriptor: Int32) -> Bool {
        var (here, there) = (stat(), stat())
        guard unsafe fstat(descriptor, &here) == 0, unsafe stat(path, &there) == 0 else { return false }
        if here.st_ino != there.st_ino || here.st_dev != there.st_dev { return true }
        return off_t(here.st_size) < lseek(descriptor, 0, SEEK_CUR)
    }
}
