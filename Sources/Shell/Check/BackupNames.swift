internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// When the backups of a repozo directory were made: their names say it, `2026-11-27-03-00-01.deltafs`, in UTC.
///
/// Source: ZODB 6, `src/ZODB/scripts/repozo.py`.
enum BackupNames {
    private static let endings = [".fs", ".fsz", ".deltafs", ".deltafsz"]

    /// Seconds since 1970; nil when the directory holds no backup.
    /// - Throws: `io` when it cannot be read.
    static func newest(in path: String) throws(StorageError) -> Double? {
        guard let directory = opendir(path) else { throw .io(path, errno: errno) }
        defer { closedir(directory) }
        var newest: Double?
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let time = time(ofName: name) else { continue }
            newest = max(newest ?? time, time)
        }
        return newest
    }

    /// The time that a backup's name says; nil for another file's.
    static func time(ofName name: String) -> Double? {
        guard let dot = name.firstIndex(of: "."), endings.contains(String(name[dot...])) else { return nil }
        let numbers = name[..<dot].split(separator: "-").map { Int($0) }
        guard numbers.count == 6, let year = numbers[0], let month = numbers[1], let day = numbers[2],
            let hour = numbers[3], let minute = numbers[4], let second = numbers[5]
        else { return nil }
        return TransactionID(
            TransactionID.CivilTime(
                year: year, month: month, day: day, hour: hour, minute: minute, second: Double(second)))?.unixTime
    }
}
