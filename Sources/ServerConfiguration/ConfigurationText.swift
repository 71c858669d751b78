internal import Glibc
internal import Synchronization
internal import ZConfig

/// Reads what a configuration is read from: a regular file, or a pipe such as a shell's `<(…)`. What never ends, and what
/// nobody writes to, is an error after a moment.
enum ConfigurationText {
    /// No configuration is that long; in bytes.
    private static let limit = 16 << 20
    /// How long a pipe may be without anybody who writes to it, and how long a writer may say nothing.
    private static let (lonely, silent) = (Duration.seconds(1), Duration.seconds(60))

    /// How long what a named pipe gave is taken for what it would give: long enough for one command, which may read its
    /// configuration twice. Later somebody else may be meant to write to it, and has not begun.
    private static let memory = Duration.seconds(3)

    /// What pipes gave: they give it once, and who reads a configuration for the second time means the same.
    private static let known = Mutex<[Pipe: Known]>([:])

    private struct Pipe: Hashable {
        let device: UInt64
        let inode: UInt64
        /// Of a named one: its number may be given to another when it is removed.
        let path: String
    }

    private struct Known {
        var bytes: [UInt8]
        var time: ContinuousClock.Instant
    }

    /// - Parameter isInterrupted: asked while a pipe is waited for.
    static func read(_ path: String, isInterrupted: () -> Bool) throws(UnreadableFile) -> [UInt8] {
        // A pipe without a writer would keep the call until there is one.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw failure(errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            guard status.st_size <= limit else { throw tooLong }
            return try file(descriptor)
        case S_IFIFO:
            let isNamed = isNamed(status)
            let pipe = Pipe(
                device: UInt64(status.st_dev), inode: UInt64(status.st_ino), path: isNamed ? path : "")
            var before = known.withLock { $0[pipe] }
            if isNamed, let time = before?.time, time.duration(to: .now) > memory { before = nil }
            let bytes = try self.pipe(descriptor, before?.bytes, waits: isNamed, isInterrupted)
            // What was taken from memory gets no older there by that, and no younger.
            if bytes != before?.bytes { known.withLock { $0[pipe] = Known(bytes: bytes, time: .now) } }
            return bytes
        case S_IFDIR: throw failure(EISDIR)
        case S_IFCHR where isNull(status): return []
        default: throw UnreadableFile(why: "expected a file, found a device")
        }
    }

    private static func file(_ descriptor: Int32) throws(UnreadableFile) -> [UInt8] {
        var bytes: [UInt8] = []
        while try take(descriptor, &bytes) != .nothingLeft {}
        return bytes
    }

    /// Whether the pipe has a name in a file system, so that anybody may write to it anew; if not, it belongs to the shell that
    /// made it, and all of those are on one device.
    private static func isNamed(_ status: stat) -> Bool {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { return true }
        defer { for end in ends { close(end) } }
        var own = stat()
        return fstat(ends[0], &own) != 0 || own.st_dev != status.st_dev
    }

    /// - Parameters:
    ///   - before: what it gave the last time; used when it has nothing any more.
    ///   - waits: first gives somebody a moment to write to it all the same.
    private static func pipe(
        _ descriptor: Int32, _ before: [UInt8]?, waits: Bool, _ isInterrupted: () -> Bool
    ) throws(UnreadableFile) -> [UInt8] {
        var bytes: [UInt8] = []
        var since = ContinuousClock.now
        var isHungUp = false
        while true {
            switch try take(descriptor, &bytes) {
            case .bytes:
                since = .now
                continue
            case .nothingLeft:
                if !bytes.isEmpty { return bytes }
                if let before, !waits { return before }
                if isHungUp, before == nil { return [] }
                guard since.duration(to: .now) < lonely else {
                    if let before { return before }
                    throw UnreadableFile(why: "it is a pipe, and nobody writes to it")
                }
            case .nothingYet:
                guard since.duration(to: .now) < silent else {
                    let seconds = silent.components.seconds
                    throw UnreadableFile(why: "it is a pipe, and nothing came out of it for \(seconds) s")
                }
            }
            if isInterrupted() { throw UnreadableFile(why: "interrupted") }
            var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            isHungUp = poll(&event, 1, 100) > 0 && Int32(event.revents) & POLLHUP != 0
        }
    }

    private enum Taken { case bytes, nothingLeft, nothingYet }

    private static func take(_ descriptor: Int32, _ bytes: inout [UInt8]) throws(UnreadableFile) -> Taken {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(descriptor, &piece, piece.count)
        if count < 0 {
            guard errno == EAGAIN || errno == EINTR else { throw failure(errno) }
            return .nothingYet
        }
        bytes += piece[..<count]
        guard bytes.count <= limit else { throw tooLong }
        return count == 0 ? .nothingLeft : .bytes
    }

    /// `/dev/null`, which many name to say: none.
    private static func isNull(_ status: stat) -> Bool {
        var null = stat()
        return stat("/dev/null", &null) == 0 && null.st_rdev == status.st_rdev
    }

    private static var tooLong: UnreadableFile { UnreadableFile(why: "longer than \(limit) bytes") }

    private static func failure(_ number: Int32) -> UnreadableFile {
        UnreadableFile(why: String(cString: strerror(number)))
    }
}
