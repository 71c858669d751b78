import Foundation
import Synchronization
import TestSupport
import Testing
import ZODB
import ZODBFile

/// A disk whose flushes wait until they are let go.
final class HeldDisk: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let arrivals = DispatchSemaphore(value: 0)
    private let state = Mutex((isHeld: false, flushes: 0, failing: false))

    var calls: FileCalls {
        FileCalls(sync: { descriptor in
            let (isHeld, fails) = self.state.withLock { state in
                state.flushes += 1
                return (state.isHeld, state.failing)
            }
            if isHeld {
                self.arrivals.signal()
                self.semaphore.wait()
            }
            return self.state.withLock { $0.failing } || fails ? 5 : FileCalls.systemSync(descriptor)
        })
    }

    var flushes: Int { state.withLock { $0.flushes } }

    /// From now on a flush does not return.
    func hold() { state.withLock { $0 = (true, 0, false) } }

    /// Waits until there is a flush that does not return.
    func waitForFlush() { arrivals.wait() }

    /// Lets the flush that is held, and all to come, go; or fail.
    func release(failing: Bool = false) {
        state.withLock {
            $0.isHeld = false
            $0.failing = failing
        }
        semaphore.signal()
    }
}

/// What those who finish transactions without waiting were told.
final class Told: Sendable {
    private let outcomes = Mutex<[Result<TransactionID, StorageError>]>([])
    private let semaphore = DispatchSemaphore(value: 0)

    func note(_ result: Result<TransactionID, StorageError>) {
        outcomes.withLock { $0.append(result) }
        semaphore.signal()
    }

    /// Waits until so many were told.
    func wait(for count: Int) -> [Result<TransactionID, StorageError>] {
        for _ in 0..<count { semaphore.wait() }
        return outcomes.withLock { $0 }
    }

    var count: Int { outcomes.withLock { $0.count } }
}

extension FileStorage {
    /// Stores and finishes, and does not wait for the end.
    @discardableResult
    func submit(
        _ objects: [(oid: UInt64, data: String, serial: TransactionID)], _ told: Told
    ) throws(StorageError) -> TransactionID {
        guard let transaction = try begin(.init()) as? any PipelinedTransaction else {
            throw .unsupported("a pipeline")
        }
        defer { transaction.abort() }
        for (oid, data, serial) in objects {
            try transaction.store(Array(data.utf8), for: ObjectID(rawValue: oid), basedOn: serial)
        }
        _ = try transaction.vote()
        let tid = transaction.tid
        try transaction.finish(publish: { _ in }, completion: { told.note($0) })
        return tid
    }
}

@Suite("Transactions whose end is not waited for")
struct PipelinedWritingTests {
    @Test("share flushes: of twenty that come while the disk is busy, all but the first have two together")
    func sharedFlushes() throws {
        let file = try WritableFile()
        let disk = HeldDisk()
        let storage = try file.open(calls: disk.calls)
        let told = Told()
        disk.hold()
        var serial = TransactionID.none
        for number in 0..<20 {
            serial = try storage.submit([(1, "\(number)", serial)], told)
            if number == 0 { disk.waitForFlush() }
        }
        #expect(told.count == 0)
        disk.release()
        let tids = try told.wait(for: 20).map { try $0.get() }
        #expect(tids == tids.sorted())
        #expect(tids.last == serial)
        // The first one's records; its mark and the others' records; their marks.
        #expect(disk.flushes == 3)
        #expect(storage.text(1) == "19")
        #expect(try storage.history(of: ObjectID(rawValue: 1), limit: 100).count == 20)
    }

