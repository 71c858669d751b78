internal import ByteCoding
internal import ZODB
internal import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What became of the blobs of a backup.
struct BlobTally: Sendable {
    var wereLookedFor = false
    var blobs: [Manifest.Blob] = []
    var missing: [Manifest.MissingBlob] = []
    /// In files that were not in the repository yet.
    var copiedBytes = 0
    /// Files of the repository that had another content than when they were written, and have been written again.
    var healedCount = 0
}

/// The blobs of a repository: one directory for all backups, in the layout of a storage's own, since a blob never changes.
///
/// Each is there once, however many backups have it.
final class BlobKeeper {
    private struct Key: Hashable {
        var oid: ObjectID
        var serial: TransactionID
    }

    private let writer: RepositoryWriter
    private let watch: BackupWatch
    /// Blobs become second names of the storage's files.
    private let links: Bool
    /// What is there already is read, and compared with its checksum.
    private let checksContents: Bool
    private let repository: Repository
    /// What earlier backups say of blobs; read when the first is found to be there already.
    private var known: [Key: Manifest.Blob]?
    /// Directories in which names were made, to be flushed at the end.
    private var touched: Set<String> = []
    private(set) var tally = BlobTally()

    init(_ repository: Repository, _ writer: RepositoryWriter, _ options: BackupOptions) {
        (self.repository, self.writer, watch) = (repository, writer, options.watch)
        (links, checksContents) = (options.linksBlobs, options.isFull)
        tally.wereLookedFor = true
    }

    /// What an earlier backup says of the blob; nil when none has it.
    private func known(_ key: Key) throws(StorageError) -> Manifest.Blob? {
        if let known { return known[key] }
        var all: [Key: Manifest.Blob] = [:]
        for file in repository.chains.flatMap(\.files) {
            guard let manifest = try repository.manifest(of: file.name) else { continue }
            for blob in manifest.blobs { all[Key(oid: blob.oid, serial: blob.serial)] = blob }
        }
        known = all
        return all[key]
    }

    /// The blob's file below the repository.
    static func name(_ oid: ObjectID, _ serial: TransactionID) -> String {
        "blobs/" + BlobDirectory.file(of: oid, serial: serial, in: .bushy)
    }

    /// Keeps the blob that `storage` has.
    /// - Parameter lost: what an earlier backup says of it, when its file is no more in the repository.
    /// - Throws: `corrupt` when the storage's file is not what was backed up before.
    func keep(
        _ oid: ObjectID, _ serial: TransactionID, of storage: any BlobStorage, lost: Manifest.Blob? = nil
    ) throws(StorageError) {
        try watch.interruption?.check()
        let name = Self.name(oid, serial)
        var (expected, isDamaged) = (lost, false)
        if let size = try size(of: name), let blob = try known(Key(oid: oid, serial: serial)) {
            isDamaged = blob.size != size
            if !isDamaged, checksContents { isDamaged = try checksum(of: DataFile(writer.file(name))) != blob.sha256 }
            guard isDamaged else {
                tally.blobs.append(blob)
                return
            }
            expected = blob
        }
        do throws(StorageError) {
            tally.blobs.append(try copy(oid, serial, storage, to: name, expected))
            if isDamaged { tally.healedCount += 1 }
        } catch .noBlob, .noSuchObject {
            // A server says of a missing file that the object is.
            tally.missing.append(Manifest.MissingBlob(oid: oid, serial: serial))
        }
    }

    private func size(of name: String) throws(StorageError) -> Int? {
        do throws(StorageError) {
            return try DataFile(writer.file(name)).size()
        } catch .io(_, errno: ENOENT) {
            return nil
        } catch .io(_, errno: ENOTDIR) {
            return nil
        }
    }

    private func checksum(of file: DataFile) throws(StorageError) -> String {
        var hash = SHA256()
        try file.forEachChunk(of: 0..<file.size()) { (bytes, _) throws(StorageError) in
            try watch.interruption?.check()
            unsafe hash.update(bytes)
        }
        return Hexadecimal.text(hash.digest)
    }

