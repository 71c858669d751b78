internal import ByteCoding
public import ZODB
internal import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

extension CopyableStorage {
    /// Backs up what a server has, without its file: every transaction is asked for, and written as a Data.fs.
    ///
    /// It is the same database, transaction for transaction; the bytes are others, since a revision that only points back to
    /// an older one is written out.
    /// - Parameter generation: the Python of the site: what the new file's magic says.
    /// - Throws: `unsupported` when the server cannot list its transactions; `wrongState` when it has lost the end of
    ///   what was backed up, or has another database, and nothing was written or removed; `connection`; what the backup of a file throws.
    public func backUpTransactions(
        to path: String, generation: PythonGeneration, _ options: BackupOptions = BackupOptions()
    ) throws(StorageError) -> BackupResult {
        try Directories.makeRepository(path)
        let lock = try RepositoryLock(path)
        defer { withExtendedLifetime(lock) {} }
        let writer = RepositoryWriter(path, gate: options.gate)
        let repairs = try writer.tidy(try Repository(path))
        let repository = try Repository(path)
        if !options.acceptsOlder {
            try SourceCheck(name: name, repository: repository, watch: options.watch).require(
                last: try lastTransaction(),
                has: { (tid) throws(StorageError) in try self.transactions(from: tid, through: tid).next() != nil },
                first: { () throws(StorageError) in
                    try self.contents(from: nil, through: .latest).next()?.transaction
                })
        }
        let backup = ServerBackup(self, repository, writer, options, generation)
        var result: BackupResult
        switch try backup.decide() {
        case .nothing:
            result = BackupResult(.none)
            result.last = try lastTransaction()
        case .increment(let start): result = try backup.run(from: start, isFull: false)
        case .full(let reason):
            result = try backup.run(from: 0, isFull: true)
            result.reason = reason
        }
        result.repairs = repairs + result.repairs
        if options.includesBlobs, let blobs = self as? any BlobStorage {
            result.repairs += try Repository(path).bringBackBlobs(of: blobs, writer, options)
        }
        // Only a new backup makes older ones superfluous.
        guard result.kind != .none else { return result }
        result.removed = try options.retention.apply(to: try Repository(path), writer, now: options.now())
        return result
    }
}

/// One backup of what a server has.
private struct ServerBackup {
    private let storage: any CopyableStorage
    private let repository: Repository
    private let writer: RepositoryWriter
    private let options: BackupOptions
    private let generation: PythonGeneration

    init(
        _ storage: any CopyableStorage, _ repository: Repository, _ writer: RepositoryWriter, _ options: BackupOptions,
        _ generation: PythonGeneration
    ) {
        (self.storage, self.repository, self.writer) = (storage, repository, writer)
        (self.options, self.generation) = (options, generation)
    }

    // MARK: What to ask for

    /// An increment will do when the server still has the last transaction as it was, and has not been packed since.
    func decide() throws(StorageError) -> BackupDecision {
        guard !options.isFull else { return .full(reason: "asked for") }
        guard let chain = repository.chains.last else { return .full(reason: "there is no backup yet") }
        guard let newest = chain.files.last, let manifest = try repository.manifest(of: newest.name),
            manifest.chunk == newest, manifest.source == .server
        else { return .full(reason: "the backups before were made from a file") }
        guard chain.gap == nil, try isWhole(chain) else {
            return .full(reason: "the backups before are not as they were written")
        }
        guard manifest.last > .none else { return .full(reason: "the backup before was of an empty database") }
        let last = try storage.lastTransaction()
        guard last >= manifest.last else {
            return .full(reason: "the server's last transaction is older than that of the backup")
        }
        guard try hasTransaction(manifest.last, like: chain) else { return .full(reason: Self.changed) }
        if let tid = manifest.firstUnpacked, try !isUnpacked(tid) { return .full(reason: Self.packed) }
        return last == manifest.last ? .nothing : .increment(from: manifest.end)
    }

    private static let changed =
        "the server was packed since, it seems: it does not have all of the backup's last transaction any more"
    private static let packed = "the server was packed since"

    private func isWhole(_ chain: Chain) throws(StorageError) -> Bool {
        for file in chain.files where !file.isCompressed || !options.isQuick {
            guard let facts = chain.facts[file] else { return false }
            let size: Int
            let md5: String?
            do throws(StorageError) {
                (size, md5) = try repository.measure(file, withChecksum: !options.isQuick)
            } catch .corrupt {
                return false
            }
            guard size == facts.end - facts.start, md5 ?? facts.md5 == facts.md5 else { return false }
        }
        return true
    }

    private func hasTransaction(_ tid: TransactionID, like chain: Chain) throws(StorageError) -> Bool {
        let contents = try storage.contents(from: tid, through: tid)
        guard let theirs = try contents.next(), theirs.transaction.tid == tid else { return false }
        // To look into compressed files, all of them would have to be decompressed.
        guard !options.isQuick, chain.files.allSatisfy({ !$0.isCompressed }) else { return true }
        // A server that was set back and went on may have given the same tid to something else.
        let mine = try repository.open(RestorePoint(chain: chain, through: nil), options.watch)
        defer { mine.close() }
        let (summary, records) = try mine.records(of: tid)
        guard summary.user == theirs.transaction.user, summary.description == theirs.transaction.description,
            summary.status == theirs.transaction.status
        else { return false }
        while let record = try records.next() {
            guard let other = try theirs.records.next(), other.oid == record.oid, other.data == record.data else {
                return false
            }
        }
        return try theirs.records.next() == nil
    }

    private func isUnpacked(_ tid: TransactionID) throws(StorageError) -> Bool {
        let transaction = try storage.transactions(from: tid, through: tid).next()
        return transaction?.tid == tid && transaction?.status == .complete
    }

