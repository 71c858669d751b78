internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// Calls that read for longer than a load: they run on the storage's reading threads, those of one client one after the other.
extension ClientHandler {
    func performReading(_ call: ServerCall, _ reply: ServerConnection.Reply, _ served: ServedStorage) {
        guard let handle else { return }
        let generation = connection.generation
        let iterators = iterators
        beginRead()
        served.reading.submit(for: handle) { turn in
            let result: Result<WireValue, PythonException>
            do throws(StorageError) {
                result = try Self.result(of: call, served, generation, iterators, turn)
            } catch {
                result = .failure(PythonException(error))
            }
            handle.execute { client in
                switch result {
                case .success(let value): client.answer(reply, value)
                case .failure(let exception): client.refuse(reply, exception)
                }
                client.endRead()
            }
        }
    }

    private static func result(
        of call: ServerCall, _ served: ServedStorage, _ generation: Generation, _ iterators: ServerIterators,
        _ turn: WorkLine.Turn
    ) throws(StorageError) -> Result<WireValue, PythonException> {
        switch call {
        case .history(let oid, let limit):
            guard let storage = served.storage as? any HistoryStorage else { throw served.cannot("tell histories") }
            return .success(ServerReply.history(try storage.history(of: oid, limit: max(0, limit)), in: generation))
        case .recordNext(let oid):
            guard let storage = served.storage as? any CurrentRecordStorage else {
                throw served.cannot("list its objects")
            }
            let records = try storage.currentRecords(from: oid ?? .root)
            guard let record = try records.next() else {
                // Python's storages find nothing there, and say so in this way.
                return .failure(.valueError("no object from \(oid ?? .root) on"))
            }
            return .success(ServerReply.currentRecord(record, next: try records.next()?.oid))
        case .undoInfo(let first, let last, let filter):
            // Clients before 310 take it as that they cannot undo, and never ask.
            return .success(try served.undoInfo(first, last, UndoFilter(filter), turn))
        case .iteratorStart(let first, let last):
            return .success(.integer(Int64(try iterators.start(first, last, served))))
        case .iteratorNext(let id): return try iterators.next(id)
        case .iteratorRecordStart(let id, let tid): return try iterators.startRecords(id, tid, served)
        case .iteratorRecordNext(let id): return try iterators.nextRecord(id)
        case .iteratorRelease(let ids):
            iterators.release(ids)
            return .success(.none)
        default: preconditionFailure("\(call) is not read")
        }
    }

    func pack(_ time: Double, _ waits: Bool, _ reply: ServerConnection.Reply, _ served: ServedStorage) {
        guard let handle else { return }
        guard let storage = served.storage as? any PackableStorage else {
            return refuse(reply, PythonException(served.cannot("be packed")))
        }
        guard let tid = TransactionID(unixTime: time) else {
            return refuse(reply, .valueError("\(time) is no time to pack to"))
        }
        if !waits { answer(reply, .none) }
        logger.info("(\(served.name)) pack to \(tid) asked for by \(name)")
        let server = server
        served.packing.submit { _ in
            let failure: PythonException?
            do throws(StorageError) {
                let summary = try storage.pack(to: tid, PackOptions(progress: served.noteProgress()))
                failure = nil
                served.note(summary, tid)
                server.tellSizes(of: served)
            } catch {
                failure = error == .alreadyPacking ? .fileStorage("Already packing") : PythonException(error)
                served.logger.error("(\(served.name)) the pack failed: \(error)")
            }
            guard waits else { return }
            handle.execute { client in
                if let failure { client.refuse(reply, failure) } else { client.answer(reply, .none) }
            }
        }
    }
}

extension ServedStorage {
    /// Notes in the log what a pack comes to.
    fileprivate func noteProgress() -> @Sendable (PackProgress) -> Void {
        let phase = Mutex(PackProgress.Phase?.none)
        return { [logger, name] progress in
            guard
                phase.withLock({ last in
                    defer { last = progress.phase }
                    return last != progress.phase
                })
            else { return }
            logger.info("(\(name)) packing: \(progress.phase.rawValue), after \(Int(progress.elapsed)) s")
        }
    }

    fileprivate func note(_ summary: PackSummary, _ tid: TransactionID) {
        guard summary.outcome == .packed else {
            if case .nothingToDo(let reason) = summary.outcome {
                logger.info("(\(name)) nothing to pack to \(tid): \(reason)")
            }
            return
        }
        func change(_ before: Int?, _ after: Int?) -> String { "\(before ?? 0) to \(after ?? 0)" }
        logger.info(
            "(\(name)) packed to \(tid): \(change(summary.objectsBefore, summary.objectsAfter)) objects, \(change(summary.bytesBefore, summary.bytesAfter)) bytes"
        )
        if let first = summary.dangling.first {
            logger.warning(
                "(\(name)) \(summary.danglingCount) references lead to objects that are not there; the first: \(first.referrer) to \(first.missing)"
            )
        }
        if summary.rescued > 0 {
            logger.notice(
                "(\(name)) \(summary.rescued) objects were garbage at that time and are referred to again: they were kept"
            )
        }
        for text in summary.notes { logger.warning("(\(name)) \(text)") }
    }

