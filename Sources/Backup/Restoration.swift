internal import ByteCoding
public import ZODB
internal import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// How to restore.
public struct RestoreOptions: Sendable {
    public var time = RestoreTime.newest
    /// Replaces a file that is there, unless somebody has it open.
    public var replaces = false
    /// Where the blobs go; nil: none are restored. It must not be there yet.
    public var blobDirectory: String?
    /// Blobs become second names of the repository's files, where that is possible, and not copies.
    public var linksBlobs = false
    public var watch = BackupWatch()

    public init() {}
}

/// What was restored.
public struct RestoreResult: Hashable, Sendable {
    /// The newest of the files that made it, and how many there were.
    public var name: BackupName
    public var fileCount: Int
    /// Bytes of the Data.fs.
    public var size: Int
    public var last: TransactionID
    public var blobCount = 0, blobBytes = 0
    /// Blobs that were missing when the backup was made.
    public var missingBlobs: [Manifest.MissingBlob] = []
    /// Blobs that the backup has, and that were left there, since nobody said where they go.
    public var leftBlobCount = 0
    /// Whether the backup says what blobs there are.
    public var knowsBlobs = false
    /// Whether checksums were there to be compared, for every file.
    public var isVerified = false
}

extension Repository {
    /// Writes the Data.fs of a state, its index beside it, and its blobs. Every file is compared with its checksum on the
    /// way. The result appears under its name when all of it is on the disk.
    /// - Throws: `io` with EEXIST when there is a file and it may not be replaced; `locked` when somebody has that open;
    ///   `corrupt` when a file is not as it was written; `wrongState`, `unsupported` as `point` and `open` do.
    public func restore(to output: String, _ options: RestoreOptions = RestoreOptions()) throws(StorageError)
        -> RestoreResult
    {
        try Restoration(self, output, options).run()
    }
}

/// One restoration.
private struct Restoration {
    private let repository: Repository
    /// The file that is written: what a symbolic link leads to, so that the link stays.
    private let output: String
    /// As it was given: the index is beside this name, where whoever opens it looks.
    private let name: String
    private let options: RestoreOptions

    init(_ repository: Repository, _ output: String, _ options: RestoreOptions) {
        (self.repository, name, self.options) = (repository, output, options)
        self.output = options.replaces ? Directories.resolved(output) : output
    }

    private var temporary: String { output + ".part" }
    /// Bytes of which a flush of their own is worth its while.
    private static let largeChunk = 16 << 20

    func run() throws(StorageError) -> RestoreResult {
        try requireFree()
        let point = try repository.point(options.time)
        let limit = try limit(of: point)
        if options.blobDirectory != nil { try requireBlobs(of: point) }
        let copy = try beginCopy()
        do throws(StorageError) {
            var result = try fill(copy, point, limit)
            try restoreBlobs(of: point, &result)
            try place(point, limit)
            return result
        } catch {
            Directories.remove(temporary)
            throw error
        }
    }

    /// The file to write to: emptied when an earlier run has left it.
    /// - Throws: `locked` when another run is at work on it.
    private func beginCopy() throws(StorageError) -> DataFile {
        // What somebody else has put there may lead anywhere.
        if FileSystem.isLink(temporary) { Directories.remove(temporary) }
        let isLeftOver = FileSystem.exists(temporary)
        let copy = try DataFile(temporary, isLeftOver ? .writing : .creating(permissions: 0o666))
        try copy.lock()
        try copy.truncate(to: 0)
        return copy
    }

    private func requireFree() throws(StorageError) {
        if let blobs = options.blobDirectory, FileSystem.exists(blobs) {
            throw .io("\(blobs): blobs are restored to a new directory", errno: EEXIST)
        }
        guard FileSystem.exists(output) else { return }
        guard options.replaces else { throw .io(output, errno: EEXIST) }
        guard !FileSystem.isLink(output) else {
            throw .wrongState(
                "\(output): it is a symbolic link that leads nowhere; remove it, or make what it leads to")
        }
        try OpenFiles.requireUnused(output)
    }

