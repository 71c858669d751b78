import Foundation
import Synchronization
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("Revisions read where they lie")
struct DirectLoadTests {
    private func read(
        _ storage: FileStorage, _ oid: ObjectID, before tid: TransactionID
    ) -> Result<Revision, StorageError> {
        do throws(StorageError) {
            return .success(
                try storage.withRevision(oid, before: tid) { bytes, serial, next in
                    Revision(data: bytes.withUnsafeBytes { unsafe [UInt8]($0) }, serial: serial, next: next)
                })
        } catch {
            return .failure(error)
        }
    }

    /// How the file is opened.
    enum Way: CaseIterable {
        case mapped, notMapped, mapRefused, reading
    }

    private func open(_ path: String, _ way: Way) throws -> FileStorage {
        var options = FileStorage.Options(isWritable: way != .reading)
        options.mapsFile = way != .notMapped
        return try FileStorage(
            path, options: options, calls: way == .mapRefused ? FileCalls(map: { _, _ in nil }) : .system)
    }

    @Test("are what load finds, of every object as of every transaction", arguments: Way.allCases)
    func asLoaded(way: Way) throws {
        for sample in ["fs/undo.fs", "fs/zope5.fs", "fs/zlib.fs"] {
            let file = try WritableFile(copying: sample)
            let storage = try open(file.path, way)
            let tids = try storage.transactions(from: .none, through: .latest).rest().map(\.tid)
            var oids = try storage.currentIndex().entries().rest()
            oids.append(ObjectID(rawValue: 0x1234_5678))
            for oid in oids {
                for tid in tids + tids.map(\.successor) + [.none, .latest, TransactionID(rawValue: .max)] {
                    let expected = storage.load([oid], at: tid.predecessor)[0]
                    #expect(read(storage, oid, before: tid) == expected, "\(sample): \(oid) before \(tid)")
                }
            }
            storage.close()
            #expect(throws: StorageError.self) { try storage.withRevision(.root, before: .latest) { _, _, _ in } }
        }
    }

    @Test("records of versions, back pointers to nothing and damage are what load finds")
    func strange() throws {
        var builder = FileBuilder()
        builder.transaction([.data(1, "public"), .data(2, "other"), .data(3, "third")])
        builder.transaction([.version(1, "in a version", publicAt: builder.positions[1] ?? 0), .back(2, to: 0)])
        builder.transaction([.previous(3, "lost its past", at: 5)])
        let tids = (0..<4).map { TransactionID(rawValue: 0x050d_0000_0000_0000 + $0) }
        for way in Way.allCases {
            let storage = try open(try builder.write(), way)
            for oid: UInt64 in 1...3 {
                for tid in tids + [.latest] {
                    let oid = ObjectID(rawValue: oid)
                    #expect(read(storage, oid, before: tid) == storage.load([oid], at: tid.predecessor)[0])
                }
            }
            storage.close()
        }
    }

    @Test("cost no system call, appended ones neither, and what was aborted in between does no harm")
    func withoutCalls() throws {
        let file = try WritableFile()
        let reads = Atomic(0)
        let storage = try file.open(
            calls: FileCalls(read: { descriptor, buffer, offset in
                reads.add(1, ordering: .relaxed)
                return unsafe FileCalls.systemRead(descriptor, buffer, offset)
            }))
        let oid = ObjectID(rawValue: 1)
        var tids: [TransactionID] = []
        for round in 0..<30 {
            tids.append(try storage.commit([1: "\(round)", 2: String(repeating: "x", count: round * 1000 + 1)]))
            let aborted = try storage.begin(.init())
            try aborted.store([UInt8](repeating: 1, count: 9000), for: oid, basedOn: tids[round])
            _ = try aborted.vote()
            aborted.abort()
            let before = reads.load(ordering: .relaxed)
            for (number, tid) in tids.enumerated() {
                let revision = try read(storage, oid, before: tid.successor).get()
                #expect(revision.data == Array("\(number)".utf8))
                #expect(revision.next == (number < round ? tids[number + 1] : nil))
            }
            #expect(try read(storage, ObjectID(rawValue: 2), before: .latest).get().data.count == round * 1000 + 1)
            #expect(reads.load(ordering: .relaxed) == before)
        }
    }

    @Test("go on while others commit, in any number of threads")
    func concurrent() throws {
        let file = try WritableFile()
        let storage = try file.open()
        let oids = (0..<50).map { UInt64($0) }
        var serial = try storage.commit(Dictionary(uniqueKeysWithValues: oids.map { ($0, "0") }))
        let isDone = Atomic(false)
        let readers = (0..<3).map { _ in
            Background {
                var count = 0
                while !isDone.load(ordering: .relaxed) || count == 0 {
                    let at = try storage.lastTransaction()
                    var seen: Set<String> = []
                    for oid in oids {
                        let text = try storage.withRevision(ObjectID(rawValue: oid), before: at.successor) {
                            bytes, serial, _ in
                            #expect(serial == at)
                            return bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
                        }
                        seen.insert(text)
                    }
                    #expect(seen.count == 1)
                    count += 1
                }
                return count
            }
        }
        defer { isDone.store(true, ordering: .relaxed) }
        let told = Told()
        for number in 1...200 {
            serial = try storage.submit(oids.map { ($0, "\(number)", serial) }, told)
        }
        _ = told.wait(for: 200)
        isDone.store(true, ordering: .relaxed)
        for reader in readers { #expect(try reader.result() > 0) }
    }
}

extension FileIndex.Entries {
    fileprivate func rest() -> [ObjectID] {
        var (entries, oids) = (self, [ObjectID]())
        while let entry = entries.next() { oids.append(entry.oid) }
        return oids
    }
}
