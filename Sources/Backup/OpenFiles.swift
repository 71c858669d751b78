internal import ZODB
internal import ZODBFile

/// Who has a file open.
enum OpenFiles {
    /// - Throws: `locked` when a process has the file open, as far as the system lets us see that, or holds the lock of a
    ///   Data.fs of this name.
    static func requireUnused(_ path: String) throws(StorageError) {
        // Both locks: the one beside it, which Python takes, and that on the file.
        if let file = try? DataFile(path) {
            try file.requireUnlocked()
            if let process = holder(of: file.identity) { throw .locked("\(path) (open in process \(process))") }
        }
        try DataFile.requireLockFree(forDataFile: path)
    }

    /// A process that has the file open, ourselves left out; nil when there is none, or it is not ours to know.
    private static func holder(of identity: FileIdentity) -> Int? {
        let own = ProcessNumber.own
        for name in (try? Directories.names(in: "/proc")) ?? [] {
            guard let process = Int(name), process != own else { continue }
            for descriptor in (try? Directories.names(in: "/proc/\(process)/fd")) ?? []
            where FileIdentity(path: "/proc/\(process)/fd/\(descriptor)") == identity { return process }
        }
        return nil
    }
}
