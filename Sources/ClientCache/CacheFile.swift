internal import ByteCoding
internal import Synchronization
public import ZODB
internal import ZODBFile

/// A client cache that lasts: revisions in a file, in the format of Python's ZEO clients, who may use it in turn.
///
/// One process has it at a time, by a lock on `NAME.lock` as Python takes it. Killed at any moment, it leaves a file in which
/// nothing is wrong (`CacheRing`); what a power cut may have left is not believed (`CacheNote`). Whether the server still
/// agrees with what is here, its user has to find out (`lastTransaction`, `sample`).
///
/// A file that fails is given up: it finds and takes nothing from then on, and `failure` says why.
///
/// Blocks are written on the thread that brings them, the connection's own included: what is found in the file, what is in it and
/// what the head's tid says have to go together, in the order of loads and news, and somebody else's queue would have to be waited
/// for by every read. They go to the system's memory, not to the disk; what waits for the disk is `adopt` and `close`, which are
/// called where nobody else waits.
public final class CacheFile: Sendable {
    private struct State {
        var ring: CacheRing
        var failure: StorageError?
        /// It is this user's now, and the note says so.
        var isAdopted = false
        var isClosed = false
    }

    public let path: String
    /// Whose cache it was when a client of ours left it, where that is another server or storage; nil too when Python's did.
    public let otherSource: CacheSource?
    private let wasFamiliar: Bool
    /// There was none before.
    private let isNew: Bool
    private let source: CacheSource
    private let lock: LockFile
    private let state: Mutex<State>
    /// The note is written outside of `state`: a disk may take its time over it.
    private let noteAccess = Mutex(())

    init(
        _ path: String, _ ring: CacheRing, _ lock: LockFile, _ source: CacheSource, _ former: CacheSource? = nil,
        isFamiliar: Bool, isNew: Bool = false
    ) {
        self.path = path
        otherSource = former.flatMap { $0.sharesServer(with: source) ? nil : $0 }
        self.lock = lock
        self.source = source
        wasFamiliar = isFamiliar
        self.isNew = isNew
        state = Mutex(State(ring: ring))
    }

    deinit { close() }

    /// It has been found to fit, or was left by ourselves, whole, as the cache of the server that it is opened for.
    public var isFamiliar: Bool { wasFamiliar || state.withLock { $0.isAdopted } }

    /// Why it was given up; nil while it works.
    public var failure: StorageError? { state.withLock { $0.failure } }

    /// What it is consistent with: everything that was committed up to here has been taken note of.
    public var lastTransaction: TransactionID { state.withLock { $0.ring.lastTransaction } }
    public var isEmpty: Bool { state.withLock { $0.failure != nil || $0.ring.isEmpty } }
    /// Revisions in it.
    public var count: Int { state.withLock { $0.ring.count } }
    /// In bytes, used or not.
    public var size: Int { state.withLock { $0.ring.size } }

    /// It has been found to fit, and may be changed from now on. Until then it is only read. Waits for the disk, the first time.
    public func adopt() {
        noteAccess.withLock { _ in
            guard state.withLock({ $0.failure == nil && !$0.isClosed && !$0.isAdopted }) else { return }
            let result = Result { () throws(StorageError) in
                try CacheNote(source, .open(boot: CacheNote.boot() ?? "unknown")).write(beside: path)
            }
            state.withLock { state in
                switch result {
                case .success: state.isAdopted = true
                case .failure(let error): state.failure = error
                }
            }
            // Before anything is written to it.
            attemptKnowing { ring, isAdopted throws(StorageError) in if isAdopted { try ring.freeDiscarded() } }
        }
    }

    /// The revision of `oid` that a view at `tid` sees, as of `lastTransaction`.
    public func revision(of oid: ObjectID, at tid: TransactionID) -> Revision? {
        attemptKnowing { ring, isAdopted throws(StorageError) in
            try ring.revision(of: oid, at: tid, rearranging: isAdopted)
        } ?? nil
    }

    /// What was found under `oid` and `serial` is no record: it is not found again. It goes from the file once that is adopted.
    public func discard(_ oid: ObjectID, _ serial: TransactionID) {
        attemptKnowing { ring, isAdopted throws(StorageError) in
            ring.discard(oid, serial)
            if isAdopted { try ring.freeDiscarded() }
        }
    }

    public func insert(_ revision: Revision, _ oid: ObjectID) {
        attempt { ring throws(StorageError) in try ring.insert(revision, oid) }
    }

    /// `oid` was changed in `tid`: what was current until then no longer is.
    public func invalidate(_ oid: ObjectID, in tid: TransactionID) {
        attempt { ring throws(StorageError) in try ring.end(oid, at: tid) }
    }

    /// What was taken for the current revision of these cannot be believed.
    public func forgetCurrent(_ oids: some Sequence<ObjectID>) {
        attempt { ring throws(StorageError) in
            for oid in oids { try ring.forget(oid) }
        }
    }

    /// Revisions that are no longer current cannot be believed either.
    public func forgetPast() { attempt { ring throws(StorageError) in try ring.forgetPast() } }

    /// Everything that was committed up to `tid` has been taken note of.
    public func move(to tid: TransactionID) { attempt { ring throws(StorageError) in try ring.move(to: tid) } }

    public func removeAll() { attempt { ring throws(StorageError) in try ring.clear() } }

    /// Objects with the serial of their current revision, by which to find out whether this is a cache of the server's
    /// database: the root, and those that changed last; all when there are no more.
    public func sample(_ count: Int) -> [(oid: ObjectID, serial: TransactionID)] {
        let all = state.withLock { $0.failure == nil ? $0.ring.currentSerials : [] }
        guard all.count > count else { return all }
        return Array(
            all.sorted { ($0.oid != .root ? 1 : 0, $1.serial) < ($1.oid != .root ? 1 : 0, $0.serial) }.prefix(count))
    }

    @discardableResult
    private func attempt<Value>(_ body: (inout CacheRing) throws(StorageError) -> Value) -> Value? {
        attemptKnowing { ring, _ throws(StorageError) in try body(&ring) }
    }

    /// - Parameter body: is told whether the file is adopted.
    @discardableResult
    private func attemptKnowing<Value>(
        _ body: (inout CacheRing, _ isAdopted: Bool) throws(StorageError) -> Value
    ) -> Value? {
        state.withLock { state in
            guard state.failure == nil, !state.isClosed else { return nil }
            do throws(StorageError) {
                return try body(&state.ring, state.isAdopted)
            } catch {
                state.failure = error
                if state.isAdopted { try? state.ring.distrust() }
                return nil
            }
        }
    }

    /// Lets go of the file, which is then complete on the disk. Does nothing the second time. Waits for the disk.
    ///
    /// Where there was no file before, and nobody has adopted it, there is none afterwards; its lock file stays.
    public func close() {
        noteAccess.withLock { _ in
            let last = state.withLock { state -> State? in
                guard !state.isClosed else { return nil }
                state.isClosed = true
                return state
            }
            guard let last else { return }
            guard last.isAdopted else {
                if isNew { Directories.remove(path) }
                return lock.release()
            }
            defer { lock.release() }
            guard last.failure == nil else { return }
            do throws(StorageError) {
                try last.ring.file.sync()
                let end = CacheNote.State.closed(last.ring.lastTransaction, place: last.ring.place)
                try CacheNote(source, end).write(beside: path)
            } catch {
                // The note says that it was open: whoever opens it next looks closer.
                state.withLock { $0.failure = error }
            }
        }
    }
}
