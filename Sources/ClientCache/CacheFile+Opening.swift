internal import ByteCoding
public import ZODB
internal import ZODBFile

extension CacheFile {
    /// What came of opening a cache.
    public enum Opening: Sendable {
        /// It can be used. What the user should know: that a damaged file was set aside, that something was not believed.
        case opened(CacheFile, remarks: [String])
        /// It was left as it is, and why.
        case leftAlone(String)
    }

    /// The smallest file that is of use, in bytes.
    public static let leastSize = 4096
    /// As large as Python's clients make theirs when nothing is said.
    public static let defaultSize = 20 << 20

    /// Opens the cache at `path`, or makes one.
    ///
    /// A file that is damaged is renamed to `NAME.bad`, or removed when there is one, and replaced, as Python's clients do. What
    /// is no cache of this format is not touched.
    /// - Parameter size: of the file, in bytes; one that has another size gets this one. nil: as large as it is.
    /// - Throws: `io` when it can be neither opened nor made; `unsupported` when it is something else.
    public static func open(_ path: String, size: Int?, for source: CacheSource) throws(StorageError) -> Opening {
        // Beside what is no cache no lock file is left: it could not be taken away again.
        if FileIdentity(path: path) != nil {
            let file = try DataFile(path, .writing)
            if try file.size() > 0 { try requireCache(file) }
        }
        let lock: LockFile
        do throws(StorageError) {
            lock = try cacheLock(path)
        } catch .locked(let holder) {
            return .leftAlone("the cache file \(path) is in use: \(holder)")
        }
        var isReady = false
        defer { if !isReady { lock.release() } }
        guard FileIdentity(path: path) != nil else {
            let ring = try make(path, max(size ?? defaultSize, leastSize))
            isReady = true
            return .opened(CacheFile(path, ring, lock, source, isFamiliar: true, isNew: true), remarks: [])
        }
        let file = try DataFile(path, .writing)
        let fileSize = try file.size()
        // A head alone is what Python leaves when it is ended too early.
        let size = max(size ?? (fileSize > CacheFormat.headSize ? fileSize : defaultSize), leastSize)
        if fileSize == 0 {
            // Not what it may be a link to.
            let ring = try make(path, size)
            isReady = true
            return .opened(CacheFile(path, ring, lock, source, isFamiliar: true), remarks: [])
        }
        try requireCache(file)
        var remarks: [String] = []
        var ring: CacheRing
        do throws(StorageError) {
            ring = try CacheRing(opening: file, size: size)
        } catch .corrupt(_, let problem) {
            let head = try file.bytes(at: CacheFormat.tidOffset, count: 1)
            remarks.append(head == [0] ? emptied(path, Self.cutOff) : try setAside(path, problem))
            ring = try make(path, size)
        }
        let note = CacheNote(beside: path)
        if let reason = doubt(ring, note) {
            remarks.append(emptied(path, reason))
            try ring.clear()
        }
        let isFamiliar =
            ring.isEmpty
            || note == CacheNote(source, .closed(ring.lastTransaction, place: ring.place))
        isReady = true
        return .opened(CacheFile(path, ring, lock, source, note?.source, isFamiliar: isFamiliar), remarks: remarks)
    }

    /// Empties the cache at `path`; it stays as large as it is.
    /// - Throws: `locked` when a process has it; `unsupported` when it is something else; `io`.
    public static func clear(_ path: String) throws(StorageError) {
        try requireCache(try DataFile(path, .writing))
        let lock = try cacheLock(path)
        defer { lock.release() }
        let file = try DataFile(path, .writing)
        try requireCache(file)
        let size = max(try file.size(), leastSize)
        Directories.remove(CacheNote.path(for: path))
        _ = try make(path, size)
    }

    /// Caches are also where others can make names: what a link of theirs leads to is neither locked nor written.
    private static func cacheLock(_ path: String) throws(StorageError) -> LockFile {
        try LockFile(forDataFile: path, followingLinks: false, permissions: 0o600)
    }

    /// A new file appears with all that belongs in it.
    private static func make(_ path: String, _ size: Int) throws(StorageError) -> CacheRing {
        let temporary = path + ".new"
        let file = try DataFile(temporary, .making(permissions: 0o600))
        try CacheRing.make(file, size: size)
        try Directories.rename(temporary, to: path)
        return try CacheRing(opening: try DataFile(path, .writing), size: size)
    }

    private static func requireCache(_ file: DataFile) throws(StorageError) {
        let head = try file.bytes(at: 0, count: 4)
        guard head != CacheFormat.magic else { return }
        if TwoFileCache.Generation(magic: head) != nil {
            throw .unsupported(
                "\(file.path) is a client cache of Zope 2.7 or before, which consists of two files and cannot be used: "
                    + "name another file")
        }
        throw .unsupported("\(file.path) is no client cache: it begins with other bytes than ZEC3. It was not touched")
    }

    /// - Returns: what happened, in words.
    private static func setAside(_ path: String, _ problem: FormatError) throws(StorageError) -> String {
        let bad = path + ".bad"
        guard FileIdentity(path: bad) == nil else {
            Directories.remove(path)
            return "the cache file \(path) was damaged (\(problem)) and removed; \(bad) is an earlier one"
        }
        try Directories.rename(path, to: bad)
        return "the cache file \(path) was damaged (\(problem)): it is now \(bad)"
    }

    private static let cutOff = "its last tid is not valid: a process was ended while it wrote"

    private static func emptied(_ path: String, _ reason: String) -> String {
        "the cache file \(path) was emptied: \(reason)"
    }

    /// Why what a file holds cannot be believed; nil when nothing speaks against it.
    static func doubt(_ lastTransaction: TransactionID, _ note: CacheNote?) -> String? {
        if lastTransaction.rawValue >> 56 == 0 {
            return cutOff
        }
        if case .open(let boot)? = note?.state, boot != CacheNote.boot() ?? "" {
            return "the machine stopped while it was being written"
        }
        return nil
    }

    private static func doubt(_ ring: CacheRing, _ note: CacheNote?) -> String? {
        ring.isEmpty ? nil : doubt(ring.lastTransaction, note)
    }
}