    @Test("are seen by the next transaction and by nobody else while the disk is busy, and no load waits")
    func pendingIsHidden() throws {
        let file = try WritableFile()
        let disk = HeldDisk()
        let storage = try file.open(calls: disk.calls)
        let oid = ObjectID(rawValue: 1)
        let first = try storage.commit([1: "one"])
        let told = Told()
        disk.hold()
        let second = try storage.submit([(1, "two", first), (2, "new", .none)], told)
        #expect(storage.text(1) == "one")
        #expect(storage.text(2) == nil)
        #expect(try storage.lastTransaction() == first)
        #expect(try storage.load(oid, at: .latest).next == nil)
        #expect(try storage.transactionLog().rest().map(\.tid) == [first])
        #expect(try FileStorage(file.path).lastTransaction() == first)
        #expect(throws: StorageError.conflict(oid, committed: second, read: first)) {
            try storage.submit([(1, "three", first)], told)
        }
        #expect(throws: StorageError.conflict(ObjectID(rawValue: 2), committed: second, read: .none)) {
            try storage.submit([(2, "another", .none)], told)
        }
        let check = try storage.begin(.init())
        try check.requireCurrent(oid, serial: second)
        #expect(throws: StorageError.conflict(oid, committed: second, read: first)) {
            try check.requireCurrent(oid, serial: first)
        }
        check.abort()
        let third = try storage.submit([(1, "three", second)], told)
        disk.release()
        #expect(told.wait(for: 2) == [.success(second), .success(third)])
        #expect(storage.text(1) == "three")
        #expect(try storage.load(oid, at: first).next == second)
        #expect(try storage.history(of: oid, limit: 9).map(\.transaction.tid) == [third, second, first])
    }

    @Test("can be merged with and undone as soon as they are accepted")
    func mergedAndUndone() throws {
        let file = try WritableFile()
        let storage = try file.open()
        let told = Told()
        func record(_ number: UInt8) -> [UInt8] {
            Array("cBTrees.Length\nLength\n.K".utf8) + [number, UInt8(ascii: ".")]
        }
        let oid = ObjectID(rawValue: 1)
        func submit(_ number: UInt8, _ serial: TransactionID) throws -> (tid: TransactionID, changed: [ObjectID]) {
            let transaction = try #require(try storage.begin(.init()) as? any PipelinedTransaction)
            try transaction.store(record(number), for: oid, basedOn: serial)
            let changed = try transaction.vote().changedOIDs
            defer { transaction.abort() }
            try transaction.finish(publish: { _ in }, completion: { told.note($0) })
            return (transaction.tid, changed)
        }
        let first = try submit(1, .none).tid
        var last = first
        for _ in 0..<10 {
            let (tid, changed) = try submit(3, first)
            #expect(changed == (last == first ? [] : [oid]))
            last = tid
        }
        let undo = try storage.begin(.init())
        try undo.undo(last)
        _ = try undo.vote()
        _ = try undo.finish()
        _ = told.wait(for: 11)
        #expect(try storage.load(oid, at: .latest).data == record(19))
        #expect(try storage.load(oid, at: last).data == record(21))
    }

    @Test("none is told as committed when the flush fails, and all are cut off again")
    func failedFlush() throws {
        let file = try WritableFile()
        let disk = HeldDisk()
        let storage = try file.open(calls: disk.calls)
        let first = try storage.commit([1: "one"])
        let size = try file.bytes.count
        let told = Told()
        disk.hold()
        let second = try storage.submit([(1, "two", first)], told)
        try storage.submit([(1, "three", second)], told)
        let open = try storage.begin(.init())
        try open.store([65], for: ObjectID(rawValue: 3), basedOn: .none)
        _ = try open.vote()
        disk.release(failing: true)
        for outcome in told.wait(for: 2) {
            guard case .failure(.io(let what, errno: 5)) = outcome else {
                Issue.record("\(outcome)")
                continue
            }
            #expect(what.contains("flushing"))
        }
        #expect(throws: StorageError.self) { try open.finish() }
        open.abort()
        #expect(try file.bytes.count == size)
        #expect(storage.text(1) == "one")
        let refusal = #expect(throws: StorageError.self) { try storage.begin(.init()) }
        #expect("\(String(describing: refusal))".contains("closed for writing, since the disk failed"))
        storage.close()
        #expect(try FileStorage(file.path).lastTransaction() == first)
    }

    @Test("close waits for those that are accepted, and takes back one that is not")
    func close() throws {
        let file = try WritableFile()
        let disk = HeldDisk()
        let storage = try file.open(calls: disk.calls)
        let told = Told()
        disk.hold()
        let first = try storage.submit([(1, "one", .none)], told)
        let second = try storage.submit([(1, "two", first)], told)
        let open = try storage.begin(.init())
        try open.store([65], for: ObjectID(rawValue: 3), basedOn: .none)
        _ = try open.vote()
        let closing = Background { storage.close() }
        #expect(told.count == 0)
        disk.release()
        try closing.result()
        #expect(told.wait(for: 2) == [.success(first), .success(second)])
        #expect(throws: StorageError.self) { try open.finish() }
        open.abort()
        let reader = try FileStorage(file.path)
        #expect(try reader.lastTransaction() == second)
        #expect(try reader.information().size == file.bytes.count)
    }

    @Test("a storage that is let go of in the middle ends in order")
    func forgotten() throws {
        let file = try WritableFile()
        let told = Told()
        var serial = TransactionID.none
        do {
            let storage = try file.open()
            for number in 0..<50 { serial = try storage.submit([(1, "\(number)", serial)], told) }
        }
        #expect(try told.wait(for: 50).last?.get() == serial)
        // Whoever holds it last closes it.
        while true {
            do {
                let next = try file.open()
                #expect(try next.lastTransaction() == serial)
                break
            } catch StorageError.locked {
                usleep(1000)
            }
        }
    }

    @Test("from many threads, none is lost and each is told of its own")
    func manyThreads() throws {
        let file = try WritableFile()
        let storage = try file.open()
        let threads = (0..<8).map { thread in
            Background {
                let told = Told()
                var serial = TransactionID.none
                for round in 0..<25 {
                    serial = try storage.submit([(UInt64(thread), "\(thread) \(round)", serial)], told)
                    if round % 5 == 0 { _ = try storage.commit([UInt64(100 + thread): "\(round)"]) }
                }
                return try told.wait(for: 25).map { try $0.get() }
            }
        }
        for (thread, background) in threads.enumerated() {
            let tids = try background.result()
            #expect(
                try storage.history(of: ObjectID(rawValue: UInt64(thread)), limit: 100).map(\.transaction.tid)
                    == tids.reversed())
        }
        let all = try storage.transactions(from: .none, through: .latest).rest().map(\.tid)
        #expect(all.count == 8 * 30)
        #expect(all == all.sorted())
    }
}
