import Foundation
import Synchronization
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("Work that somebody else decides on is bounded, and leaves nothing behind")
struct BoundedWorkTests {
    private static let oid = ObjectID(rawValue: 1)

    @Test("a load looks at no more records than it may, and says how many it has", arguments: [true, false])
    func steps(isMapped: Bool) throws {
        let file = try WritableFile()
        let writer = try file.open()
        let tids = try (0..<100).map { try writer.commit([1: "\($0)"]) }
        // Back pointers are records that are looked at, too.
        let undone = try writer.begin(.init())
        try undone.undo(tids[99])
        _ = try undone.vote()
        let last = try undone.finish()
        if !isMapped { writer.close() }
        let storage = isMapped ? writer : try FileStorage(file.path)
        func read(before tid: TransactionID, _ steps: inout Int) throws -> String? {
            try storage.withRevision(Self.oid, before: tid, steps: &steps) { data, _, _ in
                data.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
            }
        }
        for (tid, text, needed) in [
            (TransactionID.latest, "98", 1), (last, "99", 1), (tids[99], "98", 2), (tids[50], "49", 51),
            (tids[1], "0", 100),
        ] {
            var steps = needed
            #expect(try read(before: tid, &steps) == text)
            #expect(steps == 0)
            steps = needed + 7
            #expect(try read(before: tid, &steps) == text)
            #expect(steps == 7)
            steps = needed - 1
            #expect(try read(before: tid, &steps) == nil)
            #expect(steps < 0)
        }
        var steps = 101
        #expect(throws: StorageError.noRevision(Self.oid, at: tids[0].predecessor)) {
            _ = try read(before: tids[0], &steps)
        }
        storage.close()
    }

    @Test("restoring many records of one object goes through its history once")
    func restoredHistory() throws {
        let file = try WritableFile()
        let reads = Atomic(0)
        let storage = try file.open(
            calls: FileCalls(read: { descriptor, buffer, offset in
                reads.add(1, ordering: .relaxed)
                return unsafe FileCalls.systemRead(descriptor, buffer, offset)
            }))
        let tids = try (0..<100).map { try storage.commit([1: "\($0)"]) }
        let transaction = try storage.begin(.init(), tid: tids[99].successor, status: .complete)
        let restoring = try #require(transaction as? any RestoringTransaction)
        let before = reads.load(ordering: .relaxed)
        // From the oldest to the newest: each could be a walk through all.
        for (number, tid) in tids.enumerated() {
            try restoring.restore(Array("\(number)".utf8), for: Self.oid, from: tid)
        }
        // Data that is not what is there, and a transaction that has none of the object.
        try restoring.restore(Array("other".utf8), for: Self.oid, from: tids[3])
        try restoring.restore(Array("5".utf8), for: Self.oid, from: tids[0].predecessor)
        // Each restored record is looked up once, and compared with what it may share.
        #expect(reads.load(ordering: .relaxed) - before < 100 + 5 * 102)
        _ = try transaction.vote()
        let tid = try transaction.finish()
        let records = try storage.records(of: tid).records.rest()
        #expect(records.count == 102)
        #expect(records.prefix(100).map(\.dataTransaction) == tids)
        #expect(records.suffix(2).allSatisfy { $0.dataTransaction == nil })
        #expect(try storage.load(Self.oid, at: .latest).data == Array("5".utf8))
    }

    @Test(
        "a transaction that is aborted has no tid and no oids, however far ahead they were", arguments: [true, false])
    func countersAfterAbort(isVoted: Bool) throws {
        let file = try WritableFile()
        let storage = try file.open()
        let first = try storage.commit([1: "a"])
        let far = TransactionID(unixTime: first.unixTime + 300 * 86_400) ?? .none
        let transaction = try storage.begin(.init(), tid: far, status: .complete)
        let restoring = try #require(transaction as? any RestoringTransaction)
        let high = ObjectID(rawValue: 1 << 60)
        try restoring.restore(Array("b".utf8), for: high, from: nil)
        try transaction.store(Array("c".utf8), for: ObjectID(rawValue: 1 << 61), basedOn: .none)
        if isVoted { _ = try transaction.vote() }
        transaction.abort()
        #expect(try storage.newObjectIDs(2) == [ObjectID(rawValue: 2), ObjectID(rawValue: 3)])
        let second = try storage.commit([2: "d"])
        #expect(second < far)
        // One that is committed counts, from its stores on.
        let third = try storage.begin(.init())
        try third.store(Array("e".utf8), for: ObjectID(rawValue: 100), basedOn: .none)
        #expect(try storage.newObjectIDs(1) == [ObjectID(rawValue: 101)])
        try third.store(Array("e".utf8), for: ObjectID(rawValue: 200), basedOn: .none)
        _ = try third.vote()
        _ = try third.finish()
        #expect(try storage.newObjectIDs(1) == [ObjectID(rawValue: 201)])
        let copied = try storage.begin(.init(), tid: far, status: .complete)
        _ = try copied.vote()
        #expect(try copied.finish() == far)
        #expect(try storage.commit([3: "f"]) > far)
        storage.close()
    }

    @Test("files of blobs that a killed process of ours has left are removed at the next start, and nobody else's")
    func leftovers() throws {
        let file = try WritableFile()
        try file.open(blobs: true).close()
        let folder = file.directory.file("blobs/tmp")
        let ours = ["zeo-\(getpid())-17.tmp", "zeo-99999999-18446744073709551615.tmp", "zeoshell-99999999-3.tmp"]
        let others = [
            // Of a process that lives.
            "zeo-1-5.tmp", "zeoshell-1-5.tmp",
            // Python's, and anybody's.
            "BUCA2k1x.tmp", "tmp8hZk", "zeo-99999999-5", "zeo-99999999.tmp", "zeo-x-5.tmp", "zeo-99999999-a.tmp",
            "zeo--1-5.tmp", "zeo-99999999-5-6.tmp", "keep",
        ]
        for name in ours + others { try Data([1]).write(to: URL(filePath: "\(folder)/\(name)")) }
        // Whoever reads changes nothing, and whoever does not get the lock neither.
        try FileStorage(file.path, options: .init(blobDirectory: file.directory.file("blobs"))).close()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == ours.count + others.count)
        let storage = try file.open(blobs: true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == others.sorted())
        try Data([1]).write(to: URL(filePath: "\(folder)/\(ours[1])"))
        #expect(throws: StorageError.self) { try file.open(blobs: true) }
        #expect(FileManager.default.fileExists(atPath: "\(folder)/\(ours[1])"))
        storage.close()
    }
}
