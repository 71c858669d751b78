#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What a backup's files are called, apart from their endings: the second, in UTC, in which it was made.
///
///     2026-11-27-21-09-12
///
/// The order of names is the order of backups. Source: ZODB 6.4, `scripts/repozo.py`, `gen_filename` and `find_files`.
public struct BackupName: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let text: String

    private static let digits = [4, 2, 2, 2, 2, 2]

    /// - Returns: nil when the text has another form: five dashes between groups of digits, the first of four.
    public init?(_ text: some StringProtocol) {
        let groups = text.split(separator: "-", omittingEmptySubsequences: false)
        guard groups.count == Self.digits.count,
            zip(groups, Self.digits).allSatisfy({ group, count in
                group.utf8.count == count && group.utf8.allSatisfy { (0x30...0x39).contains($0) }
            })
        else { return nil }
        self.text = String(text)
    }

    /// - Parameter time: seconds since 1970.
    public init(time: Int) {
        var seconds = time_t(time)
        var civil = tm()
        unsafe gmtime_r(&seconds, &civil)
        let numbers = [
            Int(civil.tm_year) + 1900, Int(civil.tm_mon) + 1, Int(civil.tm_mday), Int(civil.tm_hour),
            Int(civil.tm_min), Int(civil.tm_sec),
        ]
        text = zip(numbers, Self.digits).map { number, count in
            let digits = String(number)
            return String(repeating: "0", count: max(0, count - digits.count)) + digits
        }.joined(separator: "-")
    }

    /// When it was, in seconds since 1970; of a date that does not exist, some time near it.
    public var time: Int {
        let numbers = text.split(separator: "-").compactMap { Int32($0) }
        guard numbers.count == 6 else { return 0 }
        var civil = tm()
        civil.tm_year = numbers[0] - 1900
        civil.tm_mon = numbers[1] - 1
        civil.tm_mday = numbers[2]
        civil.tm_hour = numbers[3]
        civil.tm_min = numbers[4]
        civil.tm_sec = numbers[5]
        return unsafe Int(timegm(&civil))
    }

    public var description: String { text }

    public static func < (left: BackupName, right: BackupName) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

/// A file of a repository that holds bytes of a Data.fs.
///
///     NAME.fs · NAME.fsz · NAME.deltafs · NAME.deltafsz
///
/// the whole of it, or what was appended since the file before; with `z` compressed as gzip does.
public struct ChunkFile: Hashable, Sendable {
    public let name: BackupName
    public let isFull: Bool
    public let isCompressed: Bool

    public init(_ name: BackupName, isFull: Bool, isCompressed: Bool) {
        (self.name, self.isFull, self.isCompressed) = (name, isFull, isCompressed)
    }

    /// - Returns: nil for a file of another kind.
    public init?(fileName: String) {
        let parts = fileName.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let name = BackupName(parts[0]) else { return nil }
        switch parts[1] {
        case "fs": self.init(name, isFull: true, isCompressed: false)
        case "fsz": self.init(name, isFull: true, isCompressed: true)
        case "deltafs": self.init(name, isFull: false, isCompressed: false)
        case "deltafsz": self.init(name, isFull: false, isCompressed: true)
        default: return nil
        }
    }

    public var fileName: String { "\(name).\(isFull ? "" : "delta")fs\(isCompressed ? "z" : "")" }
}
