internal import ByteCoding
internal import ZODB

/// A line of a `.dat` file: which bytes of the Data.fs a chunk holds, and their checksum.
///
///     PATH START END MD5
///
/// The path is as whoever made the backup typed it: only its last part means anything. Positions and checksum are those of
/// the bytes before compression. Source: ZODB 6.4, `scripts/repozo.py`, `do_full_backup` and `scandat`.
struct DatLine: Hashable, Sendable {
    var path: String
    var start: Int, end: Int
    /// 32 hexadecimal digits.
    var md5: String

    var fileName: String { path.split(separator: "/").last.map(String.init) ?? path }
    var size: Int { end - start }
    var text: String { "\(path) \(start) \(end) \(md5)\n" }

    init(path: String, start: Int, end: Int, md5: String) {
        (self.path, self.start, self.end, self.md5) = (path, start, end, md5)
    }

    /// - Returns: nil when the line is something else, such as half a line.
    init?(_ line: Substring) {
        // From its end: a path may have spaces, though repozo itself then stumbles.
        let words = line.split { $0 == " " || $0 == "\t" || $0 == "\r" }
        guard words.count >= 4, let start = Int(words[words.count - 3]), let end = Int(words[words.count - 2]),
            0 <= start, start <= end, let md5 = words.last, md5.utf8.count == 32, md5.allSatisfy(\.isHexDigit)
        else { return nil }
        let path = line[..<words[words.count - 4].endIndex]
        self.init(
            path: String(path.drop { $0 == " " || $0 == "\t" }), start: start, end: end, md5: md5.lowercased())
    }

    /// The lines of a file, and whether all of them could be read.
    static func lines(of bytes: [UInt8]) -> (lines: [DatLine], isWhole: Bool) {
        let text = String(decoding: bytes, as: UTF8.self)
        let parts = text.split(separator: "\n")
        let lines = parts.compactMap { DatLine($0) }
        return (lines, lines.count == parts.count)
    }
}
