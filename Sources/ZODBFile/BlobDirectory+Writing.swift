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
