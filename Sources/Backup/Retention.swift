internal import ZODB
internal import ZODBFile

/// Which backups are kept. The newest chain always is; of the others each that one of the two wants to keep.
public struct Retention: Hashable, Sendable {
    /// How many chains are kept, the newest included; nil: as many as there are.
    public var chains: Int?
    /// Every state of so many days is kept; nil: whatever its age.
    public var days: Int?

    public init(chains: Int? = nil, days: Int? = nil) {
        (self.chains, self.days) = (chains, days)
    }

    /// The chains that need not be kept, oldest first.
    /// - Parameter now: seconds since 1970.
    func superfluous(_ all: [Chain], now: Int) -> [Chain] {
        guard chains != nil || days != nil else { return [] }
        return all.indices.dropLast().prefix { index in
            if let chains, index >= all.count - max(1, chains) { return false }
            // States up to the next full backup are in this one.
            if let days, all[index + 1].name.time > now - days * 86_400 { return false }
            return true
        }.map { all[$0] }
    }

    /// Removes what need not be kept; the names of the files.
    func apply(to repository: Repository, _ writer: RepositoryWriter, now: Int) throws(StorageError) -> [String] {
        let chains = superfluous(repository.chains, now: now)
        guard !chains.isEmpty else { return [] }
        var names: [String] = []
        for chain in chains {
            for file in chain.files.reversed() {
                names += [file.fileName, "\(file.name).index", Manifest.fileName(of: file.name)]
            }
            names.append("\(chain.name).dat")
        }
        names += try unusedBlobs(of: chains, in: repository)
        try writer.removeAll(names)
        return chains.flatMap(\.files).map(\.fileName)
    }

    /// The blobs that only these chains have.
    private func unusedBlobs(of chains: [Chain], in repository: Repository) throws(StorageError) -> [String] {
        let going = Set(chains.map(\.name))
        var used: Set<String> = []
        var candidates: Set<String> = []
        for chain in repository.chains {
            for file in chain.files {
                guard let manifest = try repository.manifest(of: file.name) else {
                    // A chunk that says nothing of its blobs may need any.
                    if !going.contains(chain.name) { return [] }
                    continue
                }
                let names = manifest.blobs.map { BlobKeeper.name($0.oid, $0.serial) }
                if going.contains(chain.name) { candidates.formUnion(names) } else { used.formUnion(names) }
            }
        }
        return candidates.subtracting(used).sorted()
    }
}
