import Foundation
import Testing
import ZEOClient
import ZEOProtocol
import ZEOServer
import ZODB

/// Our client and our server, in each dialect that there has been.
@Suite("Every dialect, between our client and our server")
struct DialectTests {
    static let generations = Generation.allCases

    private static func fixture(_ generation: Generation) throws -> Fixture {
        try Backend.ownServer(.init(), speaking: generation).make()
    }

    /// Looks until it holds: news arrive when they arrive.
    private static func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
        for _ in 0..<2400 {
            if try condition() { return true }
            Thread.sleep(forTimeInterval: 0.025)
        }
        return false
    }

    @Test("is spoken, and said to be", arguments: generations)
    func information(_ generation: Generation) throws {
        let fixture = try Self.fixture(generation)
        let storage = fixture.storage
        let information = try storage.information()
        #expect(information.kind == "ZEO server, protocol Z\(generation.rawValue)")
        // It says what it is, whatever it speaks.
        let software = information.details.filter { $0.name == "server" }.map(\.value)
        #expect(software.count == 1 && software.first?.hasPrefix("zeoserver ") == true, "\(software)")
        #expect(!information.details.contains { $0.name == "release" })
        #expect(information.details.contains { $0.name == "open versions" } == false)
    }

    @Test("commits, and loads what is and what was", arguments: generations)
    func commit(_ generation: Generation) throws {
        let fixture = try Self.fixture(generation)
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(120)
        #expect(Set(oids).count == 120)
        // The oldest finds what a transaction changed by going from the root.
        let first = try storage.commit([
            (.root, Record.reference(to: oids[0]), .none), (oids[0], Record.text("one"), .none),
        ])
        let second = try storage.commit([(oids[0], Record.text("two"), first)])
        let third = try storage.commit([(oids[0], Record.text("three"), second)])
        #expect(first < second && second < third)
        #expect(try storage.lastTransaction() == third)
        // What another connection knows, from the server alone.
        let other = try #require(try fixture.another(isWritable: false))
        #expect(try other.lastTransaction() == third)
        for storage: any Storage in [storage, other] {
            for (tid, data, next) in [
                (first, Record.text("one"), second), (second, Record.text("two"), third),
                (third, Record.text("three"), nil), (.latest, Record.text("three"), nil),
            ] as [(TransactionID, [UInt8], TransactionID?)] {
                let revision = try storage.load(oids[0], at: tid)
                #expect((revision.data, revision.serial, revision.next) == (data, min(tid, third), next))
            }
            #expect(throws: StorageError.noRevision(oids[0], at: first.predecessor)) {
                try storage.load(oids[0], at: first.predecessor)
            }
            #expect(throws: StorageError.noSuchObject(oids[119])) { try storage.load(oids[119], at: .latest) }
        }
        #expect(try storage.history(of: oids[0], limit: 10).map(\.transaction.tid) == [third, second, first])
        #expect(try storage.transactionLog().rest().map(\.tid).prefix(3) == [third, second, first])
        #expect(
            try storage.transactions(from: first, through: second).rest().map(\.tid) == [first, second])
        #expect(try storage.records(of: second).records.rest().map(\.data) == [Record.text("two")])
    }

    @Test("others are told of a commit; a round trip tells of all there were", arguments: generations)
    func news(_ generation: Generation) throws {
        let fixture = try Self.fixture(generation)
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        let first = try storage.commit([(oid, Record.text("one"), .none)])
        let other = try #require(try fixture.another(isWritable: true) as? ZEOClientStorage)
        #expect(try other.load(oid, at: .latest).data == Record.text("one"))
        let second = try storage.commit([(oid, Record.text("two"), first)])
        var news: [Invalidation] = []
        #expect(
            try Self.eventually {
                news += try other.poll()
                return !news.isEmpty
            })
        #expect(news == [Invalidation(tid: second, oids: [oid])])
        #expect(try other.load(oid, at: second).data == Record.text("two"))
        #expect(try other.load(oid, at: first).data == Record.text("one"))
        let third = try storage.commit([(try storage.newObjectID(), Record.text("new"), .none)])
        _ = try other.ping()
        #expect(try other.lastTransaction() == third)
    }

    @Test("conflicts are found, and merged where they can be", arguments: generations)
    func conflicts(_ generation: Generation) throws {
        let fixture = try Self.fixture(generation)
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(2)
        let first = try storage.commit([(oids[0], Record.text("one"), .none), (oids[1], Record.length(1), .none)])
        let second = try storage.commit([(oids[0], Record.text("two"), first), (oids[1], Record.length(5), first)])
        #expect(throws: StorageError.conflict(oids[0], committed: second, read: first)) {
            try storage.commit([(oids[0], Record.text("overtaken"), first)])
        }
        let merged = try storage.transact { (transaction) throws(StorageError) in
            try transaction.store(Record.length(3), for: oids[1], basedOn: first)
        }
        #expect(merged.changed == [oids[1]])
        #expect(try storage.load(oids[1], at: .latest).data != Record.length(3))
        // The lock is free, and the connection is as before.
        let last = try storage.commit([(oids[0], Record.text("three"), second)])
        #expect(try storage.load(oids[0], at: .latest).serial == last)
    }

    @Test("what was committed is undone, or said why not", arguments: generations)
    func undo(_ generation: Generation) throws {
        let fixture = try Self.fixture(generation)
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(2)
        let first = try storage.commit([(oids[0], Record.text("one"), .none), (oids[1], Record.text("a"), .none)])
        let second = try storage.commit([(oids[0], Record.text("two"), first)])
        let third = try storage.commit([(oids[1], Record.text("b"), first)])
        let fourth = try storage.commit([(oids[1], Record.text("c"), third)])
        #expect {
            try storage.undo(third)
        } throws: { error in
            guard case StorageError.undoFailed(third, let obstacles) = error else { return false }
            return !obstacles.isEmpty
        }
        let undone = try storage.undo(fourth, second)
        #expect(undone.changed == oids)
        #expect(
            try storage.load(oids, at: .latest).map { try $0.get().data } == [Record.text("one"), Record.text("b")])
        #expect(try storage.load(oids[0], at: .latest).serial == undone.tid)
        #expect(try storage.lastTransaction() == undone.tid)
    }

    @Test("a walk finds every object that can be reached", arguments: generations)
    func walk(_ generation: Generation) throws {
        let fixture = try Self.fixture(generation)
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(3)
        // The root refers to the first, the first to the second; the third is on its own.
        try storage.commit([
            (.root, Record.reference(to: oids[0]), .none), (oids[0], Record.reference(to: oids[1]), .none),
            (oids[1], Record.text("end"), .none), (oids[2], Record.text("alone"), .none),
        ])
        let expected = generation.hasRecordIteration ? [.root] + oids : [.root] + oids.dropLast()
        #expect(try storage.currentRecords(from: .root).rest().map(\.oid) == expected)
        #expect(try storage.currentRecords(from: oids[1]).rest().map(\.oid) == Array(expected.dropFirst(2)))
    }

    @Test("blobs go up and come down, where there are any", arguments: generations)
    func blobs(_ generation: Generation) throws {
        let fixture = try Self.fixture(generation)
        let storage = fixture.storage
        let oid = try storage.newObjectID()
        let transaction = try storage.begin(.plain)
        guard generation.hasBlobs else {
            #expect {
                try transaction.storeBlob(Record.blob, for: oid, basedOn: .none, contents: ArrayCursor([[1]]))
            } throws: { error in
                guard case StorageError.unsupported(let text) = error else { return false }
                return text.contains("keeps no blobs")
            }
            return transaction.abort()
        }
        let contents = (0..<150_000).map { UInt8(truncatingIfNeeded: $0 * 7 ^ $0 >> 9) }
        try transaction.storeBlob(Record.blob, for: oid, basedOn: .none, contents: ArrayCursor([contents]))
        _ = try transaction.vote()
        let tid = try transaction.finish()
        #expect(try storage.blob(oid, serial: tid).rest().flatMap { $0 } == contents)
    }

    @Test(
        "a transaction may depend on what it does not change, also where the server does not look",
        arguments: generations)
    func requireCurrent(_ generation: Generation) throws {
        let fixture = try Self.fixture(generation)
        let storage = fixture.storage
        let oids = try storage.newObjectIDs(2)
        let first = try storage.commit([(oids[0], Record.text("one"), .none), (oids[1], Record.text("a"), .none)])
        let other = try #require(try fixture.another(isWritable: true))
        let second = try other.commit([(oids[0], Record.text("two"), first)])
        #expect(throws: StorageError.conflict(oids[0], committed: second, read: first)) {
            try storage.transact { (transaction) throws(StorageError) in
                try transaction.requireCurrent(oids[0], serial: first)
                try transaction.store(Record.text("b"), for: oids[1], basedOn: first)
            }
        }
        #expect(try other.load(oids[1], at: .latest).serial == first)
        let third = try storage.transact { (transaction) throws(StorageError) in
            try transaction.requireCurrent(oids[0], serial: second)
            try transaction.store(Record.text("b"), for: oids[1], basedOn: first)
        }
        #expect(try storage.load(oids[1], at: .latest).serial == third.tid)
    }

    @Test("what a generation does not have is said with the release", arguments: [Generation.v200, .v201, .v303])
    func missing(_ generation: Generation) throws {
        let fixture = try Self.fixture(generation)
        let oid = try fixture.storage.newObjectID()
        #expect(throws: StorageError.unsupported("this server is \(generation.releases): it has no blobs")) {
            try fixture.storage.blob(oid, serial: .none)
        }
        #expect(try fixture.storage.commit([(oid, Record.text("goes on"), .none)]) > .none)
    }
}
