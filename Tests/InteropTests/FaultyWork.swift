import Foundation
import Synchronization
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB
import ZODBFile

/// What a database holds, by what was committed to it.
struct CommittedModel {
    struct Change: Equatable {
        var tid: TransactionID
        var data: [UInt8]
    }

    /// Oldest first.
    private(set) var changes: [ObjectID: [Change]] = [:]
    private(set) var transactions: [TransactionID] = []

    var oids: [ObjectID] { changes.keys.sorted() }

    mutating func committed(_ tid: TransactionID, _ stores: [(oid: ObjectID, data: [UInt8])]) {
        transactions.append(tid)
        for store in stores { changes[store.oid, default: []].append(Change(tid: tid, data: store.data)) }
    }

    func current(_ oid: ObjectID, at tid: TransactionID = .latest) -> Change? {
        changes[oid]?.last { $0.tid <= tid }
    }

    func next(_ oid: ObjectID, after tid: TransactionID) -> TransactionID? {
        changes[oid]?.first { $0.tid > tid }?.tid
    }
}

/// Scripted work through a connection that fails, with another that does not fail beside it; every answer is compared with
/// what was committed.
///
/// What may happen to a call is an error of the connection. What may not: a wrong answer, a commit that was said to have
/// failed and happened, or the other way round, a wait of which nobody is told.
final class FaultyWork {
    struct Wrong: Error, CustomStringConvertible {
        var description: String
    }

    /// What was seen, over all runs.
    struct Tally: CustomStringConvertible {
        var steps = 0, faults = 0, failedCalls = 0, commits = 0, doubts = 0, doubtsCommitted = 0, conflicts = 0,
            waits = 0

        var description: String {
            "\(steps) steps, \(faults) faults, \(failedCalls) failed calls, \(commits) commits, \(doubts) in doubt of which "
                + "\(doubtsCommitted) had happened, \(conflicts) conflicts, \(waits) waits told of"
        }

        static func += (left: inout Tally, right: Tally) {
            left.steps += right.steps
            left.faults += right.faults
            left.failedCalls += right.failedCalls
            left.commits += right.commits
            left.doubts += right.doubts
            left.doubtsCommitted += right.doubtsCommitted
            left.conflicts += right.conflicts
            left.waits += right.waits
        }
    }

    /// Longer than this nothing may take, however busy the machine.
    private static let patience = 120.0

    let server: AnyServer
    let proxy: FaultProxy
    private(set) var model = CommittedModel()
    private(set) var tally = Tally()
    /// The one that does not fail.
    private let other: ZEOClientStorage
    private var faulty: ZEOClientStorage?
    private var random: RandomNumbers
    private var counter = 0
    /// How often the client said that it waits, on whatever thread.
    private final class Waits: Sendable {
        let count = Mutex(0)
    }

    private let waits = Waits()
    private let objects: [ObjectID]

    init(_ server: AnyServer, seed: UInt64) throws {
        self.server = server
        proxy = try FaultProxy(to: server.port)
        random = RandomNumbers(seed: seed)
        other = try server.connect { $0.cacheCapacity = 0 }
        objects = Array(try other.newObjectIDs(5))
        let stores = objects.map { (oid: $0, data: Record.mapping("made", $0.description)) }
        // A root, where there is none, keeps them from being garbage.
        let tid = try other.commit(stores.map { ($0.oid, $0.data, .none) })
        model.committed(tid, stores)
    }

    // MARK: The connection that fails

    /// How patient the client is: a fault that swallows is noticed by that.
    private func options(_ options: inout ZEOClientStorage.Options) {
        options.greetingTimeout = .seconds(4)
        options.replyTimeout = .seconds(4)
        options.reconnectPatience = .seconds(2)
        options.cacheCapacity = cacheCapacity
        options.onWait = { [waits] _, _ in waits.count.withLock { $0 += 1 } }
    }

    var cacheCapacity = 1 << 20