    func cannot(_ what: String) -> StorageError { .unsupported("storage \(name) cannot \(what)") }

    /// Transactions that can be undone, newest first: of those that pass the filter the ones numbered `first ..< last`, or,
    /// with a negative `last`, at most so many.
    fileprivate func undoInfo(
        _ first: Int, _ last: Int, _ filter: UndoFilter, _ turn: WorkLine.Turn
    ) throws(StorageError) -> WireValue {
        guard let storage = storage as? any TransactionLogStorage,
            (storage as? any UndoableStorage)?.supportsUndo == true
        else { return .list([]) }
        let first = max(0, first)
        let (sum, overflow) = last < 0 ? first.subtractingReportingOverflow(last) : (last, false)
        let end = overflow ? Int.max : sum
        var entries: [WireValue] = []
        var number = 0
        let log = try storage.transactionLog()
        while number < end, let transaction = try log.next() {
            // It may be all of a long log.
            guard turn.isWanted else { throw .interrupted }
            if transaction.status == .packed { break }
            guard transaction.status == .complete else { continue }
            let entry = ServerReply.undoEntry(transaction)
            guard filter.admits(entry) else { continue }
            if number >= first { entries.append(entry) }
            number += 1
        }
        return .list(entries)
    }
}

/// Which transactions a client wants to hear of: every key of a dict has to be equal, or to begin with a path.
struct UndoFilter: Sendable {
    private let conditions: [(name: String, value: WireValue)]

    init(_ value: WireValue) {
        guard case .dict(let entries) = value else {
            conditions = []
            return
        }
        conditions = entries.compactMap { entry in entry.key.name.map { ($0, entry.value) } }
    }

    func admits(_ entry: WireValue) -> Bool {
        conditions.allSatisfy { condition in
            guard let found = entry[condition.name] else { return false }
            if case .instance(let instance) = condition.value {
                // `ZopeUndo.Prefix`: a path whose leading parts have to be there.
                guard let path = Self.path(instance), let text = found.name else { return false }
                return text == path || text.hasPrefix(path + "/")
            }
            if let wanted = condition.value.rawBytes { return found.rawBytes == wanted }
            return found == condition.value
        }
    }

    private static func path(_ prefix: WireValue.Instance) -> String? {
        let state = prefix.state
        if let parts = state?["path"]?.elements { return parts.compactMap(\.name).joined(separator: "/") }
        return (state?["path"] ?? state?["value"] ?? prefix.arguments.elements?.last)?.name
    }
}

/// The iterators of one client, by the numbers that it knows them by.
///
/// `@unchecked`: only the storage's reading threads call them, of one client one at a time.
final class ServerIterators: @unchecked Sendable {
    private enum Iterator {
        case transactions(any Cursor<TransactionSummary>, last: TransactionID?)
        case records(any Cursor<TransactionRecord>, of: TransactionID)
    }

    /// What one client may have open.
    private static let most = 10_000

    private var iterators: [Int: Iterator] = [:]
    private var lastID = -1

    func start(
        _ first: TransactionID?, _ last: TransactionID?, _ served: ServedStorage
    ) throws(StorageError) -> Int {
        guard let storage = served.storage as? any TransactionLogStorage else {
            throw served.cannot("list its transactions")
        }
        return try add(
            .transactions(try storage.transactions(from: first ?? .none, through: last ?? .latest), last: nil))
    }

    private func add(_ iterator: Iterator) throws(StorageError) -> Int {
        guard iterators.count < Self.most else {
            throw .unsupported("a client has at most \(Self.most) iterators at a time")
        }
        lastID += 1
        iterators[lastID] = iterator
        return lastID
    }

    func next(_ id: Int) throws(StorageError) -> Result<WireValue, PythonException> {
        guard case .transactions(let cursor, _)? = iterators[id] else { return .failure(Self.missing(id)) }
        let transaction = try cursor.next()
        iterators[id] = transaction.map { .transactions(cursor, last: $0.tid) }
        return .success(ServerReply.iteratedTransaction(transaction))
    }

    func startRecords(
        _ id: Int, _ tid: TransactionID, _ served: ServedStorage
    ) throws(StorageError) -> Result<WireValue, PythonException> {
        guard case .transactions(_, let last?)? = iterators[id] else { return .failure(Self.missing(id)) }
        guard last == tid, let storage = served.storage as? any TransactionLogStorage else {
            return .failure(.valueError("Out-of-order request for record iterator for transaction \(tid)"))
        }
        return .success(.integer(Int64(try add(.records(try storage.records(of: tid).records, of: tid)))))
    }

    func nextRecord(_ id: Int) throws(StorageError) -> Result<WireValue, PythonException> {
        guard case .records(let cursor, let tid)? = iterators[id] else { return .failure(Self.missing(id)) }
        let record = try cursor.next()
        if record == nil { iterators[id] = nil }
        return .success(ServerReply.iteratedRecord(record, of: tid))
    }

    func release(_ ids: [Int]) {
        for id in ids { iterators[id] = nil }
    }

    private static func missing(_ id: Int) -> PythonException { .keyError(.integer(Int64(id))) }
}
