internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// Calls of a transaction, from `tpc_begin` to its end. What is stored is kept until the vote.
extension ClientHandler {
    func performWriting(_ call: ServerCall, _ reply: ServerConnection.Reply, _ served: ServedStorage) {
        switch call {
        case .begin(let id, let description): begin(id, description, reply, served)
        case .store(let oid, let serial, let data, let id):
            store(.store(oid, serial: serial, data: data), id, reply, served)
        case .restore(let oid, let serial, let data, let previous, let id):
            store(.restore(oid, serial: serial, data: data, from: previous), id, reply, served)
        case .delete(let oid, let serial, let id): store(.delete(oid, serial: serial), id, reply, served)
        case .requireCurrent(let oid, let serial, let id):
            store(.requireCurrent(oid, serial: serial), id, reply, served)
        case .undoAtVote(let tid, let id):
            if let refusal = refusal(of: call) { transaction?.refusal = refusal }
            store(.undo(tid), id, reply, served)
        case .storeBlobStart, .storeBlobChunk, .storeBlobEnd, .storeBlobShared: receiveBlob(call, reply, served)
        case .undoNow(let tid, let id):
            guard expect(id, reply), expectIdle(reply) else { return }
            whenReadyToVote(reply) { $0.request(.undo(tid), reply, served) }
        case .vote(let id):
            guard expect(id, reply), expectIdle(reply) else { return }
            vote(reply, served)
        case .finish(let id): finish(id, reply, served)
        case .abort(let id): abort(id, reply, served)
        default: preconditionFailure("\(call) does not write")
        }
    }

    private func begin(
        _ id: WireValue, _ description: TransactionDescription, _ reply: ServerConnection.Reply,
        _ served: ServedStorage
    ) {
        guard !isReadOnly, served.writable != nil else { return refuse(reply, .readOnly) }
        if let transaction {
            guard transaction.id == id else {
                return refuse(
                    reply,
                    .transactionError("Multiple simultaneous tpc_begin requests from one client."))
            }
            return answer(reply, .none)
        }
        transaction = ClientTransaction(id, description)
        voting = .no
        served.statistics.withLock { $0.activeTransactions += 1 }
        answer(reply, .none)
    }

    /// Whether `id` is the transaction under way; if not, that is the answer.
    private func expect(_ id: WireValue, _ reply: ServerConnection.Reply) -> Bool {
        if isReadOnly {
            refuse(reply, .readOnly)
            return false
        }
        guard transaction?.id == id else {
            refuse(reply, .transactionMismatch(current: transaction?.id, asked: id))
            return false
        }
        return true
    }

    /// Whether the transaction has not been voted on.
    private func expectIdle(_ reply: ServerConnection.Reply) -> Bool {
        switch voting {
        case .no: return true
        case .waiting: refuse(reply, .transactionError("Already voting (waiting)"))
        case .done: refuse(reply, .transactionError("Already voting (locked)"))
        case .failed: refuse(reply, .transactionError("the vote has failed: the transaction can only be aborted"))
        }
        return false
    }

    /// Keeps something that the client wants to write.
    func store(
        _ operation: ClientTransaction.Operation, _ id: WireValue, _ reply: ServerConnection.Reply,
        _ served: ServedStorage
    ) {
        guard keep(operation, id, reply, served) else { return }
        answer(reply, .none)
    }

    /// - Returns: false when it is refused.
    func keep(
        _ operation: ClientTransaction.Operation, _ id: WireValue, _ reply: ServerConnection.Reply,
        _ served: ServedStorage
    ) -> Bool {
        guard expect(id, reply), expectIdle(reply) else { return false }
        transaction?.append(operation)
        guard let size = transaction?.size, size <= server.policy.transactionLimit else {
            close(because: "its transaction has more than \(server.policy.transactionLimit) bytes")
            return false
        }
        if case .requireCurrent = operation {} else { served.statistics.withLock { $0.stores += 1 } }
        return true
    }

    // MARK: Votes

    private func vote(_ reply: ServerConnection.Reply, _ served: ServedStorage) {
        whenReadyToVote(reply) { client in
            guard let refusal = client.transaction?.refusal else { return client.request(.vote, reply, served) }
            client.requests += 1
            client.voting = .waiting(reply, number: client.requests)
            client.voted(.failed(refusal, nil), client.requests, after: 0)
        }
    }

    /// Runs `body` when all blobs of the client are on the disk and its last transaction is over for the storage, too, unless
    /// this one has ended by then. So a client has one request at a time before the storage.
    private func whenReadyToVote(_ reply: ServerConnection.Reply, _ body: @escaping (ClientHandler) -> Void) {
        guard voteObstacles > 0 else { return body(self) }
        requests += 1
        voting = .waiting(reply, number: requests)
        heldVote = body
    }

    func voteObstacleEnded() {
        voteObstacles -= 1
        guard voteObstacles == 0, let body = heldVote else { return }
        heldVote = nil
        voting = .no
        body(self)
    }

