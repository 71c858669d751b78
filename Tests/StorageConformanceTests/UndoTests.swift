import Testing
import ZODB

@Suite("Every storage: undo")
struct UndoTests {
    @Test(
        "an undo brings back what was, as a new transaction; an undo of that brings back what is",
        arguments: Backend.all)
    func undo(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        #expect(storage.supportsUndo)
        let oids = try storage.newObjectIDs(2)
        let first = try storage.commit([(oids[0], Record.text("a"), .none), (oids[1], Record.text("b"), .none)])
        let second = try storage.commit([(oids[0], Record.text("A"), first), (oids[1], Record.text("B"), first)])
        let (undo, changed) = try storage.undo(second)
        #expect(changed.sorted() == oids.sorted())
        #expect(
            try storage.load(oids[0], at: .latest) == Revision(data: Record.text("a"), serial: undo, next: nil))
        #expect(try storage.load(oids[1], at: second).data == Record.text("B"))
        #expect(try storage.history(of: oids[0], limit: 1).map(\.size) == [0])
        let records = try storage.records(of: undo).records.rest()
        #expect(Set(records.map(\.oid)) == Set(oids))
        #expect(Set(records.map(\.data)) == [Record.text("a"), Record.text("b")])
        let redo = try storage.undo(undo).tid
        #expect(try storage.load(oids[1], at: .latest) == Revision(data: Record.text("B"), serial: redo, next: nil))
        // And on, from what is now.
        try storage.commit([(oids[0], Record.text("C"), redo)])
        #expect(try storage.current(oids[0]) == Record.text("C"))
    }

    @Test("an object whose making is undone does not exist, and may come back", arguments: Backend.all)
    func creation(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        let first = try storage.commit([(oid, Record.text("a"), .none)])
        let undo = try storage.undo(first).tid
        #expect(throws: StorageError.noSuchObject(oid)) { try storage.load(oid, at: .latest) }
        #expect(try storage.load(oid, at: first) == Revision(data: Record.text("a"), serial: first, next: undo))
        #expect(try storage.records(of: undo).records.rest().map(\.data) == [nil])
        #expect(try storage.history(of: oid, limit: 9).map(\.transaction.tid) == [undo, first])
        #expect(throws: StorageError.noSuchObject(oid)) {
            try storage.transact { (transaction) throws(StorageError) in
                try transaction.requireCurrent(oid, serial: undo)
            }
        }
        let redo = try storage.undo(undo).tid
        #expect(try storage.load(oid, at: .latest) == Revision(data: Record.text("a"), serial: redo, next: nil))
    }

    @Test("several transactions are undone in one, newest first", arguments: Backend.all)
    func several(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(2)
        let first = try storage.commit([(oids[0], Record.text("0"), .none)])
        let second = try storage.commit([(oids[0], Record.text("1"), first), (oids[1], Record.text("x"), .none)])
        let third = try storage.commit([(oids[0], Record.text("2"), second)])
        let fourth = try storage.commit([(oids[0], Record.text("3"), third)])
        let undo = try storage.undo(fourth, third, second).tid
        #expect(try storage.load(oids[0], at: .latest) == Revision(data: Record.text("0"), serial: undo, next: nil))
        #expect(throws: StorageError.noSuchObject(oids[1])) { try storage.load(oids[1], at: .latest) }
        // One undo of all three.
        let redo = try storage.undo(undo).tid
        #expect(try storage.load(oids[0], at: .latest) == Revision(data: Record.text("3"), serial: redo, next: nil))
        #expect(try storage.current(oids[1]) == Record.text("x"))
    }

    @Test(
        "what later transactions changed otherwise cannot be undone, and the objects are named", arguments: Backend.all)
    func inTheWay(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(2)
        let first = try storage.commit([(oids[0], Record.text("0"), .none), (oids[1], Record.text("x"), .none)])
        let second = try storage.commit([(oids[0], Record.text("1"), first), (oids[1], Record.text("y"), first)])
        let third = try storage.commit([(oids[0], Record.text("2"), second)])
        for tid in [second, first] {
            let obstacles = try #require(Self.obstacles(to: tid, in: storage))
            #expect(obstacles.contains { $0.oid == nil || $0.oid == oids[0] })
        }
        #expect(try storage.lastTransaction() == third)
        #expect(try storage.current(oids[1]) == Record.text("y"))
        // With the later one before it, it can.
        try storage.undo(third, second)
        #expect(try storage.current(oids[0]) == Record.text("0"))
        #expect(try storage.current(oids[1]) == Record.text("x"))
    }

    /// What the storage says is in the way of undoing `tid`; nil when it says anything else.
    private static func obstacles(to tid: TransactionID, in storage: any WritableStorage) -> [UndoObstacle]? {
        let error = errorOf { () throws(StorageError) in try storage.undo(tid) }
        guard case .undoFailed(let failed, let obstacles)? = error, failed == tid else { return nil }
        return obstacles
    }

    @Test("a later change that can be merged stays", arguments: Backend.all.filter(\.mergesInUndo))
    func merged(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        let first = try storage.commit([(oid, Record.length(10), .none)])
        let second = try storage.commit([(oid, Record.length(15), first)])
        try storage.commit([(oid, Record.length(16), second)])
        try storage.undo(second)
        #expect(try storage.current(oid).suffix(3) == Array("K".utf8) + [11, UInt8(ascii: ".")])
    }

    @Test("a transaction whose result is what is current can be undone, whoever made it so", arguments: Backend.all)
    func sameData(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        let first = try storage.commit([(oid, Record.text("a"), .none)])
        let second = try storage.commit([(oid, Record.text("b"), first)])
        let third = try storage.commit([(oid, Record.text("c"), second)])
        let fourth = try storage.commit([(oid, Record.text("b"), third)])
        try storage.undo(second)
        #expect(try storage.current(oid) == Record.text("a"))
        #expect(try storage.load(oid, at: fourth).data == Record.text("b"))
    }

    @Test("a transaction that there is not cannot be undone", arguments: Backend.all)
    func unknown(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let tid = try storage.commit([(try storage.newObjectID(), Record.text("a"), .none)])
        for unknown in [tid.successor, tid.predecessor] {
            let error = errorOf { () throws(StorageError) in try storage.undo(unknown) }
            #expect(
                error == .noSuchTransaction(unknown) || Self.obstacles(to: unknown, in: storage) != nil,
                "\(String(describing: error))")
        }
        #expect(try storage.lastTransaction() == tid)
    }

    @Test("an undo waits for nobody's permission twice: it is aborted like all else", arguments: Backend.all)
    func aborted(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        let tid = try storage.commit([(oid, Record.text("a"), .none)])
        let transaction = try storage.begin(.plain)
        try transaction.undo(tid)
        #expect(try transaction.vote().changedOIDs == [oid])
        transaction.abort()
        #expect(try storage.load(oid, at: .latest) == Revision(data: Record.text("a"), serial: tid, next: nil))
    }
}
