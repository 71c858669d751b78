internal import NIOCore
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// Loads: those of revisions that are near are answered where they arrive, from the map; the others, which go through much
/// of an object's history, by another thread.
extension ClientHandler {
    /// Records behind the newest that one load may go through on the event loop: some microseconds, as long as it takes to
    /// hand it to another thread.
    private static let mostSteps = 64
    /// How often a load is done again by another thread because the object has changed meanwhile.
    private static let mostRounds = 8

    /// Answers a message that is a load of the common kind.
    /// - Returns: whether it is one, and was near.
    func load(
        _ body: RawSpan, _ encoding: Dialect.Encoding, _ served: ServedStorage, _ direct: any DirectLoadStorage
    ) -> Bool {
        guard let request = LoadRequest(body, in: encoding) else { return false }
        let known = cursor
        let publications = served.publications
        let reader = connection.clientPython
        let allowed = allowedSteps
        var left = allowed
        defer { steps -= allowed - max(0, left) }
        do throws(StorageError) {
            let isDone = try direct.withRevision(
                request.oid, before: request.before, steps: &left
            ) { data, serial, next -> Bool in
                // Only now: what was just found may be newer than the last news.
                guard publications.count == known else { return false }
                let id = body.extracting(request.id)
                let size = LoadReply.frameSize(
                    id: id.byteCount, count: data.byteCount, hasNext: next != nil, in: encoding, for: reader)
                clients.out.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { space in
                    unsafe LoadReply.write(
                        to: UnsafeMutableRawBufferPointer(rebasing: space[0..<size]), id: id, data: data,
                        serial: serial, next: next, in: encoding, for: reader)
                    return size
                }
                return true
            }
            if isDone == nil { finding = .isFar }
            guard isDone == true else { return false }
            loads += 1
            return true
        } catch {
            // An object that is not there: not so often that it has to be fast.
            finding = .failure(error, known: known)
            return false
        }
    }

    private var allowedSteps: Int { max(0, min(Self.mostSteps, steps)) }

    func noteLoads() {
        guard loads > 0, let served else { return }
        let count = loads
        loads = 0
        notedLoads += count
        served.statistics.withLock { $0.loads += count }
    }

    /// Answers a load of any kind.
    func performLoad(_ call: ServerCall, _ reply: ServerConnection.Reply, _ served: ServedStorage) {
        loads += 1
        let finding = finding
        self.finding = .nothing
        switch finding {
        case .isFar: return loadFar(call, reply, served, round: 0)
        case .failure(let error, known: cursor) where served.publications.count == cursor:
            return send(
                Self.result { () throws(StorageError) in try Self.value(of: call, failing: error) }, reply)
        case .failure, .nothing: load(call, reply, served, round: 0)
        }
    }

    /// What a load answers whose look has failed.
    private static func value(of call: ServerCall, failing error: StorageError) throws(StorageError) -> WireValue {
        // Of all loads only that can be told that the object was not there yet.
        if case .loadBefore = call, case .noRevision = error { return .none }
        throw error
    }

    private func load(
        _ call: ServerCall, _ reply: ServerConnection.Reply, _ served: ServedStorage, round: Int
    ) {
        let generation = connection.generation
        for _ in 0..<3 {
            tellNews()
            let allowed = allowedSteps
            var left = allowed
            let found = Self.result { () throws(StorageError) in
                try served.loaded(call, in: generation, steps: &left)
            }
            steps -= allowed - max(0, left)
            if case .success(nil) = found { return loadFar(call, reply, served, round: round) }
            if served.publications.count == cursor { return send(found.map { $0?.value ?? .none }, reply) }
        }
        // Somebody commits all the time.
        loadStandingStill(call, reply, served)
    }

    /// However far it is.
    private func loadStandingStill(_ call: ServerCall, _ reply: ServerConnection.Reply, _ served: ServedStorage) {
        let generation = connection.generation
        answerWithState(reply, served) { () throws(StorageError) in
            var steps = Int.max
            return try served.loaded(call, in: generation, steps: &steps)?.value ?? .none
        }
    }

    /// Has a load done by the thread that goes through histories. Its answer holds for a moment in the past: it goes out
    /// when nothing that the client has been told of since contradicts it, and is looked for again otherwise.
    private func loadFar(
        _ call: ServerCall, _ reply: ServerConnection.Reply, _ served: ServedStorage, round: Int
    ) {
        guard let handle, let oid = call.loadedObject else { return }
        guard round < Self.mostRounds else { return loadStandingStill(call, reply, served) }
        let generation = connection.generation
        let number = farLoads.begin(oid)
        beginRead()
        served.loading.submit(for: handle) { _ in
            let found = Self.result { () throws(StorageError) in
                var steps = Int.max
                return try served.loaded(call, in: generation, steps: &steps)
            }
            handle.execute { client in
                // Of what the answer reflects, too.
                client.tellNews()
                let isStale = client.farLoads.end(number)
                if isStale, (try? found.get())??.isSettled != true {
                    client.load(call, reply, served, round: round + 1)
                } else {
                    client.send(found.map { $0?.value ?? .none }, reply)
                }
                client.endRead()
            }
        }
    }
}

extension ServerCall {
    /// What a load is of.
    fileprivate var loadedObject: ObjectID? {
        switch self {
        case .loadCurrent(let oid, _), .loadBefore(let oid, _), .loadSerial(let oid, _), .serialOfCurrent(let oid): oid
        default: nil
        }
    }
}

extension ServedStorage {
    /// What a load answers.
    /// - Parameter steps: how many records behind the object's newest may be looked at, less by those that were.
    /// - Returns: nil when it has to go further back.
    fileprivate func loaded(
        _ call: ServerCall, in generation: Generation, steps: inout Int
    ) throws(StorageError) -> LoadedValue? {
        switch call {
        case .loadCurrent(let oid, let form):
            return try revision(oid, before: .latest, steps: &steps).map {
                LoadedValue(value: ServerReply.current($0, form, in: generation), isSettled: false)
            }
        case .loadBefore(let oid, let tid):
            do throws(StorageError) {
                return try revision(oid, before: tid, steps: &steps).map {
                    LoadedValue(value: ServerReply.revision($0), isSettled: $0.next != nil)
                }
            } catch .noRevision {
                return LoadedValue(value: .none, isSettled: true)
            }
        case .loadSerial(let oid, let serial):
            do throws(StorageError) {
                guard let revision = try revision(oid, before: serial.successor, steps: &steps) else { return nil }
                guard revision.serial == serial else { throw .noSuchObject(oid) }
                return LoadedValue(value: .bytes(revision.data), isSettled: true)
            } catch .noRevision {
                throw .noSuchObject(oid)
            }
        case .serialOfCurrent(let oid):
            return try revision(oid, before: .latest, steps: &steps).map {
                LoadedValue(value: .bytes($0.serial.bytes), isSettled: false)
            }
        default: preconditionFailure("\(call) is no load")
        }
    }

    /// The latest revision with a serial below `tid`.
    fileprivate func revision(
        _ oid: ObjectID, before tid: TransactionID, steps: inout Int
    ) throws(StorageError) -> Revision? {
        guard let direct else { return try revision(oid, before: tid) }
        return try direct.withRevision(oid, before: min(tid, .latest), steps: &steps) { data, serial, next in
            Revision(data: data.withUnsafeBytes { unsafe [UInt8]($0) }, serial: serial, next: next)
        }
    }
}
