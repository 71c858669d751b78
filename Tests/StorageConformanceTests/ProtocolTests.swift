import Testing
import ZODB

@Suite("Every storage: the two phases")
struct ProtocolTests {
    @Test("what is aborted leaves no trace, before the vote and after it", arguments: Backend.all, [false, true])
    func abort(_ backend: Backend, afterVote: Bool) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(2)
        let tid = try storage.commit([(oids[0], Record.text("a"), .none)])
        let log = try storage.transactionLog().rest()
        let transaction = try storage.begin(.plain)
        try transaction.store(Record.text("b"), for: oids[0], basedOn: tid)
        try transaction.storeBlob(Record.blob, for: oids[1], basedOn: .none, contents: ArrayCursor([[1, 2, 3]]))
        if afterVote { _ = try transaction.vote() }
        transaction.abort()
        transaction.abort()
        #expect(try storage.lastTransaction() == tid)
        #expect(try storage.load(oids[0], at: .latest) == Revision(data: Record.text("a"), serial: tid, next: nil))
        #expect(throws: StorageError.noSuchObject(oids[1])) { try storage.load(oids[1], at: .latest) }
        #expect(try storage.transactionLog().rest() == log)
        #expect(try storage.history(of: oids[0], limit: 10).count == 1)
        // And nobody is kept out.
        try storage.commit([(oids[0], Record.text("c"), tid)])
        #expect(try storage.current(oids[0]) == Record.text("c"))
    }

    @Test("a transaction that nobody holds any longer is aborted", arguments: Backend.all)
    func forgotten(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        for votes in [false, true] {
            let transaction = try storage.begin(.plain)
            try transaction.store(Record.text("lost"), for: oid, basedOn: .none)
            if votes { _ = try transaction.vote() }
        }
        #expect(throws: StorageError.noSuchObject(oid)) { try storage.load(oid, at: .latest) }
        try storage.commit([(oid, Record.text("kept"), .none)])
        #expect(try storage.current(oid) == Record.text("kept"))
    }

    @Test("calls in the wrong order are errors, and change nothing", arguments: Backend.all)
    func order(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        let early = try storage.begin(.plain)
        expectWrongState { () throws(StorageError) in _ = try early.finish() }
        early.abort()
        expectWrongState { () throws(StorageError) in try early.store(Record.text("a"), for: oid, basedOn: .none) }
        expectWrongState { () throws(StorageError) in _ = try early.vote() }
        expectWrongState { () throws(StorageError) in _ = try early.finish() }

        let transaction = try storage.begin(.plain)
        try transaction.store(Record.text("b"), for: oid, basedOn: .none)
        _ = try transaction.vote()
        expectWrongState { () throws(StorageError) in _ = try transaction.vote() }
        expectWrongState { () throws(StorageError) in
            try transaction.store(Record.text("c"), for: oid, basedOn: .none)
        }
        expectWrongState { () throws(StorageError) in try transaction.requireCurrent(oid, serial: .none) }
        expectWrongState { () throws(StorageError) in try transaction.undo(.none) }
        let tid = try transaction.finish()
        expectWrongState { () throws(StorageError) in _ = try transaction.finish() }
        transaction.abort()
        #expect(try storage.load(oid, at: .latest) == Revision(data: Record.text("b"), serial: tid, next: nil))
    }

    private func expectWrongState(
        _ call: () throws(StorageError) -> Void, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let error = errorOf(call)
        guard case .wrongState? = error else {
            Issue.record("\(String(describing: error))", sourceLocation: sourceLocation)
            return
        }
    }

    @Test("after an error only the abort is left", arguments: Backend.all)
    func afterError(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(2)
        let old = try storage.commit([(oids[0], Record.text("a"), .none)])
        let new = try storage.commit([(oids[0], Record.text("b"), old)])
        let transaction = try storage.begin(.plain)
        try transaction.store(Record.text("c"), for: oids[1], basedOn: .none)
        #expect(throws: StorageError.conflict(oids[0], committed: new, read: old)) {
            try transaction.store(Record.text("d"), for: oids[0], basedOn: old)
            _ = try transaction.vote()
        }
        #expect(throws: StorageError.self) { _ = try transaction.vote() }
        #expect(throws: StorageError.self) { _ = try transaction.finish() }
        transaction.abort()
        #expect(throws: StorageError.noSuchObject(oids[1])) { try storage.load(oids[1], at: .latest) }
        #expect(try storage.lastTransaction() == new)
    }

    @Test("the tid is published once, when the transaction is finished", arguments: Backend.all)
    func published(_ backend: Backend) throws {
        let fixture = try backend.make()
        let oid = try fixture.storage.newObjectID()
        let transaction = try fixture.storage.begin(.plain)
        try transaction.store(Record.text("a"), for: oid, basedOn: .none)
        _ = try transaction.vote()
        var published: [TransactionID] = []
        let tid = try transaction.finish { published.append($0) }
        #expect(published == [tid])
        #expect(try fixture.storage.load(oid, at: .latest).serial == tid)
    }

    @Test("a storage opened for reading says so", arguments: Backend.all)
    func readOnly(_ backend: Backend) throws {
        let fixture = try backend.make()
        #expect(fixture.storage.isWritable)
        let oid = try fixture.storage.newObjectID()
        try fixture.storage.commit([(oid, Record.text("a"), .none)])
        guard let reader = try fixture.another(isWritable: false) else { return }
        defer { reader.close() }
        #expect(!reader.isWritable)
        #expect(try reader.current(oid) == Record.text("a"))
        expectReadOnly { () throws(StorageError) in _ = try reader.begin(.plain) }
        expectReadOnly { () throws(StorageError) in _ = try reader.newObjectIDs(1) }
    }

    private func expectReadOnly(
        _ call: () throws(StorageError) -> Void, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let error = errorOf(call)
        guard case .readOnly? = error else {
            Issue.record("\(String(describing: error))", sourceLocation: sourceLocation)
            return
        }
    }

    @Test("new oids are new, whoever asks, and stay clear of those in use", arguments: Backend.all)
    func newObjectIDs(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        let first = try storage.newObjectIDs(150)
        #expect(try storage.newObjectIDs(0) == [])
        let far = ObjectID(rawValue: try #require(first.max()).rawValue + 1000)
        try storage.commit([(far, Record.text("far"), .none)])
        let other = try fixture.another(isWritable: true)
        defer { other?.close() }
        let more = try storage.newObjectIDs(150) + (try other?.newObjectIDs(150) ?? [])
        let all = first + more
        #expect(Set(all).count == all.count)
        #expect(!all.contains(far))
        #expect(!all.contains(.root))
    }

    @Test("what a transaction says of itself comes back", arguments: Backend.all)
    func metadata(_ backend: Backend) throws {
        let fixture = try backend.make()
        let storage = fixture.storage
        // {'k': 'v', 'n': 7}, protocol 3.
        let dict = [0x80, 3] + Array("}(X\u{1}\0\0\0kX\u{1}\0\0\0vX\u{1}\0\0\0nK\u{7}u.".utf8)
        let metadata = TransactionMetadata(
            user: Array(" jörg".utf8), description: Array("/a/b\n\nzwölf".utf8), extensionData: dict)
        let tid = try storage.transact(metadata) { _ throws(StorageError) in }.tid
        let told = try #require(try storage.transactionLog().next())
        #expect(told.tid == tid)
        #expect(told.user == metadata.user)
        #expect(told.description == metadata.description)
        #expect(told.status == .complete)
        for byte in ["k", "v", "n"] { #expect(told.extensionData.contains(UInt8(ascii: Unicode.Scalar(byte)!))) }
        let (summary, records) = try storage.records(of: tid)
        #expect(summary.description == metadata.description)
        #expect(try records.rest() == [])
    }

    @Test("65,535 bytes of user and description fit, one more does not", arguments: Backend.all)
    func metadataSize(_ backend: Backend) throws {
        let fixture = try backend.make()
        let most = [UInt8](repeating: UInt8(ascii: "x"), count: 65_535)
        let metadata = TransactionMetadata(user: most, description: most)
        let tid = try fixture.storage.transact(metadata) { _ throws(StorageError) in }.tid
        let told = try #require(try fixture.storage.transactionLog().next())
        #expect(told.tid == tid)
        #expect(told.user == most)
        #expect(told.description == most)
        for metadata in [TransactionMetadata(user: most + [0x78]), TransactionMetadata(description: most + [0x78])] {
            #expect(throws: StorageError.self) { try fixture.storage.begin(metadata) }
        }
        #expect(try fixture.storage.lastTransaction() == tid)
    }
}
