internal import ZODB
internal import ZODBFile

extension RepositoryWriter {
    /// The list of files that are being removed: whoever finds it goes on with that.
    private static let removalList = "removing.zeoshell"

    /// Removes files, all or, after a crash, what is left of them at the next tidying.
    func removeAll(_ names: [String]) throws(StorageError) {
        try write(Array((names.joined(separator: "\n") + "\n").utf8), as: Self.removalList)
        try finishRemoval(names)
    }

    private func finishRemoval(_ names: [String]) throws(StorageError) {
        for name in names { try remove(name) }
        try syncDirectory(".")
        try remove(Self.removalList)
        try syncDirectory(".")
    }

    /// Whether a file is called as those are that we remove: of a backup, or of a blob.
    private static func isOurs(_ name: String) -> Bool {
        if name.hasPrefix("blobs/") { return !name.split(separator: "/").contains("..") }
        let endings = [".dat", ".index", ".manifest"]
        return ChunkFile(fileName: name) != nil
            || endings.contains { name.hasSuffix($0) && BackupName(name.dropLast($0.count)) != nil }
    }

    /// Brings to its end what an earlier run, ours or repozo's, was cut off in.
    /// - Precondition: the repository is locked.
    /// - Returns: what was done, in words; nothing that was merely left over.
    func tidy(_ repository: Repository) throws(StorageError) -> [String] {
        var done: [String] = []
        var repository = repository
        if let list = try Repository.content(of: file(Self.removalList)) {
            let names = String(decoding: list, as: UTF8.self).split(separator: "\n").map(String.init)
            // Nothing but what we name so ourselves.
            try finishRemoval(names.filter(Self.isOurs))
            done.append("finished removing \(names.count) files")
            repository = try Repository(path)
        }
        let chunks = Set(repository.chains.flatMap(\.files).map(\.name) + repository.orphans.map(\.name))
        for name in try Directories.entries(of: path) {
            if name.hasPrefix(Self.temporaryPrefix) {
                try remove(name)
            } else if name.hasSuffix(".manifest"), let owner = BackupName(name.dropLast(9)), !chunks.contains(owner) {
                // Its chunk was never put in its place, or repozo has removed it.
                try remove("\(owner).index")
                try remove(name)
            }
        }
        if let chain = repository.chains.last, let note = try completeDat(of: chain, repository) { done.append(note) }
        return done
    }

    /// Adds lines for chunks that were put in their place just before a crash.
    private func completeDat(of chain: Chain, _ repository: Repository) throws(StorageError) -> String? {
        let listed = chain.presentLines
        let missing = chain.files.filter { file in !listed.contains { $0.fileName == file.fileName } }
        guard !missing.isEmpty else { return nil }
        var lines: [DatLine] = []
        var end = 0
        for file in chain.files {
            if let line = listed.last(where: { $0.fileName == file.fileName }) {
                lines.append(line)
            } else if let facts = chain.facts[file] {
                lines.append(line(for: file, facts))
            } else {
                // repozo's own: it renames a file when it is whole, so what is there is all of it.
                let (size, md5) = try repository.measure(file, withChecksum: true)
                lines.append(line(for: file, Chain.Facts(start: end, end: end + size, md5: md5 ?? "")))
            }
            end = lines[lines.count - 1].end
        }
        try write(Array(lines.map(\.text).joined().utf8), as: "\(chain.name).dat")
        return "completed \(chain.name).dat"
    }

    private func line(for file: ChunkFile, _ facts: Chain.Facts) -> DatLine {
        DatLine(path: DatLine.path(of: file, in: path), start: facts.start, end: facts.end, md5: facts.md5)
    }
}
