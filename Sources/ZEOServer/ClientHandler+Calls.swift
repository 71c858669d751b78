internal import Logging
internal import NIOCore
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// What is done for each call.
extension ClientHandler {
    /// One message's body.
    func receive(_ body: [UInt8]) {
        switch connection.received(body) {
        case .none: break
        case .greeted(let dialect): logger.debug("\(name) speaks \(dialect)")
        case .status:
            send(Array(server.statusText(for: identity).utf8))
            close(because: nil)
        case .call(let call, let reply): perform(call, reply)
        case .refused(let exception, let reply): refuse(reply, exception)
        case .close(let reason): close(because: reason)
        }
    }

    // MARK: Answers

    /// Answers a call, after all that the client has to know before.
    func answer(_ reply: ServerConnection.Reply, _ value: WireValue) {
        tellNews()
        guard !reply.isOneWay else { return }
        send(connection.body(of: reply, value))
    }

    /// Answers a call that failed. Without an answer to give, clients of generation 5 are disconnected, older ones are not.
    func refuse(_ reply: ServerConnection.Reply, _ exception: PythonException) {
        logger.debug("\(name): \(exception.text)")
        guard reply.isOneWay else {
            tellNews()
            return send(connection.body(of: reply, raising: exception))
        }
        if connection.generation.closesOnFailedNotice {
            return close(because: "a call without an answer failed: \(exception.text)")
        }
        // Nobody hears of it: at least nothing of the transaction that it was part of may be written.
        guard transaction != nil else { return }
        if transaction?.refusal == nil { transaction?.refusal = exception }
        logger.notice("\(name): a call of its transaction failed, and so its vote will: \(exception.text)")
    }

    func notify(_ name: String, _ arguments: [WireValue]) {
        send(connection.body(ofNotice: name, arguments))
    }

    /// Sends what was published since the last time: invalidations of others' transactions, and answers to the ends of the
    /// client's own.
    /// - Parameter limit: what was published from this number on waits for the next time.
    func tellNews(upTo limit: Int = .max) {
        guard let served, served.publications.count != cursor, cursor < limit else { return }
        let (entries, end) = served.publications.entries(from: cursor, upTo: limit)
        cursor = end
        together { for entry in entries { tell(entry, served) } }
    }

    private func tell(_ entry: Publications.Entry, _ served: ServedStorage) {
        farLoads.noteChanges(of: entry.oids)
        if entry.committer == id, let reply = entry.reply {
            unansweredEnds -= 1
            commits += 1
            if let information = try? served.sizeInformation() { notify("info", [information]) }
            send(connection.body(of: reply, .bytes(entry.tid.bytes)))
        } else {
            send(clients.invalidation(entry, of: served, for: &connection))
        }
    }

    /// What `body` sends goes out at once: each time the network is written to wakes the client.
    private func together(_ body: () -> Void) {
        guard !isReading else { return body() }
        clients.hand(to: self)
        isReading = true
        body()
        isReading = false
        flush()
    }

    /// Carries out a call and answers with what it returns, or with its error.
    private func answer(_ reply: ServerConnection.Reply, _ body: () throws(StorageError) -> WireValue) {
        do throws(StorageError) {
            answer(reply, try body())
        } catch {
            refuse(reply, PythonException(error))
        }
    }

    /// Answers with what the storage holds now: behind the news of all that the answer reflects, and before the news of
    /// anything newer. A client that hears of a change takes what comes afterwards for the changed state.
    func answerWithState(
        _ reply: ServerConnection.Reply, _ served: ServedStorage, _ body: () throws(StorageError) -> WireValue
    ) {
        for _ in 0..<3 {
            tellNews()
            let result = Self.result(of: body)
            if served.publications.count == cursor { return send(result, reply) }
        }
        // Somebody commits all the time: then it has to wait for a moment.
        var number = 0
        var result = Result<WireValue, StorageError>.failure(.interrupted)
        served.publications.standingStill { count in
            number = count
            result = Self.result(of: body)
        }
        tellNews(upTo: number)
        send(result, reply)
    }

    static func result<Value>(of body: () throws(StorageError) -> Value) -> Result<Value, StorageError> {
        do throws(StorageError) {
            return .success(try body())
        } catch {
            return .failure(error)
        }
    }

