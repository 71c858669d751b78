import Testing
import ZODB

@Suite("Overlay storage")
struct OverlayStorageTests {
    private let base = MemoryStorage("base")
    private let one = ObjectID(rawValue: 1), two = ObjectID(rawValue: 2)

    @Test("the base is not changed, and shows through where the overlay has nothing")
    func apart() throws {
        let first = try base.commit([one: [1], two: [2]])
        let overlay = try OverlayStorage(over: base)
        #expect(try overlay.lastTransaction() == first)
        let tid = try overlay.change(one, to: [11])
        #expect(tid > first)
        #expect(try overlay.load(one, at: .latest) == Revision(data: [11], serial: tid, next: nil))
        #expect(try overlay.load(one, at: first) == Revision(data: [1], serial: first, next: tid))
        #expect(try overlay.load(two, at: .latest) == Revision(data: [2], serial: first, next: nil))
        #expect(try base.load(one, at: .latest) == Revision(data: [1], serial: first, next: nil))
        #expect(try base.lastTransaction() == first)
        #expect(try overlay.history(of: one, limit: 9).map(\.transaction.tid) == [tid, first])
        #expect(try overlay.transactionLog().rest().map(\.tid) == [tid, first])
        #expect(try overlay.transactions(from: .none, through: .latest).rest().map(\.tid) == [first, tid])
        #expect(try overlay.currentRecords(from: .root).rest().map(\.revision.data) == [[11], [2]])
        #expect(try overlay.information().kind == "overlay over memory")
    }

    @Test("what is committed to the base meanwhile does not show, and does not stand in the way")
    func pinned() throws {
        let first = try base.commit([one: [1], two: [2]])
        let overlay = try OverlayStorage(over: base)
        let other = try base.change(one, to: [9])
        let new = ObjectID(rawValue: 3)
        try base.commit([new: [3]])
        #expect(try overlay.load(one, at: .latest) == Revision(data: [1], serial: first, next: nil))
        #expect(overlay.load([one, two], at: .latest).map { try? $0.get().data } == [[1], [2]])
        #expect(throws: StorageError.noSuchObject(new)) { try overlay.load(new, at: .latest) }
        #expect(try overlay.currentRecords(from: .root).rest().map(\.revision.data) == [[1], [2]])
        #expect(try overlay.transactionLog().rest().map(\.tid) == [first])
        #expect(try overlay.history(of: one, limit: 1).map(\.transaction.tid) == [first])
        #expect(throws: StorageError.noSuchTransaction(other)) { try overlay.records(of: other) }
        try overlay.change(one, to: [11])
        #expect(try overlay.load(one, at: .latest).data == [11])
        #expect(try base.load(one, at: .latest).data == [9])
    }

    @Test("a conflict with the base's own revisions is one")
    func conflict() throws {
        let first = try base.commit([one: [1]])
        let second = try base.change(one, to: [2])
        let overlay = try OverlayStorage(over: base)
        #expect(throws: StorageError.conflict(one, committed: second, read: first)) {
            let transaction = try overlay.begin(TransactionMetadata())
            try transaction.store([3], for: one, basedOn: first)
            _ = try transaction.vote()
        }
    }

    @Test("transactions of the base can be undone in the overlay")
    func undo() throws {
        let first = try base.commit([one: [1]])
        let second = try base.change(one, to: [2])
        let overlay = try OverlayStorage(over: base)
        let undo = try overlay.undo(second)
        #expect(try overlay.load(one, at: .latest) == Revision(data: [1], serial: undo, next: nil))
        try overlay.undo(undo)
        #expect(try overlay.load(one, at: .latest).data == [2])
        let own = try overlay.change(one, to: [3])
        #expect(throws: StorageError.self) { try overlay.undo(first) }
        try overlay.undo(own)
        #expect(try overlay.load(one, at: .latest).data == [2])
        #expect(try base.transactionLog().rest().map(\.tid) == [second, first])
    }

    @Test("the past can be overlaid")
    func past() throws {
        let first = try base.commit([one: [1]])
        try base.change(one, to: [2])
        let overlay = try OverlayStorage(over: base, at: first)
        #expect(try overlay.load(one, at: .latest) == Revision(data: [1], serial: first, next: nil))
        try overlay.change(one, to: [3])
        #expect(try overlay.load(one, at: .latest).data == [3])
    }

    @Test("new oids lie where the base has none, an overlay of the same kind included")
    func newObjectIDs() throws {
        try base.commit([one: [1]])
        let overlay = try OverlayStorage(over: base)
        let oids = try overlay.newObjectIDs(100)
        #expect(Set(oids).count == 100)
        #expect(oids.allSatisfy { $0.rawValue >= 1 << 62 && $0.rawValue < 1 << 63 })
        #expect(try base.newObjectIDs(1) == [two])
        let upper = try OverlayStorage(over: overlay)
        #expect(Set(try upper.newObjectIDs(100)).isDisjoint(with: oids))
    }

    @Test("blobs of the base and of the overlay")
    func blobs() throws {
        let record = Array("cZODB.blob\nBlob\n.N.".utf8)
        let first = try base.storeBlob(one, record, "base", basedOn: .none)
        let overlay = try OverlayStorage(over: base)
        let second = try overlay.storeBlob(one, record, "overlay", basedOn: first)
        #expect(try overlay.blob(one, serial: first).rest() == [Array("base".utf8)])
        #expect(try overlay.blob(one, serial: second).rest() == [Array("overlay".utf8)])
        let undo = try overlay.undo(second)
        #expect(try overlay.blob(one, serial: undo).rest() == [Array("base".utf8)])
    }
}

extension WritableStorage {
    @discardableResult
    fileprivate func change(_ oid: ObjectID, to data: [UInt8]) throws -> TransactionID {
        let transaction = try begin(TransactionMetadata())
        try transaction.store(data, for: oid, basedOn: try load(oid, at: .latest).serial)
        _ = try transaction.vote()
        return try transaction.finish()
    }

    @discardableResult
    fileprivate func undo(_ tid: TransactionID) throws -> TransactionID {
        let transaction = try begin(TransactionMetadata())
        try transaction.undo(tid)
        _ = try transaction.vote()
        return try transaction.finish()
    }

    fileprivate func storeBlob(
        _ oid: ObjectID, _ data: [UInt8], _ text: String, basedOn serial: TransactionID
    ) throws -> TransactionID {
        let transaction = try begin(TransactionMetadata())
        try transaction.storeBlob(data, for: oid, basedOn: serial, contents: ArrayCursor([Array(text.utf8)]))
        _ = try transaction.vote()
        return try transaction.finish()
    }
}

extension Cursor {
    fileprivate func rest() throws -> [Element] {
        var elements: [Element] = []
        while let element = try next() { elements.append(element) }
        return elements
    }
}
