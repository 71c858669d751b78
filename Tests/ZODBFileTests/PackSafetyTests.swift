import Foundation
import Synchronization
import TestSupport
import Testing
import ZODB
import ZODBFile

/// What a pack does to the files around it, and what others may do meanwhile.
@Suite("While a FileStorage is packed")
struct PackSafetyTests {
    private static let root: UInt64 = 0

    /// A record that refers to these objects.
    private static func record(_ references: [UInt64], _ note: String) -> [UInt8] {
        var bytes: [UInt8] = [0x80, 3] + Array("cpersistent.mapping\nPersistentMapping\n.".utf8) + [0x80, 3]
        bytes += Array("]C".utf8) + [UInt8(note.utf8.count)] + Array(note.utf8) + Array("a(".utf8)
        for reference in references {
            bytes += Array("C\u{8}".utf8) + ObjectID(rawValue: reference).bytes + Array("Q".utf8)
        }
        return bytes + Array("e.".utf8)
    }

    @discardableResult
    private static func commit(
        _ storage: FileStorage, _ changes: [(oid: UInt64, references: [UInt64], note: String)]
    ) throws -> TransactionID {
        let transaction = try storage.begin(TransactionMetadata())
        for change in changes {
            let oid = ObjectID(rawValue: change.oid)
            let serial = (try? storage.load(oid, at: .latest).serial) ?? .none
            try transaction.store(record(change.references, change.note), for: oid, basedOn: serial)
        }
        _ = try transaction.vote()
        return try transaction.finish { _ in }
    }

    private static func open(
        _ path: String, _ change: (inout FileStorage.Options) -> Void = { _ in }
    ) throws -> FileStorage {
        var options = FileStorage.Options(isWritable: true, newFileGeneration: .python3)
        change(&options)
        return try FileStorage(path, options: options)
    }

    /// Root → 1 and 2, several revisions; 3 is garbage.
    private static func fill(_ storage: FileStorage) throws {
        try commit(storage, [(0, [1, 3], "a"), (1, [2], "one"), (2, [], "two"), (3, [], "three")])
        try commit(storage, [(0, [1], "b")])
        for number in 0..<5 { try commit(storage, [(1, [2], "one \(number)"), (2, [], "two \(number)")]) }
    }