    func send(_ result: Result<WireValue, StorageError>, _ reply: ServerConnection.Reply) {
        if reply.isOneWay {
            if case .failure(let error) = result { refuse(reply, PythonException(error)) }
            return
        }
        switch result {
        case .success(let value): send(connection.body(of: reply, value))
        case .failure(let error): send(connection.body(of: reply, raising: PythonException(error)))
        }
    }

    // MARK: Calls

    private func perform(_ call: ServerCall, _ reply: ServerConnection.Reply) {
        guard let served else { return performUnregistered(call, reply) }
        guard mayDo(call, reply) else { return }
        switch call {
        case .getAuthProtocol, .getChallenge, .answerChallenge: performUnregistered(call, reply)
        case .register:
            // From generation 5 on the method is not there any more.
            guard connection.generation <= .v4 else { return close(because: "it registered twice") }
            refuse(reply, .valueError("duplicate register() call"))
        case .getInfo:
            let generation = connection.generation
            answer(reply) { () throws(StorageError) in try served.servedInformation().value(in: generation) }
        case .getSizeInfo: answer(reply) { () throws(StorageError) in try served.sizeInformation() }
        case .getExtensionMethods: answer(reply, .dict([]))
        case .ping: answer(reply, .none)
        case .serverStatus: answer(reply, served.status(in: connection.generation))
        case .ownStatus: answerOwnStatus(reply, served)
        case .setClientLabel(let label):
            setLabel(label)
            answer(reply, .none)
        case .lastTransaction:
            answerWithState(reply, served) { () throws(StorageError) in
                ServerReply.tid(try served.lastTransaction())
            }
        case .newObjectIDs(let count):
            guard !isReadOnly, let storage = served.writable else { return refuse(reply, .readOnly) }
            answer(reply) { () throws(StorageError) in
                .list(try storage.newObjectIDs(max(0, min(count, 100))).map { .bytes($0.bytes) })
            }
        case .getInvalidations(let tid):
            let generation = connection.generation
            tellNews()
            answer(reply, ServerReply.invalidations(served.publications.changes(since: tid), in: generation))
        case .loadCurrent, .loadBefore, .loadSerial, .serialOfCurrent: performLoad(call, reply, served)
        case .history, .recordNext, .undoInfo, .iteratorStart, .iteratorNext, .iteratorRecordStart,
            .iteratorRecordNext, .iteratorRelease:
            performReading(call, reply, served)
        case .sendBlob(let oid, let serial): sendBlob(oid, serial, reply, served)
        case .begin, .store, .restore, .delete, .requireCurrent, .storeBlobStart, .storeBlobChunk, .storeBlobEnd,
            .storeBlobShared, .undoAtVote, .undoNow, .vote, .finish, .abort:
            performWriting(call, reply, served)
        case .pack(let time, let waits): pack(time, waits, reply, served)
        case .verify(let oid, let tid):
            verify(oid, tid, served)
            answer(reply, .none)
        case .endVerification:
            tellNews()
            notify("endVerify", [])
            answer(reply, .none)
        case .versionEmpty: answer(reply, .integer(1))
        case .versions: answer(reply, .list([]))
        case .modifiedInVersion: answer(reply, .string(""))
        case .versionChange(let name): refuse(reply, .notImplemented("\(name): this server has no versions"))
        }
    }

    /// A label stands in log lines: nothing in it may end one, or turn a terminal upside down.
    private func setLabel(_ text: String) {
        let kept = text.unicodeScalars.prefix(200).filter { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: false
            default: true
            }
        }
        let before = label
        label = kept.isEmpty ? nil : String(String.UnicodeScalarView(kept))
        if let label, label != before { logger.info("\(peer) calls itself \(label)") }
    }

    /// Tells a client that comes back when what it has of an object is not current.
    private func verify(_ oid: ObjectID, _ tid: TransactionID, _ served: ServedStorage) {
        let serial = try? served.revision(oid, before: .latest).serial
        guard serial != tid else { return }
        let isPaired = connection.generation.hasVersionArguments
        tellNews()
        notify(
            "invalidateVerify", [isPaired ? .tuple([.bytes(oid.bytes), .string("")]) : .bytes(oid.bytes)])
    }
}

extension ServedStorage {
    /// The latest revision with a serial below `tid`.
    func revision(_ oid: ObjectID, before tid: TransactionID) throws(StorageError) -> Revision {
        // As Python's storages do, anything from the highest tid on means now.
        try storage.load(oid, at: min(tid, .latest).predecessor)
    }

    func sizeInformation() throws(StorageError) -> WireValue { try servedInformation().sizeValue }
}