    /// Where the file is to be cut off; nil at its end.
    private func limit(of point: RestorePoint) throws(StorageError) -> Int? {
        guard let tid = point.through else { return nil }
        return try repository.open(RestorePoint(chain: point.chain, through: nil), options.watch).withClosing {
            (storage) throws(StorageError) in try repository.limit(of: storage, through: tid)
        }
    }

    private func fill(
        _ copy: DataFile, _ point: RestorePoint, _ limit: Int?
    ) throws(StorageError) -> RestoreResult {
        let files = point.chain.files
        var result = RestoreResult(name: point.name, fileCount: files.count, size: 0, last: .none)
        result.isVerified = files.allSatisfy { point.chain.facts[$0] != nil }
        let total = point.chain.facts[files[files.count - 1]]?.end ?? 0
        if let free = FreeSpace.bytes(at: Directories.parent(of: output)), free < total {
            throw .io("\(output): \(total) bytes are to be written, \(free) are free", errno: ENOSPC)
        }
        var place = 0
        for file in files {
            let start = place
            let md5 = try append(file, to: copy, &place, total)
            guard let facts = point.chain.facts[file] else { continue }
            guard place - start == facts.end - facts.start else {
                throw .corrupt(
                    repository.file(file),
                    FormatError(
                        .invalid(field: "size", found: "\(place - start) bytes, not \(facts.end - facts.start)"), at: 0)
                )
            }
            guard md5 == facts.md5 else {
                throw .corrupt(
                    repository.file(file),
                    FormatError(.invalid(field: "checksum", found: "\(md5), not \(facts.md5)"), at: 0))
            }
        }
        if let limit { try copy.truncate(to: limit) }
        try copy.sync()
        result.size = try copy.size()
        result.last = try FileStorage(temporary).withClosing { (storage) throws(StorageError) in
            try storage.lastTransaction()
        }
        return result
    }

    /// Appends a chunk; its MD5.
    private func append(
        _ chunk: ChunkFile, to copy: DataFile, _ place: inout Int, _ total: Int
    ) throws(StorageError) -> String {
        let start = place
        guard !chunk.isCompressed else {
            var hash = MD5()
            try repository.read(chunk) { (bytes) throws(StorageError) in
                try options.watch.check("restoring", place, of: total)
                unsafe hash.update(bytes)
                try unsafe copy.write(bytes, at: place)
                place += bytes.count
            }
            return Hexadecimal.text(hash.digest)
        }
        // Another thread hashes the same bytes meanwhile. What it has read is what was copied: files of a repository do not
        // change; if one did, the next verification of the result would tell.
        let file = try DataFile(repository.file(chunk))
        let size = try file.size()
        let hashing = try BackgroundWork { (abandonment) throws(StorageError) in
            try file.md5(of: 0..<size, BackupWatch(interruption: abandonment))
        }
        let (md5, _) = try hashing.alongside { () throws(StorageError) in
            try file.forEachChunk(of: 0..<size) { (bytes, offset) throws(StorageError) in
                try options.watch.check("restoring", start + offset, of: total)
                try unsafe copy.write(bytes, at: start + offset)
            }
            // The disk has time while the other thread goes on.
            if size > Self.largeChunk { try copy.sync() }
        }
        place += size
        return md5
    }

    // MARK: Blobs

    private func restoreBlobs(of point: RestorePoint, _ result: inout RestoreResult) throws(StorageError) {
        var blobs: [Manifest.Blob] = []
        result.knowsBlobs = true
        for file in point.chain.files {
            guard let manifest = try repository.manifest(of: file.name), manifest.hasBlobs else {
                result.knowsBlobs = false
                continue
            }
            blobs += manifest.blobs.filter { $0.serial <= point.through ?? .latest }
            result.missingBlobs += manifest.missingBlobs.filter { $0.serial <= point.through ?? .latest }
        }
        guard let directory = options.blobDirectory else {
            result.leftBlobCount = blobs.count
            return
        }
        let part = directory + ".part"
        try Directories.removeTree(part)
        try Directories.make(part)
        do throws(StorageError) {
            let marker = try DataFile("\(part)/.layout", .creating(permissions: 0o666))
            try marker.write(Array("bushy".utf8), at: 0)
            try marker.sync()
            try Directories.make("\(part)/tmp")
            for blob in blobs {
                try options.watch.check("restoring blobs", result.blobCount, of: blobs.count)
                try restore(blob, to: part)
                result.blobCount += 1
                result.blobBytes += blob.size
            }
            try Directories.sync(part)
            try Directories.rename(part, to: directory)
            try Directories.sync(Directories.parent(of: directory))
        } catch {
            try? Directories.removeTree(part)
            throw error
        }
    }