    /// Connects anew, through what the proxy has in store.
    func reconnect(_ plans: [FaultProxy.Plan]) throws {
        faulty?.close()
        faulty = nil
        proxy.plan(plans)
        let hits = proxy.hits
        faulty = try patiently("connecting") { try server.connect(through: proxy.port, options) }
        tally.faults += proxy.hits - hits
    }

    private var storage: ZEOClientStorage {
        get throws {
            guard let faulty else { throw Wrong(description: "not connected") }
            return faulty
        }
    }

    /// Tries until it is done. Errors of the connection are what is to be expected.
    private func patiently<Value>(_ what: String, _ body: () throws -> Value) throws -> Value {
        let end = Date().addingTimeInterval(Self.patience)
        while true {
            do {
                return try body()
            } catch let error as StorageError {
                guard case .connection = error else { throw Wrong(description: "\(what): \(error)") }
                tally.failedCalls += 1
                guard Date() < end else { throw Wrong(description: "\(what): still \(error)") }
                Thread.sleep(forTimeInterval: 0.02)
            }
        }
    }

    // MARK: Steps

    enum Step: CaseIterable {
        case readOld, readNew, hearOfOther, change, changeSeveral, create, conflict, history, log, undo, records
    }

    func run(_ steps: [Step]) throws {
        for step in steps {
            let hits = proxy.hits
            let told = waits.count.withLock { $0 }
            try run(step)
            tally.steps += 1
            tally.faults += proxy.hits - hits
            tally.waits += waits.count.withLock { $0 } > told ? 1 : 0
        }
    }

    func runRandom(_ count: Int) throws {
        try run((0..<count).map { _ in Step.allCases[random.below(Step.allCases.count)] })
    }

    private func run(_ step: Step) throws {
        switch step {
        case .readOld: try readOld()
        case .readNew: try readNew()
        case .hearOfOther: try hearOfOther()
        case .change: try change([pick()])
        case .changeSeveral: try change(objects.shuffled(using: &random).prefix(3).sorted())
        case .create: try create()
        case .conflict: try conflict()
        case .history: try checkHistory()
        case .log: try checkLog()
        case .undo: if try storage.supportsUndo { try undo() }
        case .records: try checkRecords()
        }
    }

    private func pick() -> ObjectID { objects[random.below(objects.count)] }

    private func newData() -> [UInt8] {
        counter += 1
        // Now and then one that takes many packets.
        return random.oneIn(6)
            ? Record.mapping("n\(counter)", size: 150_000 + counter) : Record.mapping("value", "number \(counter)")
    }

    private func expect(_ isRight: Bool, _ what: @autoclosure () -> String) throws {
        if !isRight { throw Wrong(description: what()) }
    }

    /// So much is looked at of what grows with each round, that a round always has about as many messages as the one before.
    private static let several = 20

    /// Objects at a moment of the past that this connection knows of.
    private func readOld() throws {
        let last = try patiently("last transaction") { try storage.lastTransaction() }
        let known = model.transactions.filter { $0 <= last }
        guard !known.isEmpty else { return }
        let tid = known[random.below(known.count)]
        let oids = Array(model.oids.shuffled(using: &random).prefix(Self.several))
        let results = try patiently("old loads") { try storage.load(oids, at: tid).map(Self.unlessLost) }
        for (oid, result) in zip(oids, results) {
            let expected = model.current(oid, at: tid)
            switch result {
            case .success(let revision):
                try expect(
                    revision.serial == expected?.tid && revision.data == expected?.data,
                    "\(oid) at \(tid): \(revision.serial), not \(String(describing: expected?.tid))")
                if let next = revision.next {
                    let after = model.next(oid, after: revision.serial)
                    try expect(next == after, "\(oid) at \(tid): next \(next), not \(String(describing: after))")
                }
            case .failure(let error): try expect(expected == nil, "\(oid) at \(tid): \(error)")
            }
        }
    }

