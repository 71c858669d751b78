public import ZODB
internal import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A directory of backups, in the form that repozo made: each full backup begins a chain, and the increments after it
/// belong to it.
///
/// What is in it is read when it is opened. Nothing is believed that can be checked cheaply: the names of the files rule,
/// the `.dat` file and the manifests say more about them.
public struct Repository: Sendable {
    public let path: String
    /// Oldest first.
    public private(set) var chains: [Chain]
    /// Increments older than every full backup: of no use.
    public private(set) var orphans: [ChunkFile]

    /// - Throws: `io` when it cannot be read.
    public init(_ path: String) throws(StorageError) {
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        (chains, orphans) = ([], [])
        let files = try Directories.entries(of: path).compactMap { ChunkFile(fileName: $0) }
            .sorted { ($0.name, $0.fileName) < ($1.name, $1.fileName) }
        for file in files {
            if file.isFull {
                chains.append(Chain(full: file))
            } else if chains.isEmpty {
                orphans.append(file)
            } else {
                chains[chains.count - 1].files.append(file)
            }
        }
        for index in chains.indices { try readFacts(of: &chains[index]) }
    }

    /// The names of all chunks, the newest last; nil when there is none.
    public var newestName: BackupName? { chains.last?.files.last?.name ?? orphans.last?.name }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func file(_ chunk: ChunkFile) -> String { file(chunk.fileName) }

    /// The directory of the blobs of all backups.
    public var blobDirectory: String { file("blobs") }

    /// The manifest of a backup; nil when there is none, as for repozo's own, or it is damaged.
    func manifest(of name: BackupName) throws(StorageError) -> Manifest? {
        guard let bytes = try Self.content(of: file(Manifest.fileName(of: name))) else { return nil }
        return Manifest(bytes)
    }

    /// - Returns: nil when there is no such file.
    static func content(of path: String) throws(StorageError) -> [UInt8]? {
        do throws(StorageError) {
            let file = try DataFile(path)
            return try file.bytes(at: 0, count: try file.size())
        } catch .io(_, errno: ENOENT) {
            return nil
        }
    }
}

extension Repository {
    /// Gives each file of the chain its place in the Data.fs: as the `.dat` file says, or else its manifest.
    private func readFacts(of chain: inout Chain) throws(StorageError) {
        let bytes = try Self.content(of: file("\(chain.name).dat"))
        let (lines, isWhole) = DatLine.lines(of: bytes ?? [])
        chain.lines = lines
        chain.isDatWhole = bytes != nil && isWhole
        for file in chain.files {
            // The last line about a file is the valid one.
            if let line = lines.last(where: { $0.fileName == file.fileName }) {
                chain.facts[file] = Chain.Facts(start: line.start, end: line.end, md5: line.md5)
            } else if let manifest = try manifest(of: file.name), manifest.chunk == file {
                chain.facts[file] = Chain.Facts(start: manifest.start, end: manifest.end, md5: manifest.md5)
            }
        }
    }
}

/// A full backup and the increments that continue it, oldest first.
public struct Chain: Hashable, Sendable {
    /// What is known of one file without reading it.
    struct Facts: Hashable, Sendable {
        var start: Int, end: Int
        var md5: String
    }

    public internal(set) var files: [ChunkFile]
    /// The lines of its `.dat` file, those about files that are no more included.
    var lines: [DatLine] = []
    /// The `.dat` file is there, and every line of it could be read.
    var isDatWhole = false
    var facts: [ChunkFile: Facts] = [:]

    init(full: ChunkFile) { files = [full] }

    /// The name of its full backup.
    public var name: BackupName { files[0].name }

    /// The part of it that makes the Data.fs of a backup.
    func upTo(_ name: BackupName) -> Chain {
        var chain = self
        chain.files.removeAll { $0.name > name }
        return chain
    }

    /// Why its files do not make a Data.fs, as far as what is written about them tells; nil when nothing speaks against it.
    ///
    /// A file that should lie between two of them and is missing shows by a gap.
    var gap: (file: ChunkFile, expected: Int, found: Int)? {
        var end = 0
        for file in files {
            guard let facts = facts[file] else { return nil }
            guard facts.start == end else { return (file, end, facts.start) }
            end = facts.end
        }
        return nil
    }
}

/// A file of a repository, as a list shows it.
public struct RepositoryEntry: Hashable, Sendable {
    public var chunk: ChunkFile
    /// Bytes of the Data.fs in it, where something says so; and how many it takes.
    public var size: Int?, storedSize: Int
    /// The last transaction up to it; nil of a damaged one.
    public var last: TransactionID?
    /// nil of repozo's own.
    public var source: Manifest.Source?
    /// Blobs of its transactions; nil when nobody looked for any.
    public var blobCount: Int?
}

extension Repository {
    /// Every file, oldest first. Of those that repozo compressed, the last transaction is not looked for.
    public func entries() throws(StorageError) -> [RepositoryEntry] {
        var entries: [RepositoryEntry] = []
        for chain in chains {
            for (index, file) in chain.files.enumerated() {
                let manifest = try manifest(of: file.name)
                var part = chain
                part.files.removeSubrange((index + 1)...)
                var entry = RepositoryEntry(chunk: file, size: nil, storedSize: try DataFile(self.file(file)).size())
                entry.size = chain.facts[file].map { $0.end - $0.start }
                if manifest != nil || !file.isCompressed { entry.last = try lastTransaction(of: part) }
                entry.source = manifest?.source
                entry.blobCount = manifest.flatMap { $0.hasBlobs ? $0.blobs.count : nil }
                entries.append(entry)
            }
        }
        return entries
    }
}
