internal import Synchronization
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

extension BlobDirectory {
    /// Opens the directory for writing; what is missing is made, with the layout that Python gives a new one.
    static func openForWriting(_ path: String) throws(StorageError) -> BlobDirectory {
        try Directories.make(path)
        let directory = try BlobDirectory(path)
        guard directory.layouts.count > 1, try isEmpty(path) else { return directory }
        let marker = try DataFile("\(path)/.layout", .creating(permissions: 0o666))
        try marker.write(Array(Layout.bushy.rawValue.utf8), at: 0)
        try marker.sync()
        try Directories.make("\(path)/tmp")
        try Directories.sync(path)
        return try BlobDirectory(path)
    }

    /// Removes what a process of ours has left in the directory for temporary files, which was killed: files of blobs that
    /// had not been committed. Those of Python's and of anybody else stay, and those of a process that lives: it may be
    /// putting blobs of another file there.
    /// - Precondition: the data file is locked, so that nobody else writes blobs for it.
    /// - Returns: how many.
    @discardableResult
    func removeLeftovers() -> Int {
        let folder = "\(path)/tmp"
        guard let directory = unsafe opendir(folder) else { return 0 }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if Self.isLeftover(name) { names.append(name) }
        }
        for name in names { Directories.remove("\(folder)/\(name)") }
        return names.count
    }

    /// Whether a name is one that we give, `zeo-PID-NUMBER.tmp` or `zeoshell-PID-NUMBER.tmp`, of a process that is no more.
    /// Our own number is that of one before us: we have only begun.
    private static func isLeftover(_ name: String) -> Bool {
        guard name.hasSuffix(".tmp") else { return false }
        let parts = name.dropLast(4).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "zeo" || parts[0] == "zeoshell", let process = pid_t(parts[1]), process > 0,
            UInt64(parts[2]) != nil
        else { return false }
        return process == getpid() || kill(process, 0) != 0 && errno == ESRCH
    }

    private static let temporaryNumber = Atomic(0)

    /// A new file for a blob's bytes, in the directory's own file system.
    /// - Throws: `unsupported` when the layout is not known, or not a server's.
    func temporaryFile(calls: FileCalls) throws(StorageError) -> DataFile {
        let directory = try temporaryDirectory()
        while true {
            let number = Self.temporaryNumber.wrappingAdd(1, ordering: .relaxed).newValue
            do throws(StorageError) {
                return try DataFile(
                    "\(directory)/zeoshell-\(getpid())-\(number).tmp", .creating(permissions: 0o666), calls: calls)
            } catch .io(_, errno: EEXIST) {
                continue
            }
        }
    }

    /// Where files are made that are not a blob's yet, in the directory's own file system.
    /// - Throws: `unsupported` when the layout is not known, or not a server's.
    func temporaryDirectory() throws(StorageError) -> String {
        try requireLayout()
        try Directories.make("\(path)/tmp")
        return "\(path)/tmp"
    }

    private func requireLayout() throws(StorageError) {
        guard layouts.count == 1 else {
            throw .unsupported(
                "\(path): it is not known how blobs lie in it: put the word bushy or lawn into its file .layout")
        }
        guard layouts[0] != .zeocache else {
            throw .unsupported("\(path): the cache of a ZEO client, not the blob directory of a storage")
        }
    }

    /// Where the blob's file is, or is to be.
    /// - Throws: `unsupported` when the layout is not known.
    func knownPath(of oid: ObjectID, serial: TransactionID) throws(StorageError) -> String {
        try requireLayout()
        return path(of: oid, serial: serial)
    }

    /// Where the blob's file is to be.
    /// - Precondition: the layout is known.
    func path(of oid: ObjectID, serial: TransactionID) -> String {
        "\(path)/\(Self.file(of: oid, serial: serial, in: layouts[0]))"
    }
}
