internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// A transaction at a server: stores go out as they come, the vote is the first to be answered.
///
/// It belongs to its connection; when that is lost before `finish`, so is the transaction.
final class ServerTransaction: StorageTransaction {
    private enum Phase {
        case storing
        /// The server holds its lock for us.
        case voted
        /// Something went wrong: it can only be aborted.
        case failed
        case ended
    }

    /// The rounds of conflicts, resolution and vote that are gone through before giving up.
    private static let mostVotes = 10
    /// How long the user's wish to stop waits for the answer to `tpc_finish`, since without it nobody knows what
    /// happened.
    private static let grace = Duration.seconds(5)
    /// As long as Python's.
    private static let blobChunk = 59_000

    private let storage: ZEOClientStorage
    private let id: Int
    private let outflow: Outflow
    private var phase = Phase.storing
    private var stored: [ObjectID] = []
    private var changed: [ObjectID] = []
    private var undone: [TransactionID] = []
    /// What has to be current, for a server that cannot be told.
    private var required: [(oid: ObjectID, serial: TransactionID)] = []
    private var hasBlobs = false
    /// A blob of which the end has not been sent.
    private var openBlob: (oid: ObjectID, serial: TransactionID)?

    /// - Parameter extension: a dict.
    init(
        _ storage: ZEOClientStorage, attempt: Int, id: Int, _ metadata: TransactionMetadata, extension: WireValue
    ) {
        self.storage = storage
        self.id = id
        outflow = Outflow(
            storage, attempt: attempt,
            first: .begin(id, user: metadata.user, description: metadata.description, extension: `extension`))
    }

    deinit { abort() }

    // MARK: Stores

    func store(_ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID) throws(StorageError) {
        try storing { () throws(StorageError) in
            try Self.checkSize(of: data, oid)
            try outflow.add(.store(oid, serial: serial, data: data, in: id))
            stored.append(oid)
        }
    }

    func storeBlob(
        _ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID, contents: any Cursor<[UInt8]>
    ) throws(StorageError) {
        guard storage.keepsBlobs else {
            // The server would not say so, but end the connection.
            throw .unsupported("the storage behind the server \(storage.name) keeps no blobs")
        }
        try storing { () throws(StorageError) in
            try Self.checkSize(of: data, oid)
            openBlob = (oid, serial)
            try outflow.add(.storeBlobStart)
            while let bytes = try contents.next() {
                for start in stride(from: 0, to: bytes.count, by: Self.blobChunk) {
                    let chunk = bytes[start..<min(start + Self.blobChunk, bytes.count)]
                    try outflow.add(.storeBlobChunk(Array(chunk)))
                }
            }
            try outflow.add(.storeBlobEnd(oid, serial: serial, data: data, in: id))
            openBlob = nil
            hasBlobs = true
            stored.append(oid)
        }
    }

    func requireCurrent(_ oid: ObjectID, serial: TransactionID) throws(StorageError) {
        try storing { () throws(StorageError) in
            if storage.server?.generation.hasReadChecks ?? true {
                try outflow.add(.requireCurrent(oid, serial: serial, in: id))
            } else {
                required.append((oid, serial))
            }
        }
    }

    func undo(_ tid: TransactionID) throws(StorageError) {
        guard storage.supportsUndo else {
            throw .unsupported("the storage behind the server \(storage.name) cannot undo")
        }
        try storing { () throws(StorageError) in
            undone.append(tid)
            if storage.server?.generation.undo == .undoAtVote {
                try outflow.add(.undo(tid, in: id))
            } else {
                try undoNow(tid)
            }
        }
    }

    /// Before generation 310 an undo is done when it is asked for, with the server's lock held from then on.
    private func undoNow(_ tid: TransactionID) throws(StorageError) {
        let reply = storage.request(.undo(tid, in: id)) { value throws(MalformedReply) in try Reply.undone(value) }
        do throws(StorageError) {
            try outflow.send(reply)
            changed += try storage.wait(for: reply)
        } catch {
            guard case .undoFailed(_, let obstacles) = error else { throw error }
            throw .undoFailed(tid, obstacles)
        }
    }

    private func storing(_ body: () throws(StorageError) -> Void) throws(StorageError) {
        guard case .storing = phase else { throw .wrongState("nothing can be stored in a transaction after its vote") }
        phase = .failed
        do throws(StorageError) {
            try body()
        } catch {
            throw withoutTrace(error)
        }
        phase = .storing
    }

    private static func checkSize(of data: [UInt8], _ oid: ObjectID) throws(StorageError) {
        // A server takes it, and its Data.fs is damaged then.
        guard !data.isEmpty else { throw .unsupported("a record without data, for \(oid)") }
        guard data.count < Frame.defaultLimit else {
            throw .unsupported("the record of \(oid) is too large to be sent: \(data.count) bytes")
        }
    }

    // MARK: Vote

    func vote() throws(StorageError) -> VoteResult {
        guard case .storing = phase else { throw .wrongState("a transaction is voted on once") }
        phase = .failed
        var last: VoteReply.Conflict?
        for _ in 0..<Self.mostVotes {
            let reply = try askToVote()
            changed += reply.changed
            guard let conflict = reply.conflicts.first else {
                try checkRequired()
                phase = .voted
                return VoteResult(changedOIDs: Set(changed).sorted())
            }
            last = conflict
            for conflict in reply.conflicts { try resolve(conflict) }
        }
        throw last.map(Self.error) ?? .wrongState("the server asked for no end of votes")
    }

    /// Servers before ZODB 3.10 do not look whether what was only read is still current. We do, while the server holds its
    /// lock for us: whatever was committed before has been announced by then.
    private func checkRequired() throws(StorageError) {
        for (oid, serial) in required {
            let current = try storage.load(oid, at: .latest).serial
            guard current == serial else { throw .conflict(oid, committed: current, read: serial) }
        }
    }

