internal import Logging
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// Whose turn it is to commit to a storage: one client at a time from its vote to its end, the others in order of arrival.
///
/// `@unchecked`: all of it belongs to the storage's writing thread, the only one that calls it.
final class CommitTurn: @unchecked Sendable {
    /// What a client that waits for its turn wants done.
    struct Request: Sendable {
        enum Kind: Sendable {
            case vote
            /// An undo of generation 309 and before, which takes the lock before the vote.
            case undo(TransactionID)
        }

        let client: ClientHandle
        /// The client's own count of its requests.
        let number: Int
        let generation: Generation
        let kind: Kind
        let description: TransactionDescription
        let operations: [ClientTransaction.Operation]
        /// For log lines.
        let label: String
    }

    /// The transaction that has the turn.
    fileprivate struct Held {
        let client: ClientHandle
        let label: String
        let transaction: any StorageTransaction
        let since: Double
        var stored: [ObjectID] = []
        var undone: [ObjectID] = []
        var changed: [ObjectID] = []
        var isVoted = false
        /// Files of blobs that the transaction has not moved yet.
        var files: [ReceivedBlob] = []

        /// All that others must no longer take for current.
        var invalidated: [ObjectID] {
            var seen: Set<ObjectID> = []
            return (stored + undone + changed).filter { seen.insert($0).inserted }
        }
    }

    private var lock = CommitLock<ClientID>()
    private var requests: [ClientID: Request] = [:]
    private var held: Held?
    /// How many ends of transactions were asked for.
    private var endings = 0

    /// Who has the turn, and how many wait.
    func figures(_ served: ServedStorage) {
        let since = held?.since
        let waiting = lock.waiting.count
        served.statistics.withLock { statistics in
            statistics.lockTime = since
            statistics.waiting = waiting
        }
    }

    // MARK: Requests

    func request(_ request: Request, _ served: ServedStorage) {
        // It asks for nothing any more; that it has left comes behind.
        guard !request.client.isGone else { return }
        defer { figures(served) }
        let id = request.client.id
        if lock.holder == id {
            // After an undo that took the lock.
            carryOut(request, served)
            if held == nil { pass(from: id, served) }
            return
        }
        requests[id] = request
        switch lock.request(id) {
        case .grant: if !grant(id, served) { pass(from: id, served) }
        case .wait(let position):
            served.logger.debug("(\(served.name)) \(request.label) waits for the commit lock, \(position) before it")
        case .none: break
        }
    }

    /// The client's transaction is over, or its connection is.
    func leave(_ id: ClientID, _ served: ServedStorage) {
        defer { figures(served) }
        if let held, held.client.id == id {
            note(held, "did not commit", served)
            held.transaction.abort()
            self.held = nil
        }
        requests[id] = nil
        pass(from: id, served)
    }

    /// Notes a client that has held up the others for long.
    private func note(_ ended: Held, _ how: String, _ served: ServedStorage) {
        let seconds = Clock.now() - ended.since
        guard seconds > served.policy.slowCommitSeconds else { return }
        let tenths = (seconds * 10).rounded() / 10
        served.logger.warning(
            """
            (\(served.name)) \(ended.label) had the commit lock for \(tenths) s and \(how); \
            \(ended.invalidated.count) objects, \(lock.waiting.count) clients wait
            """)
    }

    func finish(_ client: ClientHandle, _ reply: ServerConnection.Reply, _ served: ServedStorage) {
        defer { figures(served) }
        guard let ending = held, ending.client.id == client.id, ending.isVoted else {
            return client.execute { $0.endFailed(reply, .transactionError("tpc_finish without a vote")) }
        }
        held = nil
        figures(served)
        endings += 1
        let oids = ending.invalidated
        let publications = served.publications
        let wake = served.wakeClients
        let state = Shared(Mutex(false))
        let label = ending.label
        let publish: @Sendable (TransactionID) -> Void = { tid in
            state.value.withLock { $0 = true }
            publications.publish(.init(tid: tid, oids: oids, committer: client.id, reply: reply))
        }
        let completion: @Sendable (Result<TransactionID, StorageError>) -> Void = { result in
            if state.value.withLock({ $0 }) { publications.settled() }
            // Before anybody hears of it: who asks then is to be told of it.
            if case .success = result { served.statistics.withLock { $0.commits += 1 } }
            publications.conclude()
            wake(served)
            if case .failure(let error) = result {
                served.logger.error("(\(served.name)) a commit of \(label) failed: \(error)")
                client.execute { $0.endFailed(reply, PythonException(error)) }
            }
        }
        do throws(StorageError) {
            if let transaction = ending.transaction as? any PipelinedTransaction {
                try transaction.finish(publish: publish, completion: completion)
            } else {
                completion(.success(try ending.transaction.finish(publish)))
            }
        } catch {
            completion(.failure(error))
        }
        note(ending, "committed", served)
        pass(from: client.id, served)
    }

    /// Gives the turn to the next.
    private func pass(from id: ClientID, _ served: ServedStorage) {
        var action = lock.release(id)
        // Who is granted may fail at once, and the turn goes on.
        while case .grant(let next) = action {
            if grant(next, served) { return }
            action = lock.release(next)
        }
    }

