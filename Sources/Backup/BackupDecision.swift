internal import ByteCoding
internal import ZODB
internal import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What a backup has to write.
enum BackupDecision: Hashable, Sendable {
    /// The repository has all of it.
    case nothing
    /// What lies behind this position.
    case increment(from: Int)
    /// Everything, and why no increment would do.
    case full(reason: String)
}

/// Decides by repozo's rules whether an increment to the newest chain will do: it will when what the chain holds is the
/// beginning of the file, which it no more is after a pack.
///
/// Source: ZODB 6.4, `scripts/repozo.py`, `do_backup`. Two differences: repozo compares checksums where we compare the bytes,
/// and it takes the size of the file for its end, where we take the end of the last transaction, which is what is copied.
struct BackupJudge {
    let repository: Repository
    let part: CommittedPart
    let watch: BackupWatch
    /// A file that differs from a sound backup, and was not packed, is backed up all the same.
    var acceptsChange = false

    /// - Parameter isQuick: compares the last chunk only, by its checksum.
    func decide(isQuick: Bool) throws(StorageError) -> BackupDecision {
        guard let chain = repository.chains.last else { return .full(reason: "there is no backup yet") }
        if let manifest = try repository.manifest(of: chain.name), manifest.source != .file {
            return .full(reason: "the backups before were made from a server")
        }
        let size: Int
        if isQuick, let line = quickLine(of: chain) {
            guard part.end >= line.end else { return .full(reason: try reason(Self.shrunk, chain)) }
            let range = line.start..<line.end
            guard try part.file.md5(of: range, watch, task: "comparing") == line.md5 else {
                return .full(reason: try reason(Self.changed, chain))
            }
            size = line.end
        } else {
            guard let total = try wholeSize(of: chain) else { return .full(reason: Self.damaged) }
            guard part.end >= total else { return .full(reason: try reason(Self.shrunk, chain)) }
            guard try holdsBeginning(chain, total) else { return .full(reason: try reason(Self.changed, chain)) }
            size = total
        }
        return size == part.end ? .nothing : .increment(from: size)
    }

    private static let damaged = "the backups before are not as they were written"
    private static let shrunk = "the file is shorter than before"
    private static let changed = "what was backed up is no more in the file as it was"

    /// A pack is named as the cause where one has left its mark.
    /// - Throws: `wrongState` when there is none, and the backup is as it was written: then the file is damaged.
    private func reason(_ found: String, _ chain: Chain) throws(StorageError) -> String {
        if try part.firstTransaction()?.status == .packed { return "\(found), by a pack it seems" }
        guard !acceptsChange, try isSound(chain) else { return found }
        throw .wrongState(
            "\(part.file.path): \(found), and it was not packed: it may be damaged ('zeoshell verify' tells). Nothing was "
                + "written or removed in \(repository.path) (--accept-older backs it up all the same)")
    }

    /// Whether every file of the chain has its checksum, and the right one.
    private func isSound(_ chain: Chain) throws(StorageError) -> Bool {
        guard chain.gap == nil else { return false }
        for file in chain.files {
            guard let facts = chain.facts[file] else { return false }
            do throws(StorageError) {
                let (_, md5) = try repository.measure(file, withChecksum: true) { (done) throws(StorageError) in
                    try watch.check("comparing", done, of: facts.end - facts.start)
                }
                guard md5 == facts.md5 else { return false }
            } catch .corrupt {
                return false
            }
        }
        return true
    }

    /// How long the chain's files are together; nil when one of them is not as it was written.
    private func wholeSize(of chain: Chain) throws(StorageError) -> Int? {
        var total = 0
        do throws(StorageError) {
            for file in chain.files {
                let (size, _) = try repository.measure(file, withChecksum: false)
                if let facts = chain.facts[file], facts.start != total || facts.end != total + size { return nil }
                total += size
            }
        } catch .corrupt {
            return nil
        }
        return total
    }

    /// What the quick rule goes by: the last chunk that is not empty, when its place is known and all of the chain is there.
    private func quickLine(of chain: Chain) -> Chain.Facts? {
        guard chain.gap == nil, chain.files.allSatisfy({ chain.facts[$0] != nil }), chain.isDatWhole,
            // repozo goes on from a chunk that is lost, and so makes a chain with a hole in it.
            chain.lines.allSatisfy({ line in chain.files.contains { $0.fileName == line.fileName } })
        else { return nil }
        for file in chain.files.reversed() {
            guard let facts = chain.facts[file] else { return nil }
            if !file.isCompressed {
                guard let size = try? repository.measure(file, withChecksum: false).size,
                    size == facts.end - facts.start
                else { return nil }
            }
            if facts.end > facts.start { return facts }
        }
        return nil
    }

    /// Whether the chain's bytes, one chunk behind the other, are those at the beginning of the file.
    private func holdsBeginning(_ chain: Chain, _ total: Int) throws(StorageError) -> Bool {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        var place = 0
        do throws(StorageError) {
            for file in chain.files {
                try repository.read(file) { (bytes) throws(StorageError) in
                    try watch.check("comparing", place, of: total)
                    // Pieces are a megabyte at most.
                    let wanted = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<bytes.count])
                    guard bytes.count <= total - place,
                        try unsafe part.file.read(into: wanted, at: place) == bytes.count,
                        let mine = wanted.baseAddress, let theirs = bytes.baseAddress,
                        unsafe memcmp(mine, theirs, bytes.count) == 0
                    else { throw Self.difference }
                    place += bytes.count
                }
            }
        } catch .wrongState {
            return false
        } catch .corrupt {
            // It cannot be decompressed: no chain to go on from.
            return false
        }
        return place == total
    }

    private static let difference = StorageError.wrongState("different")
}