    private static func names(_ directory: TemporaryDirectory) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
    }

    /// Current objects, and what they hold.
    private static func content(_ path: String) throws -> [ObjectID: [UInt8]] {
        let storage = try open(path)
        defer { storage.close() }
        var content: [ObjectID: [UInt8]] = [:]
        let records = try storage.currentRecords(from: .root)
        while let record = try records.next() { content[record.oid] = record.revision.data }
        return content
    }

    @Test("what did not exist at the pack time, and came back later, is gone again when that is undone")
    func deletion() throws {
        let directory = try TemporaryDirectory()
        let storage = try Self.open(directory.file("Data.fs"))
        defer { storage.close() }
        func undo(_ tid: TransactionID) throws -> TransactionID {
            let transaction = try storage.begin(TransactionMetadata())
            try transaction.undo(tid)
            _ = try transaction.vote()
            return try transaction.finish { _ in }
        }
        try Self.commit(storage, [(0, [1], "root")])
        let made = try Self.commit(storage, [(1, [], "one")])
        let gone = try undo(made)
        let back = try undo(gone)
        let one = ObjectID(rawValue: 1)
        _ = try storage.pack(to: gone, PackOptions(collectsGarbage: false))
        #expect(try storage.load(one, at: .latest).data == Self.record([], "one"))
        #expect(throws: StorageError.self) { try storage.load(one, at: back.predecessor) }
        _ = try undo(back)
        #expect(throws: StorageError.noSuchObject(one)) { try storage.load(one, at: .latest) }
    }

    @Test("a process killed at any step leaves the old file or the new one, and no rubbish that stays")
    func kill() throws {
        for step in PackStep.allCases {
            let directory = try TemporaryDirectory()
            let snapshot = directory.file("killed")
            let work = try TemporaryDirectory()
            let storage = try Self.open(work.file("Data.fs")) { options in
                options.packStep = { [path = work.path] current throws(StorageError) in
                    // What a killed process leaves is what is there.
                    if current == step { try? Self.copyDirectory(path, to: snapshot) }
                }
            }
            try Self.fill(storage)
            let before = try Self.content(try copy(of: work.file("Data.fs"), in: directory, as: "before"))
            let summary = try storage.pack(to: .latest.predecessor, PackOptions())
            #expect(summary.outcome == .packed)
            storage.close()
            let after = try Self.content(work.file("Data.fs"))
            #expect(before.count == 4 && after.count == 3)
            try #require(FileManager.default.fileExists(atPath: snapshot), "\(step) was not passed")
            let found = try Self.content(snapshot + "/Data.fs")
            #expect(found == before || found == after, "\(step)")
            let left = try FileManager.default.contentsOfDirectory(atPath: snapshot)
            #expect(!left.contains { $0.contains(".pack") }, "\(step): \(left)")
            let isNew = found == after
            #expect(left.contains("Data.fs.old") == isNew, "\(step): \(left)")
        }
    }

    /// With its hard links.
    private static func copyDirectory(_ path: String, to target: String) throws {
        let process = try Process.run(URL(filePath: "/bin/cp"), arguments: ["-a", path, target])
        process.waitUntilExit()
    }

    private func copy(of path: String, in directory: TemporaryDirectory, as name: String) throws -> String {
        let target = directory.file(name)
        try FileManager.default.copyItem(atPath: path, toPath: target)
        return target
    }

    @Test("an error at any step before the new file is in place changes nothing, and leaves nothing behind")
    func failure() throws {
        for step in PackStep.allCases.prefix(while: { $0 != .renamed }) {
            let directory = try TemporaryDirectory()
            let path = directory.file("Data.fs")
            let storage = try Self.open(path) { options in
                options.packStep = { current throws(StorageError) in
                    if current == step { throw .io("a step", errno: 28) }
                }
            }
            try Self.fill(storage)
            let bytes = try Data(contentsOf: URL(filePath: path))
            #expect(throws: StorageError.io("a step", errno: 28)) {
                try storage.pack(to: .latest.predecessor, PackOptions())
            }
            #expect(try Data(contentsOf: URL(filePath: path)) == bytes, "\(step)")
            let left = try Self.names(directory).filter { $0 != "Data.fs.index" }
            #expect(left == ["Data.fs", "Data.fs.lock"], "\(step): \(left)")
            // It goes on.
            try Self.commit(storage, [(1, [2], "afterwards")])
            storage.close()
        }
    }

    @Test("a disk that fails while it is written to, or flushed, changes nothing")
    func failingDisk() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("Data.fs")
        let flag = Flag()
        var calls = FileCalls.system
        calls.write = { descriptor, bytes, offset in
            if flag.isSet, bytes.count > 200 { return -28 }
            return FileCalls.systemWrite(descriptor, bytes, offset)
        }
        let storage = try FileStorage(
            path, options: .init(isWritable: true, newFileGeneration: .python3), calls: calls)
        defer { storage.close() }
        try Self.fill(storage)
        flag.set()
        #expect(throws: StorageError.self) { try storage.pack(to: .latest.predecessor, PackOptions()) }
        flag.clear()
        #expect(!(try Self.names(directory)).contains { $0.contains(".pack") })
        try Self.commit(storage, [(1, [2], "afterwards")])
        #expect(try storage.pack(to: .latest.predecessor, PackOptions()).outcome == .packed)
    }

    private final class Flag: Sendable {
        private let value = Mutex(false)
        var isSet: Bool { value.withLock { $0 } }
        func set() { value.withLock { $0 = true } }
        func clear() { value.withLock { $0 = false } }
    }

    @Test("others commit and load at every step, and all that they commit is there")
    func commits() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("Data.fs")
        let committed = Mutex<[TransactionID]>([])
        let holder = Mutex<FileStorage?>(nil)
        let storage = try Self.open(path) { options in
            options.packStep = { step throws(StorageError) in
                // With the turn taken nobody can commit.
                guard [.marked, .made, .copied, .caughtUp, .indexWritten].contains(step),
                    let storage = holder.withLock({ $0 })
                else { return }
                let tid = try? PackSafetyTests.commit(storage, [(1, [2], "\(step)"), (10, [], "new at \(step)")])
                if let tid { committed.withLock { $0.append(tid) } }
            }
        }
        try Self.fill(storage)
        holder.withLock { $0 = storage }
        let last = try storage.lastTransaction()
        let reader = try storage.transactionLog()
        let summary = try storage.pack(to: last, PackOptions())
        holder.withLock { $0 = nil }
        #expect(summary.outcome == .packed)
        let tids = committed.withLock { $0 }
        #expect(tids.count == 5)
        // A reader of the old file goes on there.
        #expect(try reader.rest().count == 7)
        for number in 0..<3 { try Self.commit(storage, [(2, [], "later \(number)")]) }
        #expect(try storage.load(ObjectID(rawValue: 1), at: .latest).serial == tids.last)
        #expect(try storage.lastTransaction() > tids[4])
        storage.close()
        let again = try FileStorage(path)
        #expect(try again.transactions(from: tids[0], through: tids[4]).rest().map(\.tid) == tids)
        #expect(try again.history(of: ObjectID(rawValue: 10), limit: 99).map(\.transaction.tid) == tids.reversed())
        #expect(try FileStorage(path, options: .init(ignoresIndexFile: true)).objectCount() == 4)
    }

    private struct PendingUndo: Sendable {
        var storage: FileStorage
        var tid: TransactionID
    }

    @Test("an undo that brings back what was to be dropped makes it begin anew, and all of it is there")
    func undo() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("Data.fs")
        let holder = Mutex<PendingUndo?>(nil)
        let copies = Mutex(0)
        let storage = try Self.open(path) { options in
            options.packStep = { step throws(StorageError) in
                guard step == .copied else { return }
                copies.withLock { $0 += 1 }
                let pending = holder.withLock { taken -> PendingUndo? in
                    let pending = taken
                    taken = nil
                    return pending
                }
                guard let pending else { return }
                let transaction = try pending.storage.begin(TransactionMetadata())
                try transaction.undo(pending.tid)
                _ = try transaction.vote()
                _ = try transaction.finish { _ in }
            }
        }
        try Self.commit(storage, [(0, [1, 3], "a"), (1, [], "one"), (3, [4], "three"), (4, [], "four")])
        let unlinking = try Self.commit(storage, [(0, [1], "b"), (3, [4], "changed")])
        holder.withLock { $0 = PendingUndo(storage: storage, tid: unlinking) }
        try storage.pack(to: unlinking, PackOptions())
        #expect(copies.withLock { $0 } == 2)
        for oid: UInt64 in [0, 1, 3, 4] { _ = try storage.load(ObjectID(rawValue: oid), at: .latest) }
        #expect(try storage.load(.root, at: .latest).data == Self.record([1, 3], "a"))
        storage.close()
        #expect(try Self.content(path).count == 4)
    }

    @Test("what was garbage and is needed by a later state stays, as of the first state that needs it")
    func rescue() throws {
        let directory = try TemporaryDirectory()
        let storage = try Self.open(directory.file("Data.fs"))
        defer { storage.close() }
        let packTime = try Self.commit(storage, [(0, [1], "a"), (1, [], "one"), (2, [3], "two"), (3, [], "three")])
        // 5 comes before the one that refers to it, so that only a second look finds what it needs.
        let first = try Self.commit(storage, [(5, [2], "five"), (1, [5], "b")])
        try Self.commit(storage, [(1, [], "c"), (3, [], "later")])
        let last = try Self.commit(storage, [(0, [1, 2], "d")])
        try storage.pack(to: packTime, PackOptions())
        let three = ObjectID(rawValue: 3)
        #expect(try storage.load(three, at: first).data == Self.record([], "three"))
        #expect(try storage.load(ObjectID(rawValue: 2), at: first).data == Self.record([3], "two"))
        #expect(try storage.load(three, at: last).data == Self.record([], "later"))
    }

    @Test("a second pack is refused, and an interruption leaves all as it was")
    func second() throws {
        let directory = try TemporaryDirectory()
        let holder = Mutex<FileStorage?>(nil)
        let refusal = Mutex<StorageError?>(nil)
        let interruption = Interruption()
        let storage = try Self.open(directory.file("Data.fs")) { options in
            options.packStep = { step throws(StorageError) in
                guard step == .made, let storage = holder.withLock({ $0 }) else { return }
                do throws(StorageError) {
                    try storage.pack(to: .latest.predecessor, PackOptions())
                } catch {
                    refusal.withLock { $0 = error }
                }
                #expect(storage.packProgress != nil)
                interruption.raise()
            }
        }
        defer { storage.close() }
        try Self.fill(storage)
        holder.withLock { $0 = storage }
        #expect(throws: StorageError.interrupted) {
            try storage.pack(to: .latest.predecessor, PackOptions(interruption: interruption))
        }
        holder.withLock { $0 = nil }
        #expect(refusal.withLock { $0 } == .alreadyPacking)
        #expect(storage.packProgress == nil)
        #expect(!(try Self.names(directory)).contains { $0.contains(".pack") || $0.hasSuffix(".old") })
    }

    @Test("what needs no pack is left alone, with the file that an earlier one has kept")
    func redundant() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("Data.fs")
        let storage = try Self.open(path)
        defer { storage.close() }
        try Self.fill(storage)
        let time = try storage.lastTransaction()
        try storage.pack(to: time, PackOptions())
        let (kept, packed) = (
            try Data(contentsOf: URL(filePath: path + ".old")), try Data(contentsOf: URL(filePath: path))
        )
        guard case .nothingToDo = try storage.pack(to: time, PackOptions()).outcome else {
            Issue.record("it packed again")
            return
        }
        #expect(try Data(contentsOf: URL(filePath: path + ".old")) == kept)
        #expect(try Data(contentsOf: URL(filePath: path)) == packed)
    }

    @Test("a directory where the old file is to be kept ends it before anything is written")
    func oldIsDirectory() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("Data.fs")
        let storage = try Self.open(path)
        defer { storage.close() }
        try Self.fill(storage)
        try FileManager.default.createDirectory(atPath: path + ".old", withIntermediateDirectories: true)
        let before = try Data(contentsOf: URL(filePath: path))
        let names = try Self.names(directory)
        #expect(throws: StorageError.self) {
            try storage.pack(to: storage.lastTransaction(), PackOptions(keepsOld: true))
        }
        #expect(try Self.names(directory) == names)
        #expect(try Data(contentsOf: URL(filePath: path)) == before)
    }

    @Test("a reference to nothing is told, and ends it only when that is asked for")
    func dangling() throws {
        let directory = try TemporaryDirectory()
        let storage = try Self.open(directory.file("Data.fs"))
        defer { storage.close() }
        try Self.fill(storage)
        try Self.commit(storage, [(1, [2, 99], "dangling")])
        let before = try Data(contentsOf: URL(filePath: storage.name))
        #expect(throws: StorageError.self) { try storage.pack(to: .latest.predecessor, PackOptions(isStrict: true)) }
        #expect(try Data(contentsOf: URL(filePath: storage.name)) == before)
        let summary = try storage.pack(to: .latest.predecessor, PackOptions())
        #expect(summary.outcome == .packed && summary.danglingCount == 1)
        #expect(
            summary.dangling == [.init(missing: ObjectID(rawValue: 99), referrer: ObjectID(rawValue: 1))])
    }

    @Test("nobody else can open the file for writing, neither before nor after the new one is in its place")
    func locks() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("Data.fs")
        let refusals = Mutex(0)
        let storage = try Self.open(path) { options in
            options.packStep = { _ throws(StorageError) in
                // As if somebody had removed the lock file.
                unlink(path + ".lock")
                do throws(StorageError) {
                    try FileStorage(path, options: .init(isWritable: true)).close()
                } catch .locked {
                    refusals.withLock { $0 += 1 }
                }
            }
        }
        try Self.fill(storage)
        let summary = try storage.pack(to: .latest.predecessor, PackOptions())
        #expect(summary.outcome == .packed)
        #expect(refusals.withLock { $0 } == PackStep.allCases.count)
        storage.close()
    }

    @Test("a preview tells what goes, and changes nothing")
    func preview() throws {
        let directory = try TemporaryDirectory()
        let storage = try Self.open(directory.file("Data.fs"))
        defer { storage.close() }
        try Self.fill(storage)
        let before = try Data(contentsOf: URL(filePath: storage.name))
        let preview = try FileStorage(storage.name).previewPack(to: .latest.predecessor, PackOptions())
        #expect(try Data(contentsOf: URL(filePath: storage.name)) == before)
        let summary = try storage.pack(to: .latest.predecessor, PackOptions())
        #expect(preview.bytesAfter == summary.bytesAfter && preview.bytesBefore == summary.bytesBefore)
        #expect(preview.droppedObjects == 1 && preview.objectsBefore == 4)
        #expect(preview.classes.map(\.className) == ["persistent.mapping.PersistentMapping"])
        #expect(preview.largest.contains { $0.oid == ObjectID(rawValue: 3) && $0.isGarbage })
    }
}
