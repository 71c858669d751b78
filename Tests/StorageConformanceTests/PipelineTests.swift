import Foundation
import Synchronization
import Testing
import ZODB

extension Backend {
    /// Those that a server may have beneath it.
    static let served = [memory, overlayOverMemory, overlayOverFile, file]
}

@Suite("Every storage beneath a server")
struct PipelineTests {
    @Test("reads the revision before a tid where it lies, as load does", arguments: Backend.served)
    func directLoads(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = try #require(fixture.storage as? any FullStorage & DirectLoadStorage)
        let oid = try storage.newObjectID()
        let made = try storage.commit([(oid, Record.text("made"), .none)])
        let changed = try storage.commit([(oid, Record.text("changed"), made)])
        func read(before tid: TransactionID) throws(StorageError) -> Revision {
            try storage.withRevision(oid, before: tid) { bytes, serial, next in
                Revision(data: bytes.withUnsafeBytes { unsafe [UInt8]($0) }, serial: serial, next: next)
            }
        }
        let first = Revision(data: Record.text("made"), serial: made, next: changed)
        let second = Revision(data: Record.text("changed"), serial: changed, next: nil)
        #expect(try read(before: .latest) == second)
        #expect(try read(before: changed.successor) == second)
        #expect(try read(before: changed) == first)
        #expect(try read(before: made.successor) == first)
        #expect(
            errorOf { () throws(StorageError) in _ = try read(before: made) }
                == .noRevision(oid, at: made.predecessor))

        let gone = try storage.undo(changed).tid
        #expect(try read(before: .latest) == Revision(data: Record.text("made"), serial: gone, next: nil))
        #expect(try read(before: gone) == Revision(data: Record.text("changed"), serial: changed, next: gone))
        let unknown = ObjectID(rawValue: 0x7777_7777)
        #expect(
            errorOf { () throws(StorageError) in
                try storage.withRevision(unknown, before: .latest) { _, _, _ in }
            } == .noSuchObject(unknown))

        let other = try storage.newObjectID()
        let birth = try storage.commit([(other, Record.text("short-lived"), .none)])
        _ = try storage.undo(birth)
        #expect(
            errorOf { () throws(StorageError) in
                try storage.withRevision(other, before: .latest) { _, _, _ in }
            } == .noSuchObject(other))
    }

    @Test("publishes and completes transactions in order, each based on the one before", arguments: Backend.served)
    func pipeline(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        let events = Mutex<[String]>([])
        let done = DispatchSemaphore(value: 0)
        var serial = TransactionID.none
        var tids: [TransactionID] = []
        for number in 0..<20 {
            let transaction = try #require(try storage.begin(.plain) as? any PipelinedTransaction)
            try transaction.requireCurrentOrNew(oid, serial)
            try transaction.store(Record.text("\(number)"), for: oid, basedOn: serial)
            #expect(try transaction.vote().changedOIDs.isEmpty)
            let tid = transaction.tid
            #expect(tid > serial)
            try transaction.finish(
                publish: { tid in
                    let last = try? storage.lastTransaction()
                    events.withLock { $0.append("publish \(tid), \(last.map { $0 < tid } == true)") }
                },
                completion: { result in
                    let last = try? storage.lastTransaction()
                    let tid = try? result.get()
                    events.withLock { $0.append("done \(tid ?? .none), \(last == tid)") }
                    done.signal()
                })
            // Whatever has become of it: it has had its end.
            transaction.abort()
            serial = tid
            tids.append(tid)
        }
        for _ in tids { done.wait() }
        #expect(events.withLock { $0 } == tids.flatMap { ["publish \($0), true", "done \($0), true"] })
        #expect(try storage.load(oid, at: .latest).serial == serial)
        #expect(try storage.current(oid) == Record.text("19"))
        #expect(try storage.history(of: oid, limit: 100).map(\.transaction.tid) == tids.reversed())
    }

    @Test("a transaction that has not voted, or has ended, cannot be finished", arguments: Backend.served)
    func tooEarly(_ backend: Backend) throws {
        let fixture = try backend.make()
        let transaction = try #require(try fixture.storage.begin(.plain) as? any PipelinedTransaction)
        func finish() throws(StorageError) {
            try transaction.finish(
                publish: { _ in Issue.record("published") }, completion: { _ in Issue.record("completed") })
        }
        guard case .wrongState = errorOf(finish) else {
            Issue.record("finished without a vote")
            return
        }
        _ = try transaction.vote()
        transaction.abort()
        guard case .wrongState = errorOf(finish) else {
            Issue.record("finished after abort")
            return
        }
    }
}

extension StorageTransaction {
    fileprivate func requireCurrentOrNew(_ oid: ObjectID, _ serial: TransactionID) throws(StorageError) {
        if serial != .none { try requireCurrent(oid, serial: serial) }
    }
}
