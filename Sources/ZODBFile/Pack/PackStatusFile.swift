internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A file beside the data file that tells, while it is packed, how far that is: a line of text for another process.
///
///     phase done total fraction seconds
///
/// It is locked (`flock`) by the process that packs: without the lock it is left over, and means nothing.
final class PackStatusFile: Sendable {
    private let file: DataFile

    static func path(forDataFile path: String) -> String { path + ".pack-status" }

    /// - Returns: nil when the file cannot be made; a pack does without.
    init?(forDataFile path: String) {
        guard let file = try? DataFile(Self.path(forDataFile: path), .replacing(permissions: 0o644)),
            (try? file.lock()) != nil
        else { return nil }
        self.file = file
    }

    func write(_ progress: PackProgress) {
        var text = "\(progress.phase) \(progress.done) \(progress.total) \(progress.fraction) \(progress.elapsed)\n"
        // Always as long, so that nothing of a longer line is left.
        text += String(repeating: "\n", count: max(0, 120 - text.utf8.count))
        try? file.write(Array(text.utf8), at: 0)
    }

    func remove() { Directories.remove(file.path) }

    /// What the process that packs has written last; nil when none does.
    static func read(forDataFile path: String) -> PackProgress? {
        guard let file = try? DataFile(Self.path(forDataFile: path)), flock(file.descriptor, LOCK_SH | LOCK_NB) != 0,
            let bytes = try? file.bytes(at: 0, count: 256)
        else { return nil }
        let line = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        let words = line.split(separator: " ")
        guard words.count == 5, let phase = PackProgress.Phase.allCases.first(where: { "\($0)" == words[0] }),
            let done = Int(words[1]), let total = Int(words[2]), let fraction = Double(words[3]),
            let elapsed = Double(words[4]),
            // Whoever may write beside the data file may have written anything.
            done >= 0, total >= 0, (0...1).contains(fraction), (0..<1e9).contains(elapsed)
        else { return nil }
        return PackProgress(phase: phase, done: done, total: total, fraction: fraction, elapsed: elapsed)
    }
}
