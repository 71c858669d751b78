internal import ByteCoding
public import ZODB
public import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// How to make a backup.
public struct BackupOptions: Sendable {
    /// Everything, even where an increment would do.
    public var isFull = false
    /// Trusts that nothing but the end of what was backed up need be compared.
    public var isQuick = false
    public var isCompressed = false
    /// Whether blobs are backed up, where the storage has any.
    public var includesBlobs = true
    /// Blobs become second names of the files of the blob directory, where that is possible, and not copies.
    public var linksBlobs = false
    /// Which backups are removed afterwards.
    public var retention = Retention()
    /// Goes on when the source has lost the end of what was backed up, or is another database.
    public var acceptsOlder = false
    public var watch = BackupWatch()
    /// Seconds since 1970.
    package var now: @Sendable () -> Int = { Int(time(nil)) }
    /// Called before each change of the repository; what it throws ends the backup there, as a crash would.
    package var gate: @Sendable (String) throws(StorageError) -> Void = { _ in }

    public init() {}
}

/// What a backup came to.
public struct BackupResult: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        case full, incremental
        /// Nothing was committed since the last one.
        case none
    }

    public var kind: Kind
    /// Of a full one: why no increment would do.
    public var reason: String?
    /// The file that was written.
    public var chunk: ChunkFile?
    /// Which bytes of the Data.fs it holds, and how many it takes.
    public var start = 0, end = 0, storedSize = 0
    /// The last transaction that the repository holds now.
    public var last = TransactionID.none
    public var blobCount = 0, blobBytes = 0
    /// Blobs whose files were missing.
    public var missingBlobs: [Manifest.MissingBlob] = []
    /// The backups before have blobs, and none were looked for since nobody said where they are.
    public var leftBlobsOut = false
    /// Files that were removed since they are too old.
    public var removed: [String] = []
    /// What was put right that an earlier run had left.
    public var repairs: [String] = []

    init(_ kind: Kind) { self.kind = kind }
}

extension FileStorage {
    /// Backs the file up into the repository at `path`, a directory that is made if need be: what is committed now.
    ///
    /// The file is only read; a server may have it open and go on committing.
    /// - Throws: `locked` when another backup runs there; `wrongState` when the file has lost the end of what was backed up,
    ///   or is another database; `corrupt` when the file is damaged; then nothing is written or removed. `io`; `interrupted`.
    public func backUp(to path: String, _ options: BackupOptions = BackupOptions()) throws(StorageError) -> BackupResult
    {
        try Directories.makeRepository(path)
        let lock = try RepositoryLock(path)
        defer { withExtendedLifetime(lock) {} }
        let writer = RepositoryWriter(path, gate: options.gate)
        let repairs = try writer.tidy(try Repository(path))
        let repository = try Repository(path)
        let part = try committedPart()
        if !options.acceptsOlder {
            try SourceCheck(name: name, repository: repository, watch: options.watch).require(
                last: part.last,
                has: { (tid) throws(StorageError) in try self.transactions(from: tid, through: tid).next() != nil },
                first: { () throws(StorageError) in try part.firstTransaction() })
        }
        var decision = BackupDecision.full(reason: "asked for")
        // Also before a full one that makes others superfluous.
        if !options.isFull || (options.retention != Retention() && !options.acceptsOlder) {
            let judged = try BackupJudge(
                repository: repository, part: part, watch: options.watch, acceptsChange: options.acceptsOlder
            ).decide(isQuick: options.isQuick)
            if !options.isFull { decision = judged }
        }
        var result: BackupResult
        switch decision {
        case .nothing:
            result = BackupResult(.none)
            result.last = part.last
        case .increment(let start):
            try part.requireSound(from: start, options.watch)
            let backup = FileBackup(self, part, repository, writer, options)
            result = try backup.run(from: start, isFull: false)
        case .full(let reason):
            try part.requireSound(from: 0, options.watch)
            let backup = FileBackup(self, part, repository, writer, options)
            result = try backup.run(from: 0, isFull: true)
            result.reason = reason
        }
        result.repairs = repairs + result.repairs
        if options.includesBlobs {
            if hasBlobDirectory {
                result.repairs += try Repository(path).bringBackBlobs(of: self, writer, options)
            } else {
                result.leftBlobsOut = try repository.hasBlobs
            }
        }
        // Only a new backup makes older ones superfluous.
        guard result.kind != .none else { return result }
        result.removed = try options.retention.apply(to: try Repository(path), writer, now: options.now())
        return result
    }
}

