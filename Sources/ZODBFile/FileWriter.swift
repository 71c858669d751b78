internal import Synchronization
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What a storage has besides when it was opened for writing: the lock, the turn to commit, and what the next
/// transaction begins with.
final class FileWriter: Sendable {
    /// What changes under the writing thread only, and when the storage is closed.
    struct Core: Sendable {
        /// Why nothing more can be written; nil while all is well.
        var obstacle: String?
        /// Where the transaction begins that has been written and is not finished.
        var voted: Int?
        /// Not earlier than any tid in the file, or handed out since, to a transaction that came to nothing too.
        var lastTID = TransactionID.none
        /// Records written since the index was saved.
        var unsavedRecords = 0
    }

    private static let mostOIDs = 1 << 20

    let lock: LockFile
    let file: DataFile
    let turn = CommitTurn()
    /// Held while the file is written, flushed or cut; loads do not need it.
    let core = Mutex(Core())
    /// The largest oid in use, or handed out.
    let largestOID = Mutex(ObjectID.root)
    /// What was found behind the last transaction when the file was opened, and the file it was moved to.
    let rescuedTail = Mutex<RescuedTail?>(nil)

    init(lock: LockFile, file: DataFile) {
        self.lock = lock
        self.file = file
    }

    /// - Throws: `wrongState` when an error before, or `close`, has ended writing.
    func requireUsable(_ name: String) throws(StorageError) {
        if let obstacle = core.withLock({ $0.obstacle }) { throw .wrongState("\(name): \(obstacle)") }
    }

    /// The tid of a transaction that begins now: the time, or just after the last.
    func nextTID(_ name: String) throws(StorageError) -> TransactionID {
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

    func newObjectIDs(_ count: Int, _ name: String) throws(StorageError) -> [ObjectID] {
        try largestOID.withLock { (largest) throws(StorageError) -> [ObjectID] in
            guard (0...Self.mostOIDs).contains(count), UInt64(count) < UInt64.max - largest.rawValue else {
                throw .unsupported("\(name): \(count) new oids after \(largest): too many")
            }
            let first = largest.rawValue + 1
            largest = ObjectID(rawValue: largest.rawValue + UInt64(count))
            return (0..<UInt64(count)).map { ObjectID(rawValue: first + $0) }
        }
    }

    func noteUse(of oid: ObjectID) { largestOID.withLock { $0 = max($0, oid) } }
}

/// What opening for writing has cut off.
struct RescuedTail: Sendable {
    var tail: FileTail
    var path: String
}
