internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Moves what lies behind the last complete transaction out of the file, so that the next one can be written there.
///
/// It goes to `Data.fs.tr0`, or the next such name that is free, as with Python; which, however, throws away what has
/// fewer bytes than a transaction's head.
enum TailRescue {
    /// - Parameters:
    ///   - range: from the end of the last complete transaction to the end of the file.
    ///   - stem: the name without its number.
    /// - Returns: the path of the file that holds the bytes.
    /// - Throws: `io`; then the data file is as it was.
    static func move(
        _ range: Range<Int>, of file: DataFile, to stem: String, calls: FileCalls
    ) throws(StorageError) -> String {
        let copy = try newFile(stem, permissions: file.permissions(), calls: calls)
        do throws(StorageError) {
            try file.copy(range, to: copy, at: 0)
            guard try copy.size() == range.count else {
                throw .wrongState("\(file.path): it became shorter while its end was copied")
            }
            // On the disk, with its name, before the only other copy goes.
            try copy.sync()
            try Directories.sync(Directories.parent(of: copy.path))
        } catch {
            Directories.remove(copy.path)
            throw error
        }
        try file.truncate(to: range.lowerBound)
        try file.sync()
        return copy.path
    }

    private static func newFile(
        _ stem: String, permissions: UInt32, calls: FileCalls
    ) throws(StorageError) -> DataFile {
        var number = 0
        while true {
            do throws(StorageError) {
                return try DataFile("\(stem)\(number)", .creating(permissions: permissions), calls: calls)
            } catch .io(_, errno: EEXIST) {
                number += 1
            }
        }
    }
}
