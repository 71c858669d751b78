internal import ByteCoding
public import ZODB
public import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

extension Repository {
    /// The chunk's bytes before compression, as a file: itself, or one without a name that is gone when nobody reads it.
    ///
    /// That is made in `TMPDIR`, or else `/var/tmp`, and takes as much room as the chunk had before it was compressed.
    func plainFile(_ chunk: ChunkFile, _ watch: BackupWatch = BackupWatch()) throws(StorageError) -> DataFile {
        guard chunk.isCompressed else { return try DataFile(file(chunk)) }
        let directory = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/var/tmp"
        let plain = try TemporaryFile.make(in: directory)
        var size = 0
        try read(chunk) { (bytes) throws(StorageError) in
            try watch.check("decompressing \(chunk.fileName)", size, of: 0)
            try unsafe plain.write(bytes, at: size)
            size += bytes.count
        }
        return plain
    }

    /// Opens a state of the database where it lies, for reading, without restoring it.
    ///
    /// Compressed chunks are decompressed into files without a name first.
    /// - Throws: `wrongState`, `corrupt`, `io`; `unsupported` when the state at that time was packed away.
    public func open(
        _ time: RestoreTime = .newest, _ watch: BackupWatch = BackupWatch()
    ) throws(StorageError) -> FileStorage {
        try open(try point(time), watch)
    }

    func open(_ point: RestorePoint, _ watch: BackupWatch) throws(StorageError) -> FileStorage {
        let name = "\(path)/\(point.chain.files[point.chain.files.count - 1].fileName)"
        var pieces: [DataFile] = []
        for file in point.chain.files { pieces.append(try plainFile(file, watch)) }
        var options = FileStorage.Options(interruption: watch.interruption, progress: watch.progress)
        if FileSystem.isDirectory(blobDirectory) { options.blobDirectory = blobDirectory }
        // The index of the last chunk that lies in the part wholly; what follows is scanned.
        options.indexPath = newestIndex(of: point.chain.files) ?? file("\(point.name).index")
        let whole = try FileStorage(
            reading: try DataFile(joining: pieces, name: name), name: name, options: options)
        guard let tid = point.through, let limit = try limit(of: whole, through: tid) else { return whole }
        let earlier = point.chain.files.filter { file in (point.chain.facts[file]?.end ?? .max) <= limit }
        options.indexPath = newestIndex(of: earlier) ?? file("\(point.name).index")
        let cut = try DataFile(joining: pieces, upTo: limit, name: name)
        return try FileStorage(reading: cut, name: name, options: options)
    }

    /// The index of the last of a chain's files that has one, as a path: it is that of the beginning of what comes later, too.
    func newestIndex(of files: [ChunkFile]) -> String? {
        files.last { FileSystem.exists(file("\($0.name).index")) }.map { file("\($0.name).index") }
    }

    /// Where the state as of `tid` ends in the file; nil when that is the file's end.
    /// - Throws: `unsupported` when a pack has been over what came after it.
    func limit(of storage: FileStorage, through tid: TransactionID) throws(StorageError) -> Int? {
        guard let next = try storage.transactionStart(after: tid) else { return nil }
        guard next.position > FileFormat.firstTransaction else {
            throw .wrongState("\(storage.name): nothing had been committed by then, as far back as it reaches")
        }
        guard !next.isPacked else {
            throw .unsupported(
                "\(storage.name): the database was packed to a time after transaction \(tid), so that its state then is in no backup any more"
            )
        }
        return next.position
    }
}

enum TemporaryFile {
    /// A file without a name.
    static func make(in directory: String) throws(StorageError) -> DataFile {
        for attempt in 0..<1000 {
            let path = "\(directory)/zeoshell-\(getpid())-\(attempt)"
            do throws(StorageError) {
                let file = try DataFile(path, .creating(permissions: 0o600))
                Directories.remove(path)
                return file
            } catch .io(_, errno: EEXIST) {
                continue
            }
        }
        throw .io(directory, errno: EEXIST)
    }
}

enum FileSystem {
    static func exists(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0
    }

    static func isLink(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
