internal import ObjectGraph
internal import Pickle
internal import Storages
internal import ZODB

/// What others commit, transaction by transaction, as it happens: from announcements, and from the log where announcements
/// do not say enough, or were missed.
///
/// An announcement names neither user nor new objects, and after a lost connection there is one for all that was missed;
/// so it only says that there is something to be asked about. What a server cannot be asked is left out of the commit, and
/// said to be.
final class CommitFeed {
    /// One object that a transaction wrote.
    struct Change {
        var oid: ObjectID
        var className: String?
        /// Bytes of its record; nil for a deletion, and where nobody knows.
        var size: Int?
        var isDeletion = false
    }

    struct Commit {
        var tid: TransactionID
        /// nil: the server does not tell who and why.
        var summary: TransactionSummary?
        /// nil: it is not known which.
        var changes: [Change]?
        /// There are more than are listed.
        var isCut = false
    }

    enum Event {
        case commit(Commit)
        case disconnected
        case connected
        /// The server is connected and does not answer.
        case silent
    }

    /// The most objects of one transaction that are looked at, and the most bytes.
    static let mostChanges = 1000, mostBytes = 16 << 20
    /// How often somebody who does not announce everything is asked.
    private static let askingInterval = Duration.seconds(2)
    /// How long an answer to that may take.
    private static let patience = Duration.seconds(5)

    /// Transactions that are being told: those of the log, behind `told` and through `last`.
    private struct Listing {
        var transactions: any Cursor<TransactionSummary>
        var news: [Invalidation]
        var last: TransactionID
        /// An announcement that is of more than one transaction.
        var shared: TransactionID?
    }

    private let session: Session
    private let storage: any SharedStorage
    private var listing: Listing?
    private var ready: [Event] = []
    /// Announced, and not told because the connection was lost meanwhile.
    private var untold: [Invalidation] = []
    /// Everything up to here has been told.
    private(set) var told: TransactionID
    private var isConnected = true
    private var isSilent = false
    private var asked = ContinuousClock.now

    /// - Parameter told: what comes behind this transaction is told; nil: what is committed from now on.
    /// - Throws: `ShellFailure` for a storage to which nobody else can commit while we look.
    init(_ session: Session, behind told: TransactionID? = nil) throws {
        self.session = session
        storage = try session.storage(as: (any SharedStorage).self, to: "change while it is looked at")
        if let writable = storage as? any WritableStorage, writable.isWritable, !(storage is any RemoteStorage) {
            throw ShellFailure(
                "locked", .refused, at: storage.name, "it is open for writing here: nobody else can commit to it",
                advice: "open it without --rw, or type: mode ro")
        }
        let last = try storage.lastTransaction()
        self.told = told ?? last
        // What is in the log already.
        if let told, told < last { try list([], through: last) }
    }

    /// What happened, oldest first; nil when nothing has. Does not wait for news, but for answers about them.
    func next() throws(StorageError) -> Event? {
        if ready.isEmpty { try tolerant { () throws(StorageError) in try look() } }
        return ready.isEmpty ? nil : ready.removeFirst()
    }

    private func look() throws(StorageError) {
        if listing == nil {
            noteConnection()
            guard isConnected, ready.isEmpty else { return }
            try ask()
            untold += try poll()
            guard let last = untold.last?.tid, last > told else {
                untold = []
                return
            }
            try list(untold, through: last)
        }
        try tellNext()
    }

    /// A connection that is lost comes back, and what was missed is told then.
    private func tolerant(_ body: () throws(StorageError) -> Void) throws(StorageError) {
        do throws(StorageError) {
            try body()
        } catch {
            guard case .connection(let failure) = error, storage is any RemoteStorage else { throw error }
            if let listing {
                // Once more, from where it has come to.
                untold =
                    listing.news.isEmpty
                    ? [Invalidation(tid: listing.last, oids: [], isComplete: false)] : listing.news
                self.listing = nil
            }
            noteConnection()
            guard case .silent = failure, !isSilent else { return }
            isSilent = true
            ready.append(.silent)
        }
    }

    private func ask() throws(StorageError) {
        guard let server = storage as? any ServerStorage, !server.announcesEveryCommit,
            asked.duration(to: .now) >= Self.askingInterval
        else { return }
        asked = .now
        try server.askForCommits(within: Self.patience)
        isSilent = false
    }

