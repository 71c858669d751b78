internal import ByteCoding
internal import ZODB
internal import ZODBFile

/// Whether what is to be backed up is what was backed up before, and has not lost its end since: a backup of something
/// else must not make older backups superfluous.
///
/// The newest backup's last transaction is looked for in the source. A pack may have removed it; it leaves its mark on the
/// first transaction then, which is one that the backup has too, and never makes the last transaction an older one.
struct SourceCheck {
    /// The source, for people.
    let name: String
    let repository: Repository
    let watch: BackupWatch

    /// - Parameters:
    ///   - last: the source's last transaction; `.none` when it has none.
    ///   - has: whether the source has a transaction.
    ///   - first: the source's first transaction.
    /// - Throws: `wrongState`, with what was found.
    func require(
        last: TransactionID, has: (TransactionID) throws(StorageError) -> Bool,
        first: () throws(StorageError) -> TransactionSummary?
    ) throws(StorageError) {
        guard let chain = repository.chains.last, let backedUp = try lastTransaction(of: chain) else { return }
        guard last >= backedUp else {
            throw refusal(
                last == .none
                    ? "\(name) has no transaction, and the backup ends with \(backedUp)"
                    : "the last transaction of \(name), \(last), is older than the backup's, \(backedUp)")
        }
        guard try !has(backedUp), let first = try first() else { return }
        guard first.status == .packed else {
            throw refusal(
                "\(name) does not have the last transaction of the backup, \(backedUp), and was not packed")
        }
        // When it is younger than the backup, everything in that was packed away.
        guard first.tid <= backedUp else { return }
        guard try mayHave(chain, first.tid) else {
            throw refusal(
                "\(name) does not have the last transaction of the backup, \(backedUp), nor the backup its first, "
                    + "\(first.tid)")
        }
    }

    private func refusal(_ found: String) -> StorageError {
        .wrongState(
            "\(found): is this the right one, and is it whole? Nothing was written or removed in \(repository.path) "
                + "(--accept-older backs it up all the same)")
    }

    /// - Returns: nil when there is none, or the backup is damaged where it would stand.
    private func lastTransaction(of chain: Chain) throws(StorageError) -> TransactionID? {
        do throws(StorageError) {
            return try repository.lastTransaction(of: chain).flatMap { $0 > .none ? $0 : nil }
        } catch .corrupt {
            return nil
        }
    }

    /// False when the backup is whole and does not have the transaction.
    private func mayHave(_ chain: Chain, _ tid: TransactionID) throws(StorageError) -> Bool {
        guard chain.gap == nil else { return true }
        do throws(StorageError) {
            let storage = try repository.open(RestorePoint(chain: chain, through: nil), watch)
            defer { storage.close() }
            return try storage.transactions(from: tid, through: tid).next() != nil
        } catch .corrupt {
            return true
        }
    }
}

extension CommittedPart {
    /// - Throws: `corrupt` when what stands there is none.
    func firstTransaction() throws(StorageError) -> TransactionSummary? {
        guard end > FileFormat.firstTransaction else { return nil }
        var scanner = try FileScanner(file, from: FileFormat.firstTransaction, to: end, .boundary)
        return try scanner.nextTransaction() ? try scanner.summary() : nil
    }

    /// Walks over the transactions and records from `start` on: their lengths, and that they belong together.
    /// - Throws: `corrupt`, with the place in the file, and what has not been done.
    func requireSound(from start: Int, _ watch: BackupWatch) throws(StorageError) {
        let start = max(start, FileFormat.firstTransaction)
        guard start < end else { return }
        do throws(StorageError) {
            var scanner = try FileScanner(
                file, from: start, to: end, .boundary,
                watch: ScanWatch(
                    task: "checking", total: end, interruption: watch.interruption, progress: watch.progress))
            while try scanner.next() {}
        } catch .corrupt(let place, let error) {
            throw .corrupt(
                "\(place) is damaged, nothing was backed up, and no backup removed ('zeoshell verify \(place)' tells more)",
                error)
        }
    }
}
