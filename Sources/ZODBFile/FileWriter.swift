internal import Synchronization
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What a storage has besides when it was opened for writing: the lock, the turn to commit, the transactions on their
/// way to the disk, and what the next one begins with.
final class FileWriter: Sendable {
    struct Core: Sendable {
        /// Why nothing more can be written; nil while all is well.
        var obstacle: String?
        var pending: PendingTransactions
        /// The thread that brings them to the disk, and whether it is to end when it has.
        var flusher = Flusher.none
        var flusherIsToEnd = false
        /// Not earlier than any tid in the file, or handed out since, to a transaction that came to nothing too, unless it
        /// had brought its own.
        var lastTID = TransactionID.none
        /// Records written since the index was saved.
        var unsavedRecords = 0
    }

    struct OIDs: Sendable {
        /// The largest oid in use, or handed out.
        var largest = ObjectID.root
        /// The largest that the transaction which has the turn has stored: in use when it is finished.
        var staged = ObjectID.root
    }

    enum Flusher: Sendable {
        case none, starting
        case running(BackgroundThread)
    }

    private static let mostOIDs = 1 << 20

    let name: String
    let lock: LockFile
    /// The data file. A pack puts another in its place, while it has the turn and nothing is pending.
    var file: DataFile { currentFile.withLock { $0 } }
    private let currentFile: Mutex<DataFile>
    let turn = CommitTurn()
    /// Held while the file's end is written or cut; neither loads nor flushes hold it.
    let core: Monitor<Core>
    let oids = Mutex(OIDs())
    /// What was found behind the last transaction when the file was opened, and the file it was moved to.
    let rescuedTail = Mutex<RescuedTail?>(nil)
    /// The pack under way.
    let packing = Monitor<Packing?>(nil)

    struct Packing: Sendable {
        let watch: PackWatch
        /// Raised, it ends the pack.
        let cancellation: Interruption
    }

    init(_ name: String, lock: LockFile, file: DataFile, _ options: FileStorage.Options) {
        self.name = name
        self.lock = lock
        currentFile = Mutex(file)
        core = Monitor(Core(pending: PendingTransactions(flushesBeforeMark: options.flushesBeforeMark)))
    }

    /// - Precondition: the caller has the turn, and nothing is pending.
    func replace(_ file: DataFile) { currentFile.withLock { $0 = file } }

    /// - Throws: `wrongState` when an error before, or `close`, has ended writing.
    func requireUsable() throws(StorageError) {
        try core.withLock { (core) throws(StorageError) in try core.requireUsable(name) }
    }

    /// The tid of a transaction that begins now: the time, or just after the last.
    func nextTID() throws(StorageError) -> TransactionID {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        let time = TransactionID(unixTime: Double(now.tv_sec) + Double(now.tv_nsec) / 1e9) ?? .none
        let tid = core.withLock { core in
            let tid = max(time, core.lastTID.successor)
            if tid < .latest { core.lastTID = tid }
            return tid
        }
        guard tid < .latest else { throw .unsupported("\(name): there is no tid after \(tid.predecessor)") }
        return tid
    }

    /// - Throws: `unsupported` for an oid so high that there would soon be no new ones after it.
    func requireRoom(after oid: ObjectID) throws(StorageError) {
        guard oid.rawValue < UInt64.max - 1 << 32 else {
            throw .unsupported("\(name): the oid \(oid) leaves no room for new ones")
        }
    }

    /// How far the clock of another storage may be ahead of ours, in seconds. A tid beyond would be the last for long.
    private static let farthestAhead = 366.0 * 86_400

    /// Takes a tid that was given to the transaction elsewhere.
    /// - Returns: what was the last before; `giveBack` makes it the last again.
    /// - Throws: `wrongState` when it is not later than all before.
    func take(_ tid: TransactionID) throws(StorageError) -> TransactionID {
        guard tid.unixTime < TransactionID.new(after: .none).unixTime + Self.farthestAhead else {
            throw .unsupported("\(name): transaction \(tid) lies more than a year in the future")
        }
        let last = core.withLock { core in
            let last = core.lastTID
            if tid > last, tid < .latest { core.lastTID = tid }
            return last
        }
        guard tid > last, tid < .latest else {
            throw .wrongState("\(name): transaction \(tid) cannot follow \(last): tids only grow")
        }
        return last
    }

    /// Whoever had brought its tid has not committed: it may lie far ahead of all that will come.
    /// - Precondition: nobody else has had the turn since.
    func giveBack(_ tid: TransactionID, to last: TransactionID) {
        core.withLock { if $0.lastTID == tid { $0.lastTID = last } }
    }

    func newObjectIDs(_ count: Int) throws(StorageError) -> [ObjectID] {
        try oids.withLock { (oids) throws(StorageError) -> [ObjectID] in
            let largest = max(oids.largest, oids.staged)
            guard (0...Self.mostOIDs).contains(count), UInt64(count) < UInt64.max - largest.rawValue else {
                throw .unsupported("\(name): \(count) new oids after \(largest): too many")
            }
            guard count > 0 else { return [] }
            let first = largest.rawValue + 1
            oids.largest = ObjectID(rawValue: largest.rawValue + UInt64(count))
            return (0..<UInt64(count)).map { ObjectID(rawValue: first + $0) }
        }
    }

    /// The transaction that has the turn has stored the object.
    func noteUse(of oid: ObjectID) { oids.withLock { $0.staged = max($0.staged, oid) } }

    /// The turn ends: what was stored is in use, or is not.
    func settleOIDs(isFinished: Bool) {
        oids.withLock { oids in
            if isFinished { oids.largest = max(oids.largest, oids.staged) }
            oids.staged = .root
        }
    }
}

extension FileWriter.Core {
    /// - Throws: `wrongState`.
    func requireUsable(_ name: String) throws(StorageError) {
        if let obstacle { throw .wrongState("\(name): \(obstacle)") }
    }
}

/// What opening for writing has cut off.
struct RescuedTail: Sendable {
    var tail: FileTail
    var path: String
}
