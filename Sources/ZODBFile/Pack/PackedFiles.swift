internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The names that a pack works with, beside the data file. Of a symbolic link it is the file it leads to that is replaced.
struct PackedFiles: Sendable {
    /// The data file.
    let data: String
    /// The new file, until it takes the place of the old one.
    var new: String { data + ".pack" }
    /// The file before the pack.
    var old: String { data + ".old" }
    /// A second name of the data file, which becomes `old` when the new one is in its place.
    private var kept: String { data + ".pack-old" }
    let index: String
    /// The new file's index, until it takes the place of the old one's.
    var newIndex: String { index + ".pack" }

    init(dataFile path: String) {
        data = Directories.resolved(path)
        index = IndexFile.path(forDataFile: path)
    }

    /// Makes the new file, like the old one in its owner and permissions.
    /// - Returns: The file, and what of that could not be done.
    func makeNew(like file: DataFile, calls: FileCalls) throws(StorageError) -> (file: DataFile, note: String?) {
        removeNew()
        let made = try DataFile(new, .creating(permissions: 0o600), calls: calls)
        var status = stat()
        var note: String?
        if unsafe fstat(file.descriptor, &status) == 0 {
            if fchown(made.descriptor, status.st_uid, status.st_gid) != 0 {
                note =
                    "the new file has another owner or group than the old one (\(status.st_uid):\(status.st_gid))"
            }
            _ = fchmod(made.descriptor, status.st_mode & 0o7777)
        }
        return (made, note)
    }

    func removeNew() {
        Directories.remove(new)
        Directories.remove(newIndex)
    }

    /// Sees to it early that the old file can be kept.
    /// - Throws: `unsupported` where the file system knows no second names.
    func requireKeeping() throws(StorageError) {
        guard try Directories.names(in: old) == nil else {
            throw .unsupported("\(old) is a directory, so that the old file cannot get that name; move it away")
        }
        Directories.remove(kept)
        do throws(StorageError) {
            try Directories.link(data, to: kept)
        } catch {
            throw .unsupported(
                "\(error): so the old file cannot be kept without a moment in which there is none; pack without keeping it"
            )
        }
        Directories.remove(kept)
    }

    /// Puts the new file in the place of the old one. At no moment is there none; and the index is there only when it is
    /// that of the file.
    ///
    /// - Throws: `io`; then the old file is where it was.
    func switchOver(keepsOld: Bool, step: (PackStep) throws(StorageError) -> Void) throws(StorageError) {
        if keepsOld {
            Directories.remove(kept)
            try Directories.link(data, to: kept)
        }
        do throws(StorageError) {
            try step(.kept)
            Directories.remove(index)
            try step(.indexRemoved)
            try Directories.rename(new, to: data)
        } catch {
            Directories.remove(kept)
            throw error
        }
        // From here on there is no way back, and nothing that may not fail.
        try? step(.renamed)
        try? Directories.rename(newIndex, to: index)
        try? step(.indexNamed)
    }

    /// Gives the old file its name, in the place of the one that an earlier pack has kept. The system may take its time to free
    /// that: nobody should wait for it.
    func nameOld(keepsOld: Bool) {
        if keepsOld { try? Directories.rename(kept, to: old) } else { Directories.remove(old) }
    }

    /// Puts in order what a pack left behind whose process has ended: half a file goes, and an old one that had been kept
    /// gets its name.
    /// - Precondition: the data file is locked.
    func cleanUp(_ file: DataFile) {
        removeNew()
        Directories.remove(PackStatusFile.path(forDataFile: data))
        guard let identity = FileIdentity(path: kept) else { return }
        // The data file itself: it was not replaced.
        if identity == file.identity { Directories.remove(kept) } else { try? Directories.rename(kept, to: old) }
    }

    /// Bytes that the disk has left for us; nil where it does not say.
    func freeSpace() -> Int? {
        var status = statvfs()
        guard unsafe statvfs(Directories.parent(of: data), &status) == 0 else { return nil }
        let blocks = geteuid() == 0 ? status.f_bfree : status.f_bavail
        let (bytes, overflow) = UInt64(blocks).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? .max : Int(clamping: bytes)
    }
}

/// The steps of a pack after each of which a test may look at the files, or end it.
package enum PackStep: CaseIterable, Sendable {
    case marked, made, copied, caughtUp, indexWritten, locked, synced
    case kept, indexRemoved, renamed, indexNamed, directorySynced, switched, oldNamed, blobsRemoved
}