    /// What belongs to one object is a result; a lost connection concerns all.
    private static func unlessLost(
        _ result: Result<Revision, StorageError>
    ) throws -> Result<Revision, StorageError> {
        if case .failure(let error) = result, case .connection = error { throw error }
        return result
    }

    /// What is current: at least as new as all that was announced.
    private func readNew() throws {
        let oid = pick()
        let (before, revision) = try patiently("new load") {
            (try storage.lastTransaction(), try storage.load(oid, at: .latest))
        }
        let serials = (model.changes[oid] ?? []).map(\.tid)
        let oldest = model.current(oid, at: before)?.tid ?? .none
        try expect(
            serials.contains(revision.serial) && revision.serial >= oldest,
            "\(oid): \(revision.serial) is current, and \(oldest) was before \(before)")
        try expect(model.current(oid, at: revision.serial)?.data == revision.data, "\(oid): wrong data")
    }

    private func hearOfOther() throws {
        let oid = pick()
        let data = newData()
        let base = try other.load(oid, at: .latest)
        let tid = try other.commit([(oid, data, base.serial)])
        model.committed(tid, [(oid, data)])
        _ = try patiently("ping") { try storage.ping() }
        let last = try storage.state(of: "last transaction") { try $0.lastTransaction() }
        if let last { try expect(last >= tid, "after a ping \(last) is the last transaction, not \(tid)") }
        let revision = try patiently("load of news") { try storage.load(oid, at: .latest) }
        if last != nil {
            try expect(revision.serial == tid && revision.data == data, "\(oid): an old state after \(tid)")
        }
    }

    private func change(_ oids: [ObjectID]) throws {
        let stores = try oids.map { oid in
            (oid: oid, data: newData(), base: try patiently("load") { try current(oid) })
        }
        try commit(stores)
    }

    /// A serial that a commit can be based on: what is current once all is known that others committed.
    private func current(_ oid: ObjectID) throws -> TransactionID {
        _ = try storage.ping()
        return try storage.load(oid, at: .latest).serial
    }

    private func create() throws {
        let oid = try patiently("new oids") { try storage.newObjectIDs(1)[0] }
        try commit([(oid, newData(), .none)])
    }

    /// Commits, as often as it takes; each attempt has happened or has not.
    private func commit(_ stores: [(oid: ObjectID, data: [UInt8], base: TransactionID)]) throws {
        try patiently("commit") {
            counter += 1
            let metadata = LostCommitTests.metadata("c\(counter)")
            let since = try storage.lastTransaction()
            let transaction = try storage.begin(metadata)
            defer { transaction.abort() }
            for store in stores { try transaction.store(store.data, for: store.oid, basedOn: store.base) }
            _ = try transaction.vote()
            let trace = CommitTrace(
                metadata: metadata, since: since, stores: stores.map { .init(oid: $0.oid, data: $0.data) })
            try finish(transaction, trace, stores.map { ($0.oid, $0.data) })
        }
    }

    private func finish(
        _ transaction: any StorageTransaction, _ trace: CommitTrace, _ stores: [(oid: ObjectID, data: [UInt8])]
    ) throws {
        do throws(StorageError) {
            let tid = try transaction.finish()
            model.committed(tid, stores)
            tally.commits += 1
        } catch {
            guard case .connection = error else { throw error }
            tally.doubts += 1
            transaction.abort()
            switch try patiently("the outcome", { try storage.outcome(of: trace) }) {
            case .committed(let tid):
                model.committed(tid, stores)
                tally.doubtsCommitted += 1
            case .notCommitted: throw error
            case .unknown(let why): throw Wrong(description: "in doubt for ever: \(why)")
            }
        }
    }