    private func request(
        _ kind: CommitTurn.Request.Kind, _ reply: ServerConnection.Reply, _ served: ServedStorage
    ) {
        guard let handle, var transaction else { return }
        guard !server.isEnding.load(ordering: .relaxed) else { return close(because: "the server ends") }
        // Who merges conflicts itself votes again, on all that it has stored.
        let mergesItself = server.policy.resolvesConflictsInClients && connection.generation >= .v5
        let operations = mergesItself ? transaction.operations : transaction.takeOperations()
        self.transaction = transaction
        requests += 1
        voting = .waiting(reply, number: requests)
        let request = CommitTurn.Request(
            client: handle, number: requests, generation: connection.generation, kind: kind,
            description: transaction.description,
            operations: operations, label: name)
        served.writing.submit { _ in served.turn.request(request, served) }
    }

    /// The storage has decided, when so many ends of transactions had been asked for. `number` is that of the request.
    ///
    /// Clients up to generation 4 lock themselves up in `tpc_finish`, and again for each invalidation: one that comes before
    /// the answer would never be read. So all transactions before theirs have to come out before they are told that it
    /// is their turn; while they have it, there are no others. Clients of generation 5 need not wait for that.
    func voted(_ outcome: VoteOutcome, _ number: Int, after endings: Int) {
        guard case .waiting(_, number) = voting else { return }
        if case .granted = outcome {
            watchLock(true)
            if mustWait(for: endings) { return heldBack = (endings, { $0.tell(outcome, number) }) }
        }
        tell(outcome, number)
    }

    private func mustWait(for endings: Int) -> Bool {
        guard connection.generation <= .v4, let served else { return false }
        return served.publications.conclusions < endings
    }

    /// What was kept from the client until all transactions before its own have come out, if they have.
    func tellHeldBack() {
        guard let (endings, body) = heldBack, !mustWait(for: endings) else { return }
        heldBack = nil
        body(self)
    }

    private func tell(_ outcome: VoteOutcome, _ number: Int) {
        guard case .waiting(let reply, number) = voting else { return }
        tellNews()
        switch outcome {
        case .granted: voting = .done
        case .failed:
            voting = .failed
            if connection.generation >= .v5 { transactionEnded() }
        case .unresolved: voting = .no
        }
        for body in connection.bodies(of: reply, outcome) { send(body) }
    }

    /// An undo of an old client is done; its transaction has the lock.
    func undone(_ tid: TransactionID, _ oids: [ObjectID], _ number: Int, after endings: Int) {
        guard case .waiting(_, number) = voting else { return }
        watchLock(true)
        if mustWait(for: endings) { return heldBack = (endings, { $0.tellUndone(tid, oids, number) }) }
        tellUndone(tid, oids, number)
    }

    private func tellUndone(_ tid: TransactionID, _ oids: [ObjectID], _ number: Int) {
        guard case .waiting(let reply, number) = voting else { return }
        voting = .no
        let list = WireValue.list(oids.map { .bytes($0.bytes) })
        answer(reply, connection.generation <= .v201 ? list : .tuple([.bytes(tid.bytes), list]))
    }

    func undoFailed(_ exception: PythonException, _ number: Int) {
        guard case .waiting(let reply, number) = voting else { return }
        voting = .failed
        refuse(reply, exception)
    }

    // MARK: The end

    private func finish(_ id: WireValue, _ reply: ServerConnection.Reply, _ served: ServedStorage) {
        guard !isReadOnly else { return refuse(reply, .readOnly) }
        guard let handle, transaction?.id == id else { return answer(reply, .none) }
        guard case .done = voting else { return refuse(reply, .transactionError("tpc_finish without a vote")) }
        // Over for the client, which may begin the next one before it hears the tid.
        transactionEnded()
        unansweredEnds += 1
        served.writing.submit { _ in served.turn.finish(handle, reply, served) }
    }

    /// A `tpc_finish` has come to nothing.
    func endFailed(_ reply: ServerConnection.Reply, _ exception: PythonException) {
        unansweredEnds -= 1
        refuse(reply, exception)
    }

    private func abort(_ id: WireValue, _ reply: ServerConnection.Reply, _ served: ServedStorage) {
        guard !isReadOnly else { return refuse(reply, .readOnly) }
        guard let handle, transaction?.id == id else { return answer(reply, .none) }
        transactionEnded()
        served.statistics.withLock { $0.aborts += 1 }
        voteObstacles += 1
        served.writing.submit { _ in
            served.turn.leave(handle.id, served)
            handle.execute { $0.voteObstacleEnded() }
        }
        answer(reply, .none)
    }

    /// There is no transaction any more.
    func transactionEnded() {
        guard transaction != nil, let served else { return }
        transaction = nil
        incomingBlob = nil
        heldBack = nil
        heldVote = nil
        voting = .no
        watchLock(false)
        served.statistics.withLock { $0.activeTransactions -= 1 }
    }
}