    private func poll() throws(StorageError) -> [Invalidation] {
        do {
            return try session.poll()
        } catch {
            throw error as? StorageError ?? .wrongState("\(error)")
        }
    }

    private func noteConnection() {
        guard let remote = storage as? any RemoteStorage, remote.isConnected != isConnected else { return }
        isConnected.toggle()
        ready.append(isConnected ? .connected : .disconnected)
    }

    // MARK: One after the other

    private func list(_ news: [Invalidation], through last: TransactionID) throws(StorageError) {
        do throws(StorageError) {
            guard let log = storage as? any TransactionLogStorage else { throw .unsupported("no log") }
            let transactions = try log.transactions(from: told.successor, through: last)
            listing = Listing(transactions: transactions, news: news, last: last)
        } catch .unsupported {
            listing = Listing(transactions: ArrayCursor([]), news: news, last: last)
        }
        untold = []
    }

    /// Tells the next transaction of the listing, or ends it.
    private func tellNext() throws(StorageError) {
        guard let listing else { return }
        guard let transaction = try listing.transactions.next() else {
            // A log that does not go that far: of a storage that was packed, of a server that tells only what can be undone.
            for invalidation in listing.news where invalidation.tid > told { tellAlone(invalidation) }
            told = max(told, listing.last)
            self.listing = nil
            return
        }
        // An announcement of several does not say which objects are whose.
        let announced = listing.news.first { $0.tid > told }
        let isAlone = announced?.tid == transaction.tid && listing.shared != transaction.tid
        if announced?.tid != transaction.tid { self.listing?.shared = announced?.tid }
        let changes = try self.changes(of: transaction.tid, isAlone ? announced : nil)
        ready.append(
            .commit(
                Commit(
                    tid: transaction.tid, summary: transaction, changes: changes?.changes,
                    isCut: changes?.isCut ?? false)))
        told = transaction.tid
    }

    /// What the announcement says is all that is known.
    private func tellAlone(_ invalidation: Invalidation) {
        told = invalidation.tid
        let isKnown = invalidation.isComplete && !invalidation.oids.isEmpty
        let oids = invalidation.oids.prefix(Self.mostChanges)
        ready.append(
            .commit(
                Commit(
                    tid: invalidation.tid, changes: isKnown ? oids.map { Change(oid: $0) } : nil,
                    isCut: oids.count < invalidation.oids.count)))
    }

    /// - Parameter invalidation: what was announced of this transaction alone.
    /// - Returns: nil where it cannot be told at a reasonable price.
    private func changes(
        of tid: TransactionID, _ invalidation: Invalidation?
    ) throws(StorageError) -> (changes: [Change], isCut: Bool)? {
        guard let log = storage as? any TransactionLogStorage else { return nil }
        let listed = (storage as? any ServerStorage)?.listsTransactions ?? true
        // Others have to go through all of their objects for a transaction that they do not remember.
        guard listed || invalidation != nil else { return nil }
        do throws(StorageError) {
            let records = try log.records(of: tid).records
            var changes: [Change] = []
            var size = 0
            while let record = try records.next() {
                try session.interruption.check()
                guard changes.count < Self.mostChanges, size < Self.mostBytes else { return (changes, true) }
                size += record.data?.count ?? 0
                changes.append(Change(record, tid))
            }
            return (changes, false)
        } catch {
            switch error {
            case .noSuchTransaction, .unsupported, .remote:
                // Packed away meanwhile, or the server cannot.
                guard let invalidation, invalidation.isComplete, !invalidation.oids.isEmpty else { return nil }
                return (invalidation.oids.prefix(Self.mostChanges).map { Change(oid: $0) }, false)
            default: throw error
            }
        }
    }
}

extension CommitFeed.Change {
    fileprivate init(_ record: TransactionRecord, _ tid: TransactionID) {
        self.init(oid: record.oid)
        guard let data = record.data else {
            isDeletion = true
            return
        }
        size = data.count
        let understood = try? ObjectRecord(Revision(data: data, serial: tid, next: nil), oid: record.oid)
        className = understood?.className?.description
    }
}