    /// - Throws: `wrongState` with a list when the repository has lost files of blobs.
    private func requireBlobs(of point: RestorePoint) throws(StorageError) {
        var lost: [String] = []
        for file in point.chain.files {
            guard let manifest = try repository.manifest(of: file.name) else { continue }
            for blob in manifest.blobs where blob.serial <= point.through ?? .latest {
                let name = BlobKeeper.name(blob.oid, blob.serial)
                if !FileSystem.exists(repository.file(name)) { lost.append(name) }
            }
        }
        guard !lost.isEmpty else { return }
        let shown = lost.prefix(20).joined(separator: ", ") + (lost.count > 20 ? ", …" : "")
        throw .wrongState("\(repository.path): files of blobs are missing, \(lost.count) of them: \(shown)")
    }

    private func restore(_ blob: Manifest.Blob, to directory: String) throws(StorageError) {
        let source = try DataFile(repository.file(BlobKeeper.name(blob.oid, blob.serial)))
        let target = "\(directory)/" + BlobDirectory.file(of: blob.oid, serial: blob.serial, in: .bushy)
        let parent = Directories.parent(of: target)
        try Directories.make(parent)
        let copy =
            options.linksBlobs && Directories.link(source.path, as: target)
            ? nil : try DataFile(target, .creating(permissions: 0o666))
        var hash = SHA256()
        let size = try source.size()
        try source.forEachChunk(of: 0..<size) { (bytes, offset) throws(StorageError) in
            try options.watch.interruption?.check()
            unsafe hash.update(bytes)
            try unsafe copy?.write(bytes, at: offset)
        }
        guard size == blob.size, Hexadecimal.text(hash.digest) == blob.sha256 else {
            throw .corrupt(
                source.path, FormatError(.invalid(field: "checksum", found: "another than was noted"), at: 0))
        }
        if let copy {
            try copy.sync()
            try Directories.protect(target)
        }
        try Directories.sync(parent)
    }

    // MARK: The end

    /// The blobs are there; now the file, and its index. An index that belongs to another file shows wrong revisions: so the
    /// old one goes first.
    private func place(_ point: RestorePoint, _ limit: Int?) throws(StorageError) {
        let index = name + ".index"
        if options.replaces, FileSystem.exists(output) { try OpenFiles.requireUnused(output) }
        Directories.remove(index)
        if options.replaces {
            try Directories.rename(temporary, to: output)
        } else {
            // Unlike a rename, a link fails where something has appeared meanwhile; some file systems have none.
            if Directories.link(temporary, as: output) {
                Directories.remove(temporary)
            } else {
                guard !FileSystem.exists(output) else { throw .io(output, errno: EEXIST) }
                try Directories.rename(temporary, to: output)
            }
        }
        try Directories.sync(Directories.parent(of: output))
        guard limit == nil, let path = repository.newestIndex(of: point.chain.files),
            let bytes = try Repository.content(of: path)
        else { return }
        let copy = try DataFile(index + ".part", .replacing(permissions: 0o666))
        try copy.write(bytes, at: 0)
        try copy.sync()
        try Directories.rename(index + ".part", to: index)
        try Directories.sync(Directories.parent(of: index))
    }
}

extension FileStorage {
    func withClosing<Result>(
        _ body: (FileStorage) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        defer { close() }
        return try body(self)
    }
}
