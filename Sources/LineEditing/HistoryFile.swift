#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The remembered lines, one per line of a file that only its owner may read (mode 0600).
///
/// Each line is appended as it is entered, so that two shells do not overwrite each other's. A history that cannot be
/// read or written is no reason to disturb anyone: it then lasts as long as the program.
public struct HistoryFile: Sendable {
    public let path: String
    /// More lines than twice this many, and the file is cut to the newest.
    public let limit: Int

    public init(path: String, limit: Int = 5000) {
        self.path = path
        self.limit = limit
    }

    /// Whether a line belongs into a history: not empty, not hidden by a leading space, not the previous one again.
    public static func remembers(_ line: String, after previous: String?) -> Bool {
        guard let first = line.utf8.first, first != UInt8(ascii: " ") else { return false }
        return line != previous && !line.utf8.contains(10) && !line.utf8.contains(0)
    }

    /// The remembered lines, oldest first.
    public func load() -> [String] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        let lines = bytes.split(separator: 10).map { String(decoding: $0, as: UTF8.self) }
        guard lines.count > limit * 2 else { return lines }
        let kept = Array(lines.suffix(limit))
        rewrite(kept)
        return kept
    }

    /// Adds a line; creates the file, and its directory, for their owner alone.
    public func append(_ line: String) {
        createDirectory()
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // A file that was there already may be readable by others.
        _ = fchmod(descriptor, 0o600)
        Self.write(Array((line + "\n").utf8), to: descriptor)
    }

    private func rewrite(_ lines: [String]) {
        let temporary = path + ".\(getpid())"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        Self.write(Array((lines.joined(separator: "\n") + "\n").utf8), to: descriptor)
        close(descriptor)
        if rename(temporary, path) != 0 { unlink(temporary) }
    }

    private func createDirectory() {
        var index = path.startIndex
        while let slash = path[index...].dropFirst().firstIndex(of: "/") {
            _ = mkdir(String(path[..<slash]), 0o700)
            index = slash
        }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