/// One backup of a file, once it is decided what to copy.
private struct FileBackup {
    private let storage: FileStorage
    private let part: CommittedPart
    private let repository: Repository
    private let writer: RepositoryWriter
    private let options: BackupOptions

    init(
        _ storage: FileStorage, _ part: CommittedPart, _ repository: Repository, _ writer: RepositoryWriter,
        _ options: BackupOptions
    ) {
        (self.storage, self.part, self.repository) = (storage, part, repository)
        (self.writer, self.options) = (writer, options)
    }

    func run(from start: Int, isFull: Bool) throws(StorageError) -> BackupResult {
        let range = start..<part.end
        try requireRoom(for: range.count)
        let name = try BackupName.next(after: repository.newestName, options.now)
        let chunk = ChunkFile(name, isFull: isFull, isCompressed: options.isCompressed)
        var blobs = BlobTally()
        if options.includesBlobs, storage.hasBlobDirectory {
            blobs = try BlobBackup(storage, repository, writer, options).run(part.file, range)
        }
        let objectCount = try writeIndex(name, isFull: isFull)
        let (md5, size) = try writeChunk(chunk, range)
        var manifest = Manifest(
            source: .file, place: storage.name, chunk: chunk, start: start, end: part.end, md5: md5, last: part.last)
        manifest.objectCount = objectCount
        manifest.generation = part.generation
        manifest.add(blobs)
        try writer.finish(chunk, manifest, repository)
        var result = BackupResult(isFull ? .full : .incremental)
        result.chunk = chunk
        (result.start, result.end, result.storedSize) = (start, part.end, size)
        result.last = part.last
        result.add(blobs)
        return result
    }

    private func requireRoom(for size: Int) throws(StorageError) {
        guard !options.isCompressed, let free = FreeSpace.bytes(at: repository.path), free < size else { return }
        throw .io("\(repository.path): \(size) bytes are to be written, \(free) are free", errno: ENOSPC)
    }

    /// As long as fewer bytes follow on an index, a quick increment needs none of its own: they are scanned in a moment.
    private static let nearEnough = 64 << 20

    /// Whether a backup before in the chain has an index that will do.
    private var hasNearIndex: Bool {
        guard let chain = repository.chains.last, let path = repository.newestIndex(of: chain.files),
            let file = chain.files.last(where: { path.hasSuffix("/\($0.name).index") }), let facts = chain.facts[file]
        else { return false }
        return part.end - facts.end < Self.nearEnough
    }

    /// Saves the index as of the end of what is copied; how many objects it has.
    private func writeIndex(_ name: BackupName, isFull: Bool) throws(StorageError) -> Int? {
        guard let generation = part.generation, isFull || !options.isQuick || !hasNearIndex else { return nil }
        let (indexed, index) = try storage.committedPartWithIndex()
        guard indexed.end == part.end, indexed.file === part.file else { return nil }
        try writer.writeIndex(index, position: part.end, generation, name)
        return index.count
    }

    /// Copies the bytes, and hashes them meanwhile; their MD5, and how many were written.
    private func writeChunk(_ chunk: ChunkFile, _ range: Range<Int>) throws(StorageError) -> (md5: String, size: Int) {
        let (file, writer, watch) = (part.file, writer, options.watch)
        let copy = try writer.begin(chunk.fileName)
        do throws(StorageError) {
            // What is committed does not change: the two may read it each for himself.
            let hashing = try BackgroundWork { (abandonment) throws(StorageError) in
                try file.md5(of: range, BackupWatch(interruption: abandonment))
            }
            let (md5, size) = try hashing.alongside { () throws(StorageError) in
                try writer.copy(file, range, to: copy, isCompressed: chunk.isCompressed, watch)
            }
            return (md5, size)
        } catch {
            writer.giveUp(chunk.fileName)
            throw error
        }
    }
}

extension Directories {
    /// Makes a repository's directory when it is not there; the one above it has to be: a disk that is not mounted must not be
    /// taken for an empty one.
    static func makeRepository(_ path: String) throws(StorageError) {
        var name = path
        while name.count > 1, name.hasSuffix("/") { name.removeLast() }
        let parent = parent(of: name)
        guard FileSystem.isDirectory(parent) else {
            throw .io("\(parent), in which the repository would be made", errno: ENOENT)
        }
        try make(path)
    }
}