    // MARK: Copying

    func run(from start: Int, isFull: Bool) throws(StorageError) -> BackupResult {
        let last = try storage.lastTransaction()
        let name = try BackupName.next(after: repository.newestName, options.now)
        let chunk = ChunkFile(name, isFull: isFull, isCompressed: options.isCompressed)
        let before =
            isFull
            ? nil
            : try repository.chains.last.map { (chain) throws(StorageError) in
                try Continued(chain, repository, options.watch)
            }
        let plain = "plain"
        let file = try writer.begin(plain)
        do throws(StorageError) {
            var output = TransactionFile(
                file, writer, start: start, index: before?.index ?? FileIndex(), before?.generation ?? generation)
            let blobs = Blobs(storage, repository, writer, options)
            var firstUnpacked = before?.firstUnpacked
            try copy(after: before?.last, through: last, to: &output, blobs, &firstUnpacked)
            try output.finish()
            try writer.sync(file)
            let tally = try blobs.finish()
            try writer.writeIndex(output.index, position: output.end, before?.generation ?? generation, name)
            let md5 = try file.md5(of: 0..<output.end - start, options.watch, task: "reading back")
            let size = try place(plain, file, as: chunk)
            var manifest = Manifest(
                source: .server, place: storage.name, chunk: chunk, start: start, end: output.end, md5: md5, last: last)
            manifest.objectCount = output.index.count
            manifest.generation = before?.generation ?? generation
            manifest.firstUnpacked = firstUnpacked
            manifest.add(tally)
            try writer.finish(chunk, manifest, repository)
            var result = BackupResult(isFull ? .full : .incremental)
            (result.chunk, result.last) = (chunk, last)
            (result.start, result.end, result.storedSize) = (start, output.end, size)
            result.add(tally)
            return result
        } catch {
            writer.giveUp(plain)
            throw error
        }
    }

    private func copy(
        after: TransactionID?, through last: TransactionID, to output: inout TransactionFile, _ blobs: Blobs,
        _ firstUnpacked: inout TransactionID?
    ) throws(StorageError) {
        let contents = try storage.contents(from: after?.successor, through: last)
        var count = 0
        while let content = try contents.next() {
            let transaction = content.transaction
            // Before Zope 2.4, undo left such a thing: its records are void.
            guard transaction.status != .undone else {
                while try content.records.next() != nil {}
                continue
            }
            if firstUnpacked == nil, transaction.status == .complete { firstUnpacked = transaction.tid }
            try output.append(transaction, content.records) { blobs.note($0, in: transaction.tid) }
            count += 1
            try options.watch.interruption?.check()
            options.watch.progress?(ScanProgress(task: "copying \(count) transactions", done: output.end, total: 0))
        }
    }

    /// The chunk is written again when it is to be compressed; how many bytes it has.
    private func place(_ plain: String, _ file: DataFile, as chunk: ChunkFile) throws(StorageError) -> Int {
        let size = try file.size()
        guard chunk.isCompressed else {
            try writer.rename(
                RepositoryWriter.temporaryPrefix + plain, to: RepositoryWriter.temporaryPrefix + chunk.fileName)
            return size
        }
        let copy = try writer.begin(chunk.fileName)
        let stored = try writer.copy(file, 0..<size, to: copy, isCompressed: true, options.watch)
        try writer.remove(RepositoryWriter.temporaryPrefix + plain)
        return stored
    }
}

/// The chain that an increment continues.
private struct Continued {
    var index: FileIndex
    var generation: PythonGeneration?
    var last: TransactionID
    var firstUnpacked: TransactionID?

    init(_ chain: Chain, _ repository: Repository, _ watch: BackupWatch) throws(StorageError) {
        if let file = chain.files.last, let manifest = try repository.manifest(of: file.name), manifest.chunk == file,
            case .index(let index, let position) = try IndexFile.read(repository.file("\(file.name).index")),
            position == manifest.end, index.count == manifest.objectCount
        {
            // What was noted when it was made will do; compressed files need not be opened.
            (self.index, generation, last) = (index, manifest.generation, manifest.last)
            firstUnpacked = manifest.firstUnpacked
            return
        }
        let storage = try repository.open(RestorePoint(chain: chain, through: nil), watch)
        defer { storage.close() }
        let part: CommittedPart
        (part, index) = try storage.committedPartWithIndex()
        (generation, last) = (part.generation, part.last)
        if let file = chain.files.last { firstUnpacked = try repository.manifest(of: file.name)?.firstUnpacked }
    }
}

/// The blobs of the transactions that are copied: noted on the way, fetched at the end.
private final class Blobs {
    private let storage: (any BlobStorage)?
    private let keeper: BlobKeeper
    private var noted: [(ObjectID, TransactionID)] = []

    init(
        _ storage: any Storage, _ repository: Repository, _ writer: RepositoryWriter, _ options: BackupOptions
    ) {
        self.storage = options.includesBlobs ? storage as? any BlobStorage : nil
        keeper = BlobKeeper(repository, writer, options)
    }

    func note(_ record: TransactionRecord, in tid: TransactionID) {
        guard storage != nil, let data = record.data, BlobRecord.isBlob(data) else { return }
        if let last = noted.last, last == (record.oid, tid) { return }
        noted.append((record.oid, tid))
    }

    func finish() throws(StorageError) -> BlobTally {
        guard let storage else { return BlobTally() }
        for (oid, tid) in noted {
            do throws(StorageError) {
                try keeper.keep(oid, tid, of: storage)
            } catch .unsupported {
                // The server keeps no blobs, whatever records it has.
                return BlobTally(missing: noted.map { Manifest.MissingBlob(oid: $0.0, serial: $0.1) })
            }
        }
        try keeper.finish()
        return keeper.tally
    }
}
