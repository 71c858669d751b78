internal import ByteCoding
public import ZODB
internal import ZODBFile

/// A state of the database that a repository can give back.
public struct RestorePoint: Hashable, Sendable {
    /// The files that make it, in order.
    public let chain: Chain
    /// nil: all that the files hold; else the state that this transaction left, or the last one before it.
    public let through: TransactionID?

    /// The backup that it was, or lies in.
    public var name: BackupName { chain.files[chain.files.count - 1].name }
}

/// Which state is asked for.
public enum RestoreTime: Hashable, Sendable {
    case newest
    /// repozo's rule: the newest backup whose name is not behind this text, `yyyy-mm-dd[-hh[-mm[-ss]]]`, in UTC.
    case backup(String)
    /// What had been committed up to this transaction, whatever backup has it.
    case transaction(TransactionID)
}

extension Repository {
    /// Finds the files for a state.
    /// - Throws: `wrongState` when no backup has it; `corrupt` when files in between are missing.
    public func point(_ time: RestoreTime) throws(StorageError) -> RestorePoint {
        switch time {
        case .newest:
            guard let chain = chains.last else { throw .wrongState("\(path): no backup in it") }
            return RestorePoint(chain: try whole(chain), through: nil)
        case .backup(let text):
            // As text: of a date without time, all backups of that day are behind it.
            let chain = chains.last { !text.utf8.lexicographicallyPrecedes($0.name.text.utf8) }
            guard var chain else { throw .wrongState("\(path): no backup in it before \(text)") }
            chain.files.removeAll { text.utf8.lexicographicallyPrecedes($0.name.text.utf8) }
            return RestorePoint(chain: try whole(chain), through: nil)
        case .transaction(let tid):
            return try point(through: tid)
        }
    }

    private func whole(_ chain: Chain) throws(StorageError) -> Chain {
        guard let gap = chain.gap else { return chain }
        throw .corrupt(
            "\(path): a backup before \(gap.file.fileName) is missing",
            FormatError(.invalid(field: "its first byte", found: "\(gap.found), not \(gap.expected)"), at: gap.expected)
        )
    }

    /// The earliest backup made after the state, since what came later may have been packed; or, when the state is younger
    /// than all, the newest.
    private func point(through tid: TransactionID) throws(StorageError) -> RestorePoint {
        for chain in chains {
            for index in chain.files.indices {
                var part = chain
                part.files.removeSubrange((index + 1)...)
                guard part.gap == nil, let last = try lastTransaction(of: part), last >= tid else { continue }
                return RestorePoint(chain: part, through: tid)
            }
        }
        return try point(.newest)
    }

    /// The last transaction of a chain; nil when it has none.
    func lastTransaction(of chain: Chain) throws(StorageError) -> TransactionID? {
        if let file = chain.files.last, let manifest = try manifest(of: file.name), manifest.chunk == file {
            return manifest.last
        }
        // A chunk ends where a transaction does. One without any is passed over.
        for file in chain.files.reversed() {
            if let last = try lastTransaction(in: file) { return last }
        }
        return nil
    }

    private func lastTransaction(in chunk: ChunkFile) throws(StorageError) -> TransactionID? {
        let file = try plainFile(chunk)
        let size = try file.size()
        guard size >= TransactionHeader.fixedSize + 8 else { return nil }
        let trailer = try file.bytes(at: size - 8, count: 8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard trailer <= UInt64(size - 8), trailer >= UInt64(TransactionHeader.fixedSize) else { return nil }
        let header = try file.bytes(at: size - 8 - Int(trailer), count: 16)
        // The head has the same length, or the file is not as it was written.
        guard header.suffix(8).reduce(UInt64(0), { $0 << 8 | UInt64($1) }) == trailer else { return nil }
        return TransactionID(bytes: Array(header.prefix(8)))
    }
}