extension RepositoryWriter {
    /// Copies a range of a file to the beginning of another, and flushes that; how many bytes that took.
    func copy(
        _ file: DataFile, _ range: Range<Int>, to copy: DataFile, isCompressed: Bool, _ watch: BackupWatch
    ) throws(StorageError) -> Int {
        var size = 0
        let append = { (bytes: UnsafeRawBufferPointer) throws(StorageError) in
            try unsafe self.write(bytes, to: copy, at: size)
            size += bytes.count
        }
        if isCompressed {
            var gzip = try GzipWriter()
            try file.forEachChunk(of: range) { (bytes, place) throws(StorageError) in
                try watch.check("copying", place - range.lowerBound, of: range.count)
                try unsafe gzip.write(bytes, to: append)
            }
            try gzip.finish(append)
        } else {
            try file.forEachChunk(of: range) { (bytes, place) throws(StorageError) in
                try watch.check("copying", place - range.lowerBound, of: range.count)
                try unsafe append(bytes)
            }
        }
        try sync(copy)
        return size
    }

    func writeIndex(
        _ index: FileIndex, position: Int, _ generation: PythonGeneration, _ name: BackupName
    ) throws(StorageError) {
        let file = "\(name).index"
        // Written beside and renamed there, too.
        let begun = Self.temporaryPrefix + file
        try requireStep("write \(file)")
        try IndexFile.write(index, position: position, generation: generation, to: self.file(begun))
        try place(file)
    }

    /// Makes a backup out of a chunk that is written under its temporary name: the manifest first, then the chunk itself,
    /// which is the moment from which the backup exists, then the line in the `.dat` file.
    func finish(_ chunk: ChunkFile, _ manifest: Manifest, _ repository: Repository) throws(StorageError) {
        do throws(StorageError) {
            try write(manifest.bytes, as: Manifest.fileName(of: chunk.name))
            try place(chunk.fileName)
        } catch {
            giveUp(chunk.fileName)
            throw error
        }
        let line = DatLine(
            path: DatLine.path(of: chunk, in: path), start: manifest.start, end: manifest.end, md5: manifest.md5)
        let earlier = chunk.isFull ? [] : repository.chains.last.map { $0.presentLines } ?? []
        let dat = chunk.isFull ? chunk.name : repository.chains.last?.name ?? chunk.name
        try write(Array((earlier + [line]).map(\.text).joined().utf8), as: "\(dat).dat")
    }
}

extension DatLine {
    /// As repozo writes it; without the directory when that has spaces, which repozo cannot read.
    static func path(of chunk: ChunkFile, in directory: String) -> String {
        let path = "\(directory)/\(chunk.fileName)"
        return path.contains { $0 == " " || $0 == "\t" || $0 == "\n" } ? chunk.fileName : path
    }
}

extension Chain {
    /// The lines about files that are there.
    var presentLines: [DatLine] {
        lines.filter { line in files.contains { $0.fileName == line.fileName } }
    }
}

extension BackupName {
    /// The name of a backup made now. Names have to grow, and there may have been one in this very second: then the next
    /// second is waited for, unless the clock was set back so far that nobody would wait.
    static func next(after newest: BackupName?, _ now: () -> Int) throws(StorageError) -> BackupName {
        guard let newest else { return BackupName(time: now()) }
        while true {
            let name = BackupName(time: now())
            if name > newest { return name }
            guard newest.time - now() <= 2 else { return BackupName(time: newest.time + 1) }
            usleep(50_000)
        }
    }
}

extension BackupResult {
    mutating func add(_ blobs: BlobTally) {
        blobCount = blobs.blobs.count
        blobBytes = blobs.copiedBytes
        missingBlobs = blobs.missing
        if blobs.healedCount > 0 { repairs.append("files of blobs were damaged: \(blobs.healedCount) copied again") }
    }
}

extension Manifest {
    init(
        source: Source, place: String, chunk: ChunkFile, start: Int, end: Int, md5: String, last: TransactionID
    ) {
        (self.source, self.place, self.chunk, self.start) = (source, place, chunk, start)
        (self.end, self.md5, self.last) = (end, md5, last)
    }

    mutating func add(_ tally: BlobTally) {
        hasBlobs = tally.wereLookedFor
        blobs = tally.blobs
        missingBlobs = tally.missing
    }
}