    private func askToVote() throws(StorageError) -> VoteReply {
        let reply = storage.request(.vote(id)) { value throws(MalformedReply) in try Reply.vote(value) }
        do throws(StorageError) {
            try outflow.send(reply)
            return try storage.wait(for: reply)
        } catch {
            guard case .undoFailed(_, let obstacles) = error else { throw withoutTrace(error) }
            throw .undoFailed(undoneTransaction(obstacles), obstacles)
        }
    }

    /// A server that resolves no conflicts itself leaves them to us, and has not locked anything.
    private func resolve(_ conflict: VoteReply.Conflict) throws(StorageError) {
        // Such a server has lost the blobs by now, and would go on to commit their records without them.
        guard !hasBlobs, conflict.read > .none else { throw Self.error(conflict) }
        let merged: [UInt8]?
        do throws(StorageError) {
            let old = try storage.load(conflict.oid, at: conflict.read)
            let committed = try storage.load(conflict.oid, at: conflict.committed)
            let isComplete = (old.serial, committed.serial) == (conflict.read, conflict.committed)
            merged =
                isComplete
                ? ConflictResolver.resolve(
                    old: old.data, committed: committed.data, new: conflict.data,
                    generation: storage.serverIsPython2 ? .python2 : nil) : nil
        } catch {
            switch error {
            // Packed away.
            case .noSuchObject, .noRevision: throw Self.error(conflict)
            default: throw withoutTrace(error)
            }
        }
        guard let merged else { throw Self.error(conflict) }
        try outflow.add(.store(conflict.oid, serial: conflict.committed, data: merged, in: id))
        changed.append(conflict.oid)
    }

    private static func error(_ conflict: VoteReply.Conflict) -> StorageError {
        .conflict(conflict.oid, committed: conflict.committed, read: conflict.read)
    }

    /// The server does not say which of several undos failed: the first one to have changed an object in the way.
    private func undoneTransaction(_ obstacles: [UndoObstacle]) -> TransactionID {
        if undone.count == 1 { return undone[0] }
        let oids = Set(obstacles.compactMap(\.oid))
        for tid in undone {
            guard let records = try? storage.records(of: tid).records else { continue }
            while let record = try? records.next() {
                if oids.contains(record.oid) { return tid }
            }
        }
        return undone.last ?? .none
    }

    // MARK: The end

    func finish(_ publish: (TransactionID) -> Void) throws(StorageError) -> TransactionID {
        guard case .voted = phase else { throw .wrongState("a transaction is finished after its vote") }
        return try withoutActuallyEscaping(publish) { (publish) throws(StorageError) -> TransactionID in
            let publication = Publication(publish)
            defer { publication.withdraw() }
            return try finish(publication)
        }
    }

    private func finish(_ publication: Publication) throws(StorageError) -> TransactionID {
        let oids = Set(stored).union(changed)
        let reply = storage.request(.finish(id)) { [storage] value throws(MalformedReply) in
            guard let tid = try Reply.finished(value) else { return TransactionID?.none }
            // In the order of arrival: what comes after this reply builds on it.
            storage.state.withLock { $0.view.committed(oids, as: tid) }
            publication.publish(tid)
            return tid
        }
        do throws(StorageError) {
            try outflow.send(reply)
        } catch {
            // It can still be aborted, unless it was lost.
            if case .connection = error { abort() }
            throw withoutTrace(error)
        }
        phase = .ended
        defer { storage.gate.leave() }
        let limit = storage.options.replyTimeout
        guard
            let result = reply.waiting.value(
                storage.interruption, grace: Self.grace, within: limit, telling: storage.notice)
        else {
            storage.drop(outflow.attempt)
            let time = storage.interruption.isRaised ? nil : limit.map { " within \(Self.seconds($0)) s" }
            throw inDoubt("the server has not confirmed the commit\(time ?? ""), and we did not wait any longer")
        }
        switch result {
        case .success(let tid?): return tid
        case .success(nil): throw .wrongState("the server has given up the transaction: nothing was written")
        case .failure(.connection(.lost(_, let why))): throw inDoubt(why)
        case .failure(let error):
            // It may have been written, in part even; and the server still holds its lock for this connection.
            storage.drop(outflow.attempt)
            throw inDoubt("the server failed to finish the commit: \(error)")
        }
    }

    /// `3`, not `3.0`.
    private static func seconds(_ duration: Duration) -> String {
        let seconds = duration / .seconds(1)
        return seconds == seconds.rounded() ? String(Int(seconds)) : String(seconds)
    }

    private func inDoubt(_ why: String) -> StorageError { .connection(.lost(address: storage.name, why)) }

    func abort() {
        if case .ended = phase { return }
        phase = .ended
        if hasBlobs || openBlob != nil, let server = storage.server, !server.generation.forgetsAbortedBlobs {
            // They would be stored by the next transaction; the connection's end is theirs, too.
            storage.drop(outflow.attempt)
            return storage.gate.leave()
        }
        var calls: [Call] = []
        // A server keeps the blob's file open until its end, and takes no other one before.
        if let openBlob { calls.append(.storeBlobEnd(openBlob.oid, serial: openBlob.serial, data: [], in: id)) }
        outflow.end(with: calls + [.abort(id)])
        storage.gate.leave()
    }

    /// Before `finish` a connection's end is the transaction's end: the server forgets it.
    private func withoutTrace(_ error: StorageError) -> StorageError {
        guard case .connection(.lost(let address, let why)) = error else { return error }
        return .connection(.lost(address: address, "\(why); nothing was written"))
    }
}