    private func copy(
        _ oid: ObjectID, _ serial: TransactionID, _ storage: any BlobStorage, to name: String,
        _ expected: Manifest.Blob?
    ) throws(StorageError) -> Manifest.Blob {
        var size = 0
        let sha256: String
        let temporary = "blob"
        if links, let path = try storage.blobPath(oid, serial: serial), try writer.link(path, as: temporary) {
            let file = try DataFile(path)
            size = try file.size()
            sha256 = try checksum(of: file)
        } else {
            var hash = SHA256()
            let contents = try storage.blob(oid, serial: serial)
            let file = try writer.begin(temporary)
            while let chunk = try contents.next() {
                try watch.interruption?.check()
                hash.update(chunk.span)
                try writer.write(chunk, to: file, at: size)
                size += chunk.count
            }
            try writer.sync(file)
            try Directories.protect(file.path)
            tally.copiedBytes += size
            sha256 = Hexadecimal.text(hash.digest)
        }
        if let expected, expected.sha256 != sha256 {
            writer.giveUp(temporary)
            throw .corrupt(
                "the file of blob \(oid) of \(serial) in \(storage.name)",
                FormatError(
                    .invalid(field: "content", found: "another than was backed up before, and blobs never change"),
                    at: 0))
        }
        try prepareDirectory(of: name)
        try writer.rename(RepositoryWriter.temporaryPrefix + temporary, to: name)
        touched.insert(Directories.parent(of: name))
        watch.progress?(ScanProgress(task: "copying blobs", done: tally.copiedBytes, total: 0))
        return Manifest.Blob(oid: oid, serial: serial, size: size, sha256: sha256)
    }

    private func prepareDirectory(of name: String) throws(StorageError) {
        let directory = Directories.parent(of: name)
        guard !touched.contains(directory) else { return }
        if try size(of: "blobs/.layout") == nil {
            try writer.makeDirectory("blobs")
            try writer.write(Array("bushy".utf8), as: "layout")
            try writer.rename("layout", to: "blobs/.layout")
        }
        try writer.makeDirectory(directory)
    }

    /// All of it is on the disk, names too.
    func finish() throws(StorageError) {
        for directory in touched.sorted() { try writer.syncDirectory(directory) }
        tally.blobs.sort { ($0.serial, $0.oid) < ($1.serial, $1.oid) }
        tally.missing.sort { ($0.serial, $0.oid) < ($1.serial, $1.oid) }
    }
}

extension Repository {
    /// Copies those blobs of the newest chain again whose files are no more in the repository, where the storage still has
    /// them; what was done, in words.
    func bringBackBlobs(
        of storage: any BlobStorage, _ writer: RepositoryWriter, _ options: BackupOptions
    ) throws(StorageError) -> [String] {
        let keeper = BlobKeeper(self, writer, options)
        var notes: [String] = []
        for file in chains.last?.files ?? [] {
            guard let manifest = try manifest(of: file.name) else { continue }
            for blob in manifest.blobs {
                guard !FileSystem.exists(self.file(BlobKeeper.name(blob.oid, blob.serial))) else { continue }
                do throws(StorageError) {
                    try keeper.keep(blob.oid, blob.serial, of: storage, lost: blob)
                } catch .unsupported {
                    // The server keeps no blobs.
                    return []
                } catch .corrupt(let what, let error) {
                    notes.append("\(what): \(error): it was not copied")
                }
            }
        }
        try keeper.finish()
        let count = keeper.tally.blobs.count
        return notes + (count == 0 ? [] : ["files of blobs were missing: \(count) copied again"])
    }
}

/// The blobs whose records lie in a part of a Data.fs.
struct BlobBackup {
    private let storage: FileStorage
    private let keeper: BlobKeeper
    private let watch: BackupWatch

    init(
        _ storage: FileStorage, _ repository: Repository, _ writer: RepositoryWriter, _ options: BackupOptions
    ) {
        self.storage = storage
        watch = options.watch
        keeper = BlobKeeper(repository, writer, options)
    }

    func run(_ file: DataFile, _ range: Range<Int>) throws(StorageError) -> BlobTally {
        guard range.upperBound > FileFormat.firstTransaction else { return keeper.tally }
        var scanner = try FileScanner(
            file, from: max(range.lowerBound, FileFormat.firstTransaction), to: range.upperBound, .boundary,
            watch: ScanWatch(
                task: "looking for blobs", total: range.upperBound, interruption: watch.interruption,
                progress: watch.progress))
        // The same object twice in one transaction has one blob.
        var last: (ObjectID, TransactionID)?
        while try scanner.next() {
            let (oid, serial) = (scanner.oid, scanner.serial)
            if let last, last == (oid, serial) { continue }
            guard try isBlob(&scanner) else { continue }
            last = (oid, serial)
            try keeper.keep(oid, serial, of: storage)
        }
        try keeper.finish()
        return keeper.tally
    }

    private func isBlob(_ scanner: inout FileScanner) throws(StorageError) -> Bool {
        // A blob's record is short.
        guard scanner.dataSize < 1024 else { return false }
        if scanner.dataSize > 0 {
            return try scanner.withData { (data) throws(StorageError) in
                BlobRecord.isBlob(unsafe data.withUnsafeBytes { unsafe Array($0) })
            } ?? false
        }
        // It points to an older revision, or nowhere.
        do throws(StorageError) {
            return BlobRecord.isBlob(try storage.load(scanner.oid, at: scanner.serial).data)
        } catch .noSuchObject {
            return false
        } catch .noRevision {
            return false
        }
    }
}
