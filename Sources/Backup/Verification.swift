internal import ByteCoding
public import ZODB
internal import ZODBFile

/// Something that is wrong with a repository.
public struct BackupProblem: Hashable, Sendable {
    /// The file, or what else it is about.
    public var place: String
    public var what: String

    init(_ place: String, _ what: String) { (self.place, self.what) = (place, what) }
}

/// What a verification looked at, and what it found.
public struct VerificationResult: Hashable, Sendable {
    public var chainCount = 0, fileCount = 0
    /// Bytes before compression.
    public var size = 0
    public var blobCount = 0
    public var problems: [BackupProblem] = []
    /// Not wrong, but worth knowing.
    public var notes: [BackupProblem] = []
    /// Of a restoration for the proof: what the restored database has.
    public var restored: RestoredFacts?
}

/// What a restored database was seen to have.
public struct RestoredFacts: Hashable, Sendable {
    public var name: BackupName
    public var transactionCount = 0, recordCount = 0, objectCount = 0, blobCount = 0
    public var last = TransactionID.none
}

extension Repository {
    /// Looks whether every file of every chain is as it was written: there, of its size, and, unless it is to be quick, with
    /// its checksum. So are the blobs.
    ///
    /// Source of repozo's part: ZODB 6.4, `scripts/repozo.py`, `do_verify`; it looks at the newest chain only.
    public func verify(isQuick: Bool = false, _ watch: BackupWatch = BackupWatch()) throws(StorageError)
        -> VerificationResult
    {
        var verification = Verification(repository: self, isQuick: isQuick, watch: watch)
        return try verification.run()
    }
}

private struct Verification {
    let repository: Repository
    let isQuick: Bool
    let watch: BackupWatch
    private var result = VerificationResult()
    private var seenBlobs: Set<Manifest.Blob> = []

    init(repository: Repository, isQuick: Bool, watch: BackupWatch) {
        (self.repository, self.isQuick, self.watch) = (repository, isQuick, watch)
    }

    mutating func run() throws(StorageError) -> VerificationResult {
        if repository.chains.isEmpty { report(repository.path, "no backup in it") }
        for file in repository.orphans { report(file.fileName, "the full backup that it continues is missing") }
        for chain in repository.chains { try verify(chain) }
        return result
    }

    private mutating func verify(_ chain: Chain) throws(StorageError) {
        result.chainCount += 1
        for line in chain.lines where !chain.files.contains(where: { $0.fileName == line.fileName }) {
            report(line.fileName, "is missing")
        }
        if let gap = chain.gap {
            report(gap.file.fileName, "begins at byte \(gap.found), where the files before it end at \(gap.expected)")
        }
        let dat = "\(chain.name).dat"
        if !chain.isDatWhole {
            note(dat, "is missing or damaged: repozo cannot verify this chain; the next backup mends the newest")
        }
        var end = 0
        for file in chain.files {
            result.fileCount += 1
            let listed = chain.lines.contains { $0.fileName == file.fileName }
            if !listed, chain.isDatWhole { note(file.fileName, "is not in \(dat): the next backup completes it") }
            end += try verify(file, chain.facts[file], from: end)
            try verifyManifest(of: file, chain.facts[file])
        }
    }

    /// - Returns: how many bytes the chunk has.
    private mutating func verify(
        _ chunk: ChunkFile, _ facts: Chain.Facts?, from start: Int
    ) throws(StorageError) -> Int {
        let suffix = chunk.isCompressed ? " (when uncompressed)" : ""
        let (done, total) = (result.size, repository.knownSize)
        let found: (size: Int, md5: String?)
        do throws(StorageError) {
            found = try repository.measure(chunk, withChecksum: !isQuick) { (size) throws(StorageError) in
                try watch.check("verifying", done + size, of: total)
            }
        } catch .corrupt(_, let error) {
            report(chunk.fileName, "cannot be decompressed: \(error)")
            return facts.map { $0.end - $0.start } ?? 0
        } catch .io(let what, let number) {
            report(chunk.fileName, "cannot be read: \(StorageError.io(what, errno: number))")
            return facts.map { $0.end - $0.start } ?? 0
        }
        result.size += found.size
        guard let facts else {
            note(chunk.fileName, "nothing says what its checksum was")
            return found.size
        }
        let expected = facts.end - facts.start
        if found.size != expected {
            report(chunk.fileName, "is \(found.size) bytes\(suffix), should be \(expected) bytes")
        } else if let md5 = found.md5, md5 != facts.md5 {
            report(chunk.fileName, "has checksum \(md5)\(suffix) instead of \(facts.md5)")
        }
        return expected
    }

    private mutating func verifyManifest(of chunk: ChunkFile, _ facts: Chain.Facts?) throws(StorageError) {
        let name = Manifest.fileName(of: chunk.name)
        guard let bytes = try Repository.content(of: repository.file(name)) else { return }
        guard let manifest = Manifest(bytes) else { return report(name, "is damaged") }
        guard manifest.chunk == chunk else { return report(name, "is about another file, \(manifest.chunk.fileName)") }
        if let facts, facts.start != manifest.start || facts.end != manifest.end || facts.md5 != manifest.md5 {
            report(name, "and the .dat file do not say the same of \(chunk.fileName)")
        }
        for blob in manifest.missingBlobs {
            note("blob \(blob.oid) \(blob.serial)", "was missing when \(chunk.name) was made")
        }
        for blob in manifest.blobs where seenBlobs.insert(blob).inserted { try verify(blob) }
    }

    private mutating func verify(_ blob: Manifest.Blob) throws(StorageError) {
        try watch.interruption?.check()
        result.blobCount += 1
        let name = BlobKeeper.name(blob.oid, blob.serial)
        do throws(StorageError) {
            let file = try DataFile(repository.file(name))
            let size = try file.size()
            guard size == blob.size else {
                return report(name, "is \(size) bytes, should be \(blob.size) bytes")
            }
            guard !isQuick else { return }
            var hash = SHA256()
            try file.forEachChunk(of: 0..<size) { (bytes, _) throws(StorageError) in
                try watch.interruption?.check()
                unsafe hash.update(bytes)
            }
            let digest = Hexadecimal.text(hash.digest)
            if digest != blob.sha256 { report(name, "has checksum \(digest) instead of \(blob.sha256)") }
        } catch .io(_, errno: 2) {
            report(name, "is missing")
        } catch .io(let what, let number) {
            report(name, "cannot be read: \(StorageError.io(what, errno: number))")
        }
    }

    private mutating func report(_ place: String, _ what: String) { result.problems.append(BackupProblem(place, what)) }

    private mutating func note(_ place: String, _ what: String) { result.notes.append(BackupProblem(place, what)) }
}

extension Repository {
    /// Bytes of all chunks before compression, as far as is known without reading them; for progress.
    var knownSize: Int {
        chains.reduce(0) { sum, chain in sum + chain.facts.values.reduce(0) { $0 + $1.end - $1.start } }
    }
}