    // MARK: Votes

    /// - Returns: whether the client keeps the turn.
    private func grant(_ id: ClientID, _ served: ServedStorage) -> Bool {
        guard let request = requests.removeValue(forKey: id), !request.client.isGone else { return false }
        carryOut(request, served)
        return held != nil
    }

    private func carryOut(_ request: Request, _ served: ServedStorage) {
        switch request.kind {
        case .vote: vote(request, served)
        case .undo(let tid): undo(tid, request, served)
        }
    }

    private func vote(_ request: Request, _ served: ServedStorage) {
        var skipped: Set<ObjectID> = []
        while true {
            switch attempt(request, served, withoutCheck: skipped) {
            case .outcome(let outcome):
                let endings = endings
                request.client.execute { $0.voted(outcome, request.number, after: endings) }
                return
            case .again(let oid):
                // All that are new at once: each time costs what the whole transaction costs.
                if skipped.isEmpty { skipped = served.unknownObjects(in: request.operations) }
                skipped.insert(oid)
            }
        }
    }

    private enum Attempt {
        case outcome(VoteOutcome)
        /// The object is new after all: it needs no check.
        case again(ObjectID)
    }

    private func attempt(
        _ request: Request, _ served: ServedStorage, withoutCheck skipped: Set<ObjectID>
    ) -> Attempt {
        var replay = Replay(request, served, withoutCheck: skipped)
        do throws(StorageError) {
            var held = try current(for: request, served)
            self.held = held
            held.files += request.operations.compactMap(\.file)
            self.held = held
            try replay.run(request.operations, in: held.transaction)
            held.stored += replay.stored
            held.undone += replay.undone
            if replay.conflicts.isEmpty {
                held.changed += try held.transaction.vote().changedOIDs
                held.isVoted = true
                self.held = held
                let changed = held.changed
                served.statistics.withLock { $0.conflictsResolved += changed.count }
                let tid = (held.transaction as? any PipelinedTransaction)?.tid ?? .none
                return .outcome(.granted(tid, changed: changed, stored: held.stored))
            }
            giveUp()
            let conflicts = replay.conflicts
            return .outcome(.unresolved(conflicts))
        } catch {
            giveUp()
            if let oid = replay.missing, case .noSuchObject(oid) = error { return .again(oid) }
            return .outcome(replay.outcome(of: error, request.operations))
        }
    }

    private func giveUp() {
        held?.transaction.abort()
        held = nil
    }

    /// The transaction that has the turn: begun now, unless an undo has begun it before.
    private func current(for request: Request, _ served: ServedStorage) throws(StorageError) -> Held {
        if let held { return held }
        return try begin(request, served)
    }

    private func begin(_ request: Request, _ served: ServedStorage) throws(StorageError) -> Held {
        guard let storage = served.writable else { throw .readOnly(served.name) }
        let description = request.description
        let metadata = TransactionMetadata(
            user: description.user, description: description.description,
            extensionData: ServerReply.storedExtension(description.extension, for: served.generation))
        let transaction: any StorageTransaction
        if let tid = description.tid {
            guard let storage = storage as? any RestorableStorage else {
                throw .unsupported("\(served.name) cannot take transactions of other storages as they are")
            }
            let status = TransactionSummary.Status(rawValue: description.status) ?? .complete
            transaction = try storage.begin(metadata, tid: tid, status: status)
        } else {
            transaction = try storage.begin(metadata)
        }
        return Held(client: request.client, label: request.label, transaction: transaction, since: Clock.now())
    }

    // MARK: Old undo

    private func undo(_ tid: TransactionID, _ request: Request, _ served: ServedStorage) {
        var replay = Replay(request, served, withoutCheck: [])
        do throws(StorageError) {
            var held = try current(for: request, served)
            self.held = held
            held.files += request.operations.compactMap(\.file)
            self.held = held
            try replay.run(request.operations, in: held.transaction)
            try held.transaction.undo(tid)
            let oids = try Self.oids(of: tid, in: served)
            held.stored += replay.stored
            held.undone += replay.undone + oids
            self.held = held
            let own = (held.transaction as? any PipelinedTransaction)?.tid ?? .none
            let endings = endings
            request.client.execute { $0.undone(own, oids, request.number, after: endings) }
        } catch {
            giveUp()
            let exception = PythonException(error)
            request.client.execute { $0.undoFailed(exception, request.number) }
        }
    }

    static func oids(of tid: TransactionID, in served: ServedStorage) throws(StorageError) -> [ObjectID] {
        guard let storage = served.storage as? any TransactionLogStorage else { return [] }
        let records = try storage.records(of: tid).records
        var seen: Set<ObjectID> = []
        var oids: [ObjectID] = []
        while let record = try records.next() {
            if seen.insert(record.oid).inserted { oids.append(record.oid) }
        }
        return oids
    }
}

/// A value that several closures have together.
private final class Shared<Value: ~Copyable & Sendable>: Sendable {
    let value: Value
    init(_ value: consuming Value) { self.value = value }
}
