internal import ServerConfiguration

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// When a log file is renamed, and to what.
///
/// Source: Python 3.11, `logging/handlers.py`, `RotatingFileHandler` and `TimedRotatingFileHandler`.
struct LogRotation: Sendable {
    private let rule: LogFileSettings.Rotation
    /// Of the rules by time: when it is due, in seconds since 1970.
    private(set) var due: Int = .max

    init(_ rule: LogFileSettings.Rotation) { self.rule = rule }

    private static let day = 86_400

    /// The file is about to be used: a time begins to run from its last change.
    mutating func begin(_ path: String) {
        guard case .time(let when, let interval, _) = rule else { return }
        var status = stat()
        let time = unsafe stat(path, &status) == 0 ? Int(status.st_mtim.tv_sec) : Int(LocalTime.now())
        due = Self.next(after: time, when, interval)
    }

    /// Whether the file is to be renamed before `count` bytes are added.
    mutating func isDue(_ path: String, adding count: Int, at time: Double) -> Bool {
        switch rule {
        case .none: return false
        case .size(let limit, _):
            guard let size = Self.size(of: path) else { return false }
            return size + count >= limit
        case .time(let when, let interval, _):
            guard Int(time) >= due else { return false }
            if Self.size(of: path) != nil { return true }
            due = Self.next(after: Int(time), when, interval)
            return false
        }
    }

    /// Renames it; what is older than is to be kept goes.
    mutating func rotate(_ path: String, at time: Double) {
        switch rule {
        case .none: break
        case .size(_, let oldFiles):
            for number in stride(from: oldFiles - 1, to: 0, by: -1) {
                rename("\(path).\(number)", "\(path).\(number + 1)")
            }
            rename(path, "\(path).1")
        case .time(let when, let interval, let oldFiles):
            let start = Self.corrected(due - when.seconds * interval, asAt: Int(time))
            rename(path, path + "." + LocalTime.text(Double(start), format: when.suffix))
            Self.removeOldest(path, keeping: oldFiles, when)
            var next = Self.next(after: Int(time), when, interval)
            while next <= Int(time) { next += when.seconds * interval }
            due = next
        }
    }

    /// Size in bytes; nil when it is no file.
    private static func size(of path: String) -> Int? {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(status.st_size)
    }

    // MARK: Times

    static func next(after time: Int, _ when: RotationTime, _ interval: Int) -> Int {
        let weekday: Int?
        switch when {
        case .seconds(let unit): return time + unit * interval
        case .midnight: weekday = nil
        case .weekday(let day): weekday = day
        }
        guard let parts = LocalTime.parts(of: Double(time)) else { return time + day }
        let passed = (Int(parts.tm_hour) * 60 + Int(parts.tm_min)) * 60 + Int(parts.tm_sec)
        var days = 1
        if let weekday {
            // Python's week begins on Monday, C's on Sunday. A log of that day ends with it.
            days += (weekday - (Int(parts.tm_wday) + 6) % 7 + 7) % 7
        }
        return corrected(time - passed + days * day, from: time)
    }

    /// Midnight of a day at which the clocks are not what they are now.
    private static func corrected(_ result: Int, from time: Int) -> Int {
        let (now, then) = (isSummer(time), isSummer(result))
        return now == then ? result : result + (then ? -3600 : 3600)
    }

    /// The time of day of `time` as it would be if the clocks were those of `now`.
    private static func corrected(_ time: Int, asAt now: Int) -> Int {
        let (summer, then) = (isSummer(now), isSummer(time))
        return summer == then ? time : time + (summer ? 3600 : -3600)
    }

    private static func isSummer(_ time: Int) -> Bool {
        LocalTime.parts(of: Double(time)).map { $0.tm_isdst > 0 } ?? false
    }

    // MARK: Old files

    private static func removeOldest(_ path: String, keeping count: Int, _ when: RotationTime) {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[...$0]) } ?? "./"
        let prefix = (slash.map { String(path[path.index(after: $0)...]) } ?? path) + "."
        guard let directory = unsafe opendir(folder) else { return }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name.hasPrefix(prefix), when.isSuffix(name.dropFirst(prefix.count)) { names.append(name) }
        }
        for name in names.sorted().dropLast(count) { unlink(folder + name) }
    }
}

extension RotationTime {
    /// How long one interval is.
    fileprivate var seconds: Int {
        switch self {
        case .seconds(let unit): unit
        case .midnight: 86_400
        case .weekday: 7 * 86_400
        }
    }

    /// What is put behind the name, for `strftime`: so much of the time as the interval tells apart.
    fileprivate var suffix: String {
        switch seconds {
        case 1: "%Y-%m-%d_%H-%M-%S"
        case 60: "%Y-%m-%d_%H-%M"
        case 3600: "%Y-%m-%d_%H"
        default: "%Y-%m-%d"
        }
    }

    /// Whether a name ends as such a file's does.
    fileprivate func isSuffix(_ text: Substring) -> Bool {
        let form = LocalTime.text(0, format: suffix)
        return text.utf8.count == form.utf8.count
            && zip(text.utf8, form.utf8).allSatisfy { byte, model in
                let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
                return digits.contains(model) ? digits.contains(byte) : byte == model
            }
    }
}