    private func conflict() throws {
        let oid = pick()
        let base = try patiently("load") { try current(oid) }
        let data = newData()
        let tid = try other.commit([(oid, data, base)])
        model.committed(tid, [(oid, data)])
        try patiently("conflict") {
            let transaction = try storage.begin(.plain)
            defer { transaction.abort() }
            do {
                try transaction.store(newData(), for: oid, basedOn: base)
                _ = try transaction.vote()
            } catch StorageError.conflict(let found, committed: let committed, read: let read) {
                tally.conflicts += 1
                return try expect((found, committed, read) == (oid, tid, base), "a conflict of another kind")
            }
            throw Wrong(description: "a vote on \(oid), based on \(base), passed after \(tid)")
        }
    }

    private func checkHistory() throws {
        let oid = pick()
        let entries = try patiently("history") { try storage.history(of: oid, limit: Self.several) }
        let expected = (model.changes[oid] ?? []).suffix(Self.several).map(\.tid)
        try expect(entries.map(\.transaction.tid).reversed() == expected, "the history of \(oid) is not what happened")
    }

    private func checkLog() throws {
        let expected = model.transactions.suffix(Self.several)
        let found = try patiently("log") {
            let log = try storage.transactionLog()
            var found: [TransactionID] = []
            while found.count < expected.count, let transaction = try log.next() { found.append(transaction.tid) }
            return found
        }
        try expect(found.reversed() == Array(expected), "the log is not what happened")
    }

    private func checkRecords() throws {
        guard server.make.generation.hasTransactionIteration else { return }
        let tid = model.transactions[random.below(model.transactions.count)]
        let records = try patiently("records") { try storage.records(of: tid).records.rest() }
        let expected = model.oids.filter { oid in model.changes[oid]?.contains { $0.tid == tid } ?? false }
        try expect(records.map(\.oid).sorted() == expected, "\(tid) has not the objects that it had")
        for record in records {
            try expect(
                record.data == model.current(record.oid, at: tid)?.data, "\(tid): \(record.oid) has other data")
        }
    }

    /// Takes back the last change of an object that has two.
    private func undo() throws {
        guard let last = model.transactions.last else { return }
        let oids = objects.filter { model.current($0)?.tid == last }
        // Undoing a creation, or an undo of ours, is another story.
        guard !oids.isEmpty, model.oids.filter({ model.current($0)?.tid == last }) == oids.sorted(),
            oids.allSatisfy({ (model.changes[$0]?.count ?? 0) > 1 })
        else { return }
        let stores = oids.compactMap { oid in
            model.current(oid, at: last.predecessor).map { (oid: oid, data: $0.data) }
        }
        try patiently("undo") {
            counter += 1
            let metadata = LostCommitTests.metadata("u\(counter)")
            let since = try storage.lastTransaction()
            let transaction = try storage.begin(metadata)
            defer { transaction.abort() }
            try transaction.undo(last)
            _ = try transaction.vote()
            let trace = CommitTrace(metadata: metadata, since: since, stores: [], changedOIDs: oids)
            try finish(transaction, trace, stores)
        }
    }

    // MARK: The end

    /// What the server's file holds is what was committed, no more and no less. Ends the server.
    func checkFile() throws {
        faulty?.close()
        other.close()
        let first = model.transactions[0]
        try server.readFile { file in
            let found = try file.transactions(from: first, through: .latest).rest().map(\.tid)
            try expect(found == model.transactions, "\(found.count) transactions, not \(model.transactions.count)")
            for (oid, changes) in model.changes {
                for change in changes {
                    let revision = try file.load(oid, at: change.tid)
                    try expect(
                        revision.serial == change.tid && revision.data == change.data, "\(oid) at \(change.tid)")
                }
                let history = try file.history(of: oid, limit: 100_000)
                try expect(
                    history.map(\.transaction.tid).reversed() == changes.map(\.tid), "the history of \(oid)")
            }
        }
    }
}

extension ZEOClientStorage {
    /// What holds while there is a connection; nil when there is none just now.
    fileprivate func state<Value>(of what: String, _ body: (ZEOClientStorage) throws -> Value) throws -> Value? {
        do {
            return try body(self)
        } catch let error as StorageError {
            if case .connection = error { return nil }
            throw error
        }
    }
}
