internal import Synchronization
internal import ZEOProtocol
public import ZODB

extension ZEOClientStorage {
    /// As many loads are under way at once as the server answers in a moment.
    private static let loadsAtOnce = 256

    public func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
        guard let result = load([oid], at: tid).first else { throw .noSuchObject(oid) }
        return try result.get()
    }

    public func load(_ oids: [ObjectID], at tid: TransactionID) -> [Result<Revision, StorageError>] {
        var found: [ObjectID: Result<Revision, StorageError>] = [:]
        found.reserveCapacity(oids.count)
        var missing: [ObjectID] = []
        if isConnected { settleCache() }
        state.withLock { state in
            // What is cached holds up to the last transaction known; for anything later the server has a say,
            // and without a connection nobody knows.
            var isKnown = tid <= state.view.lastTransaction
            var isConnected = false
            if case .connected = state.link { (isKnown, isConnected) = (true, true) }
            for oid in oids where found[oid] == nil {
                if isKnown,
                    let revision = state.view.cached(
                        oid, at: tid, isForWriting: !options.readOnly, isConnected: isConnected)
                {
                    found[oid] = .success(revision)
                } else {
                    found[oid] = .failure(.interrupted)
                    missing.append(oid)
                }
            }
        }
        for start in stride(from: 0, to: missing.count, by: Self.loadsAtOnce) {
            let part = missing[start..<min(start + Self.loadsAtOnce, missing.count)]
            for (oid, result) in fetchRepeating(part, at: tid) { found[oid] = result }
        }
        return oids.map { found[$0] ?? .failure(.noSuchObject($0)) }
    }

    /// Loads again what was under way when the connection was lost: at the same moment it is the same.
    private func fetchRepeating(
        _ oids: ArraySlice<ObjectID>, at tid: TransactionID
    ) -> [(ObjectID, Result<Revision, StorageError>)] {
        var done: [(ObjectID, Result<Revision, StorageError>)] = []
        var waiting = oids
        do throws(StorageError) {
            try repeating { () throws(StorageError) in
                var lost: (error: StorageError, oids: [ObjectID])?
                for (oid, result) in fetch(waiting, at: tid) {
                    if case .failure(let error) = result, case .connection(.lost) = error {
                        lost = (lost?.error ?? error, (lost?.oids ?? []) + [oid])
                    } else {
                        done.append((oid, result))
                    }
                }
                waiting = (lost?.oids ?? [])[...]
                if let lost { throw lost.error }
            }
        } catch {
            done += waiting.map { ($0, .failure(error)) }
        }
        // Only what could not be made again either is away.
        return done.map { oid, result in
            guard case .failure(let error) = result else { return (oid, result) }
            return (oid, .failure(explained(readingError(error, at: tid), of: oid)))
        }
    }

    private func fetch(
        _ oids: ArraySlice<ObjectID>, at tid: TransactionID
    ) -> [(ObjectID, Result<Revision, StorageError>)] {
        do throws(StorageError) {
            try interruption.check()
            let channel = try readingChannel(at: tid)
            guard let server else { throw .connection(.lost(address: name, "not connected yet")) }
            // The greatest tid that every server takes stands for the current revision.
            let before = tid >= .latest ? TransactionID.latest : tid.successor
            let loads = oids.map { oid in
                let loading =
                    server.loadsPastBySerial
                    ? loading(oid, by: .loadCurrent(oid), at: tid) { value throws(MalformedReply) in
                        try Reply.current(value)
                    }
                    : loading(oid, by: .loadBefore(oid, before), at: tid) { value throws(MalformedReply) in
                        try Reply.revision(value)
                    }
                return (oid, loading)
            }
            state.withLock { state in
                for oid in oids { state.view.willLoad(oid) }
            }
            channel.send(loads.map(\.1))
            return loads.map { oid, pending in (oid, result(of: pending, oid, at: tid, server)) }
        } catch {
            return oids.map { ($0, .failure(error)) }
        }
    }

    private func result(
        of pending: PendingReply<Revision>, _ oid: ObjectID, at tid: TransactionID, _ server: ServerDialect
    ) -> Result<Revision, StorageError> {
        do throws(StorageError) {
            let revision = try wait(for: pending)
            // A current one may be younger than what was asked for.
            guard revision.serial <= tid else { return .success(try pastRevision(of: oid, at: tid)) }
            return .success(revision)
        } catch {
            guard case .noRevision = error, server.mayKeepNoPast, isCurrent(tid) else {
                return .failure(error)
            }
        }
        do throws(StorageError) {
            return .success(try currentRevision(of: oid, at: tid))
        } catch {
            return .failure(error)
        }
    }

    /// A load whose answer is put in its place among what others commit.
    func loading(
        _ oid: ObjectID, by call: Call, at tid: TransactionID,
        _ decode: @escaping @Sendable (WireValue) throws(MalformedReply) -> Revision?
    ) -> PendingReply<Revision> {
        let address = name
        // The storage outlives its calls, unless it is given up: then nobody looks at the result either.
        return PendingReply(call) { [weak self] result in
            var decoded: Result<Revision?, StorageError>
            do throws(StorageError) {
                decoded = .success(try Self.decode(try result.get(), address, decode))
            } catch {
                decoded = .failure(error)
            }
            // So ZODB up to 3.10 answers for an object whose creation was undone.
            if case .success(let revision?) = decoded, revision.data.isEmpty { decoded = .failure(.noSuchObject(oid)) }
            let revision = try? decoded.get()
            let current = self?.state.withLock { $0.view.loaded(oid, revision) }
            if case .failure(let error) = decoded { return .failure(error) }
            guard let revision = current ?? revision else { return .failure(.noRevision(oid, at: tid)) }
            return .success(revision)
        }
    }

    // MARK: Calls in general

    /// Sends one call and waits for its result.
    @discardableResult
    func perform<Value: Sendable>(
        _ call: Call, on attempt: Int? = nil, _ decode: @escaping @Sendable (WireValue) throws(MalformedReply) -> Value
    ) throws(StorageError) -> Value {
        func once() throws(StorageError) -> Value {
            let pending = request(call, decode)
            try send([pending], on: attempt)
            return try wait(for: pending)
        }
        return attempt == nil && call.isRepeatable ? try repeating(once) : try once()
    }

    /// Waits for a reply without which nothing has changed, as long as the user is willing to, and as `replyTimeout` says.
    func wait<Value: Sendable>(for pending: PendingReply<Value>) throws(StorageError) -> Value {
        try suspecting { () throws(StorageError) in
            try pending.waiting.value(interruption, within: options.replyTimeout, from: serverAddress, telling: notice)
        }
    }

    func request<Value: Sendable>(
        _ call: Call, _ decode: @escaping @Sendable (WireValue) throws(MalformedReply) -> Value
    ) -> PendingReply<Value> {
        let address = name
        return PendingReply(call) { result in
            do throws(StorageError) {
                return .success(try Self.decode(try result.get(), address, decode))
            } catch {
                return .failure(error)
            }
        }
    }

    /// Sends calls together. What they lead to, each is told.
    /// - Parameter attempt: the connection the calls belong to, when they name something that lives no longer than it,
    ///   as iterators and transactions do. On another one, the same number is another iterator.
    /// - Returns: the connection they were sent on.
    @discardableResult
    func send(_ calls: [any PendingCall], on attempt: Int? = nil) throws(StorageError) -> Int {
        try interruption.check()
        guard let attempt else {
            let channel = try connectedChannel()
            channel.send(calls)
            return channel.attempt
        }
        guard let channel = channel(of: attempt) else {
            throw .connection(.lost(address: name, "what was under way went with the connection"))
        }
        channel.send(calls)
        return attempt
    }

    /// The channel of this connection, if it is still the one.
    private func channel(of attempt: Int) -> ClientChannel? {
        state.withLock { state in
            guard case .connected(let channel) = state.link, channel.attempt == attempt else { return nil }
            return channel
        }
    }

    /// Sends what no one waits for, if it still has a meaning.
    func post(_ calls: [Call], on attempt: Int) { post(calls.map(UnattendedCall.init), on: attempt) }

    func post(_ calls: [any PendingCall], on attempt: Int) {
        channel(of: attempt)?.send(calls)
    }

    private static func decode<Value>(
        _ value: WireValue, _ address: String, _ decode: (WireValue) throws(MalformedReply) -> Value
    ) throws(StorageError) -> Value {
        do throws(MalformedReply) {
            return try decode(value)
        } catch {
            throw .connection(.protocolError(address: address, error.description))
        }
    }
}
