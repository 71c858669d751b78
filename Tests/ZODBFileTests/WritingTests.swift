import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

/// A Data.fs of its own, open for writing.
struct WritableFile {
    let directory: TemporaryDirectory
    let path: String

    /// - Parameter sample: a file of `sample-data` to begin with; nil for a new one.
    init(copying sample: String? = nil) throws {
        directory = try TemporaryDirectory()
        path = directory.file("Data.fs")
        if let sample { _ = try directory.write(SampleData.bytes(sample)) }
    }

    func open(_ generation: PythonGeneration? = .python3, blobs: Bool = false, calls: FileCalls = .system) throws
        -> FileStorage
    {
        try FileStorage(
            path,
            options: .init(
                blobDirectory: blobs ? directory.file("blobs") : nil, isWritable: true, newFileGeneration: generation),
            calls: calls)
    }

    var bytes: [UInt8] { get throws { [UInt8](try Data(contentsOf: URL(filePath: path))) } }

    func exists(_ suffix: String) -> Bool { FileManager.default.fileExists(atPath: path + suffix) }
}

extension FileStorage {
    /// Stores and commits; each object is based on what it is now.
    @discardableResult
    func commit(_ objects: [UInt64: String], user: String = "", description: String = "") throws -> TransactionID {
        let transaction = try begin(.init(user: Array(user.utf8), description: Array(description.utf8)))
        for (oid, data) in objects.sorted(by: { $0.key < $1.key }) {
            let oid = ObjectID(rawValue: oid)
            try transaction.store(Array(data.utf8), for: oid, basedOn: serial(oid))
        }
        _ = try transaction.vote()
        return try transaction.finish()
    }

    @discardableResult
    func undo(_ tids: TransactionID...) throws -> TransactionID {
        let transaction = try begin(.init(description: Array("undo".utf8)))
        for tid in tids { try transaction.undo(tid) }
        _ = try transaction.vote()
        return try transaction.finish()
    }

    /// The object's serial, a deletion's too; `.none` when it was never stored.
    func serial(_ oid: ObjectID) -> TransactionID {
        (try? history(of: oid, limit: 1).first?.transaction.tid) ?? .none
    }

    /// The object's data now; nil when it does not exist.
    func text(_ oid: UInt64) -> String? {
        (try? load(ObjectID(rawValue: oid), at: .latest)).map { String(decoding: $0.data, as: UTF8.self) }
    }
}

@Suite("Writing to a Data.fs")
struct WritingTests {
    @Test("opened for reading, nothing is written or locked, and every write is refused")
    func readOnly() throws {
        let file = try WritableFile(copying: "fs/undo.fs")
        let before = try file.bytes
        let storage = try FileStorage(file.path)
        #expect(!storage.isWritable)
        #expect(throws: StorageError.readOnly(file.path)) { try storage.begin(.init()) }
        #expect(throws: StorageError.readOnly(file.path)) { try storage.newObjectIDs(1) }
        _ = try storage.objectCount()
        storage.close()
        #expect(try file.bytes == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: file.directory.path) == ["Data.fs"])
    }

    @Test("a new file begins with the magic of its Python, and takes transactions", arguments: [2, 3])
    func newFile(python: Int) throws {
        let generation = try #require(PythonGeneration(rawValue: python))
        let file = try WritableFile()
        #expect(throws: StorageError.self) { try file.open(nil) }
        #expect(!file.exists(""))
        var storage = try file.open(generation)
        #expect(try file.bytes == Array((python == 2 ? "FS21" : "FS30").utf8))
        #expect(try storage.lastTransaction() == .none)
        let first = try storage.commit([0: "root", 1: "one"], user: "anna", description: "begin")
        let second = try storage.commit([1: "two"])
        #expect(first < second)
        #expect(abs(first.unixTime - Date().timeIntervalSince1970) < 60)
        #expect(try storage.load(.root, at: .latest) == Revision(data: Array("root".utf8), serial: first, next: nil))
        let old = try storage.load(ObjectID(rawValue: 1), at: first)
        #expect(old == Revision(data: Array("one".utf8), serial: first, next: second))
        #expect(try storage.lastTransaction() == second)
        let log = try storage.transactionLog().rest()
        #expect(log.map(\.tid) == [second, first])
        #expect(log.last?.user == Array("anna".utf8))
        #expect(log.last?.description == Array("begin".utf8))
        #expect(try storage.poll().isEmpty)
        storage.close()

        storage = try file.open(nil)
        #expect(try storage.information().generation == generation)
        #expect(try storage.information().details.first?.value.contains("up to offset") == true)
        #expect(storage.text(1) == "two")
        #expect(storage.text(0) == "root")
    }

    @Test("a file of no bytes is an empty database, and is given its magic")
    func emptyFile() throws {
        let file = try WritableFile()
        _ = try file.directory.write([])
        let storage = try file.open(.python2)
        #expect(try file.bytes == Array("FS21".utf8))
        try storage.commit([0: "root"])
        #expect(storage.text(0) == "root")
    }

    @Test("the lock is Python's, is held until close, and says who holds it")
    func lock() throws {
        let file = try WritableFile()
        let storage = try file.open()
        let text = try String(contentsOfFile: file.path + ".lock", encoding: .utf8)
        #expect(text == " \(getpid())\n")
        #expect(throws: StorageError.locked("\(file.path).lock (process \(getpid()))")) { try file.open() }
        // Readers do not care.
        #expect(try FileStorage(file.path).lastTransaction() == .none)
        storage.close()
        #expect(file.exists(".lock"))
        try file.open().close()
    }

    @Test("the file itself is locked too: without the lock file, and by a hard link, there is no second writer")
    func lockOnFile() throws {
        let file = try WritableFile()
        let storage = try file.open()
        try storage.commit([0: "root"])
        let link = file.directory.file("Other.fs")
        try FileManager.default.linkItem(atPath: file.path, toPath: link)
        try FileManager.default.removeItem(atPath: file.path + ".lock")
        for path in [file.path, link] {
            let error = #expect(throws: StorageError.self) { try FileStorage(path, options: .init(isWritable: true)) }
            guard case .locked(let what) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            // Not every file system lets the system tell who it is.
            #expect([path, "\(path) (process \(getpid()))"].contains(what))
        }
        // Readers do not care, Python's neither.
        #expect(try FileStorage(file.path).text(0) == "root")
        if PythonPeer.zeo6.isReady {
            let code = PythonJudge.prelude + "print(FileStorage(path, read_only=True).load(p64(0))[0].decode())"
            #expect(try PythonPeer.zeo6.run(code, [file.path]) == "root\n")
        }
        try storage.commit([0: "still ours"])
        storage.close()
        let next = try FileStorage(link, options: .init(isWritable: true))
        #expect(next.text(0) == "still ours")
    }

    @Test("who holds the lock by one name keeps others from writing by a link, and the other way round")
    func lockByLink() throws {
        let file = try WritableFile()
        let link = file.directory.file("link.fs")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file.path)
        func open(_ path: String) throws -> FileStorage {
            try FileStorage(path, options: .init(isWritable: true, newFileGeneration: .python3))
        }
        let direct = try open(file.path)
        #expect(throws: StorageError.locked("\(file.path).lock (process \(getpid()))")) { try open(link) }
        direct.close()
        let linked = try open(link)
        #expect(throws: StorageError.locked("\(file.path).lock (process \(getpid()))")) { try open(file.path) }
        try linked.commit([0: "by the link"])
        linked.close()
        let again = try open(file.path)
        #expect(again.text(0) == "by the link")
        again.close()
        // A lock file that is a link itself is one lock, not two.
        try FileManager.default.moveItem(atPath: file.path + ".lock", toPath: file.path + ".elsewhere")
        try FileManager.default.createSymbolicLink(
            atPath: file.path + ".lock", withDestinationPath: file.path + ".elsewhere")
        try open(file.path).close()
    }

    @Test("what is stored is seen by nobody before finish, and never after abort")
    func visibility() throws {
        let file = try WritableFile()
        let storage = try file.open()
        let first = try storage.commit([1: "one"])
        let size = try file.bytes.count
        let reader = try FileStorage(file.path)
        _ = try reader.poll()

        let transaction = try storage.begin(.init())
        try transaction.store(Array("two".utf8), for: ObjectID(rawValue: 1), basedOn: first)
        #expect(try file.bytes.count == size)
        #expect(try transaction.vote() == VoteResult())
        #expect(try file.bytes[size + 16] == UInt8(ascii: "c"))
        #expect(storage.text(1) == "one")
        #expect(try reader.poll().isEmpty)
        transaction.abort()
        transaction.abort()
        #expect(try file.bytes.count == size)
        #expect(throws: StorageError.self) { try transaction.finish() }
        #expect(throws: StorageError.self) { try transaction.store([1], for: .root, basedOn: .none) }

        let again = try storage.begin(.init())
        try again.store(Array("three".utf8), for: ObjectID(rawValue: 1), basedOn: first)
        _ = try again.vote()
        var seen: String?
        let tid = try again.finish { _ in seen = storage.text(1) }
        #expect(seen == "one")
        #expect(storage.text(1) == "three")
        #expect(try reader.poll() == [Invalidation(tid: tid, oids: [ObjectID(rawValue: 1)])])
    }

    @Test("a transaction that is let go of is aborted, and the next can begin")
    func forgotten() throws {
        let file = try WritableFile()
        let storage = try file.open()
        do {
            let transaction = try storage.begin(.init())
            try transaction.store([1], for: .root, basedOn: .none)
            _ = try transaction.vote()
        }
        #expect(try file.bytes.count == 4)
        try storage.commit([0: "root"])
        #expect(storage.text(0) == "root")
    }

    @Test("a stale serial is a conflict, with both serials; a deletion's serial counts too")
    func conflict() throws {
        let file = try WritableFile()
        let storage = try file.open()
        let oid = ObjectID(rawValue: 1)
        let first = try storage.commit([1: "one"])
        let second = try storage.commit([1: "two"])
        let transaction = try storage.begin(.init())
        #expect(throws: StorageError.conflict(oid, committed: second, read: first)) {
            try transaction.store([65], for: oid, basedOn: first)
        }
        #expect(throws: StorageError.self) { try transaction.vote() }
        transaction.abort()

        let checked = try storage.begin(.init())
        try checked.requireCurrent(oid, serial: second)
        #expect(throws: StorageError.conflict(oid, committed: second, read: first)) {
            try checked.requireCurrent(oid, serial: first)
        }
        #expect(throws: StorageError.noSuchObject(ObjectID(rawValue: 9))) {
            try checked.requireCurrent(ObjectID(rawValue: 9), serial: first)
        }
        checked.abort()

        let made = try storage.commit([2: "made"])
        let gone = try storage.undo(made)
        #expect(storage.text(2) == nil)
        let late = try storage.begin(.init())
        #expect(throws: StorageError.conflict(ObjectID(rawValue: 2), committed: gone, read: made)) {
            try late.store([65], for: ObjectID(rawValue: 2), basedOn: made)
        }
        late.abort()
        let revived = try storage.begin(.init())
        try revived.store([65], for: ObjectID(rawValue: 2), basedOn: gone)
        _ = try revived.vote()
        _ = try revived.finish()
        #expect(storage.text(2) == "A")
    }

    @Test("the same object twice in a transaction: the last counts")
    func twice() throws {
        let file = try WritableFile()
        defer { withExtendedLifetime(file) {} }
        let storage = try file.open()
        let transaction = try storage.begin(.init())
        for data in ["a", "b"] { try transaction.store(Array(data.utf8), for: .root, basedOn: .none) }
        _ = try transaction.vote()
        let tid = try transaction.finish()
        #expect(storage.text(0) == "b")
        #expect(try storage.records(of: tid).records.rest().count == 2)
    }

    @Test("tids grow, even when the last one lies in the future")
    func clock() throws {
        let file = try WritableFile()
        var builder = FileBuilder()
        // 2106 or so.
        let last = builder.transaction([.data(1, "one")])
        _ = try file.directory.write(builder.bytes)
        let storage = try file.open()
        let tid = try storage.commit([1: "two"])
        #expect(last.unixTime > Date().timeIntervalSince1970)
        #expect(tid == last.successor)
        let aborted = try storage.begin(.init())
        aborted.abort()
        #expect(try storage.commit([1: "three"]) > tid.successor)
    }

    @Test("new oids follow the largest in use, and are given once")
    func newOIDs() throws {
        let file = try WritableFile()
        let storage = try file.open()
        #expect(try storage.newObjectIDs(2).map(\.rawValue) == [1, 2])
        try storage.commit([700: "far"])
        #expect(try storage.newObjectIDs(3).map(\.rawValue) == [701, 702, 703])
        try storage.commit([5: "near"])
        #expect(try storage.newObjectIDs(1).map(\.rawValue) == [704])
        #expect(throws: StorageError.self) { try storage.newObjectIDs(.max) }
        storage.close()
        // As in Python: what was never stored is given again.
        #expect(try file.open().newObjectIDs(1).map(\.rawValue) == [701])
    }

    @Test("what does not fit is refused: strings over 65,535 bytes, records of none")
    func limits() throws {
        let file = try WritableFile()
        defer { withExtendedLifetime(file) {} }
        let storage = try file.open()
        let long = [UInt8](repeating: 65, count: 65_536)
        #expect(throws: StorageError.self) { try storage.begin(.init(user: long)) }
        #expect(throws: StorageError.self) { try storage.begin(.init(description: long)) }
        #expect(throws: StorageError.self) { try storage.begin(.init(extensionData: long)) }
        let transaction = try storage.begin(.init(user: Array(long.dropLast()), description: Array(long.dropLast())))
        #expect(throws: StorageError.self) { try transaction.store([], for: .root, basedOn: .none) }
        transaction.abort()
        let most = try storage.begin(.init(user: Array(long.dropLast()), description: Array(long.dropLast())))
        try most.store([65], for: .root, basedOn: .none)
        _ = try most.vote()
        let tid = try most.finish()
        #expect(try storage.records(of: tid).transaction.description.count == 65_535)
        // Without any object it is a transaction all the same.
        let empty = try storage.begin(.init(description: Array("nothing".utf8)))
        _ = try empty.vote()
        _ = try empty.finish()
        #expect(try storage.transactionLog().rest().count == 2)
    }

    @Test("a transaction too large for memory goes through a file, and leaves none")
    func spill() throws {
        let file = try WritableFile()
        var options = FileStorage.Options(isWritable: true, newFileGeneration: .python3)
        options.stagingLimit = 10_000
        let storage = try FileStorage(file.path, options: options)
        try storage.commit([7: "seven"])
        let transaction = try storage.begin(.init(user: Array("large".utf8)))
        for oid: UInt64 in 0..<500 {
            let data = [UInt8](repeating: UInt8(oid % 251), count: Int(oid) * 13 % 3000 + 1)
            try transaction.store(data, for: ObjectID(rawValue: oid), basedOn: storage.serial(ObjectID(rawValue: oid)))
        }
        #expect(!file.exists(".tmp"))
        _ = try transaction.vote()
        let tid = try transaction.finish()
        storage.close()
        let reader = try FileStorage(file.path, options: .init(ignoresIndexFile: true))
        #expect(try reader.objectCount() == 500)
        for oid: UInt64 in 0..<500 {
            let revision = try reader.load(ObjectID(rawValue: oid), at: .latest)
            #expect(revision.serial == tid)
            #expect(revision.data == [UInt8](repeating: UInt8(oid % 251), count: Int(oid) * 13 % 3000 + 1))
        }
        #expect(try reader.records(of: tid).transaction.user == Array("large".utf8))
    }

    @Test("a second thread's begin waits for the end of the first transaction")
    func turns() throws {
        let file = try WritableFile()
        defer { withExtendedLifetime(file) {} }
        let storage = try file.open()
        let threads = (0..<4).map { number in
            Thread { for round in 0..<25 { _ = try? storage.commit([UInt64(number): "\(number) \(round)"]) } }
        }
        threads.forEach { $0.start() }
        while !threads.allSatisfy(\.isFinished) { usleep(1000) }
        for number: UInt64 in 0..<4 { #expect(storage.text(number) == "\(number) 24") }
        let tids = try storage.transactions(from: .none, through: .latest).rest().map(\.tid)
        #expect(tids.count == 100)
        #expect(tids == tids.sorted())
        let interruption = Interruption()
        let other = try FileStorage(
            file.directory.file("Other.fs"),
            options: .init(isWritable: true, newFileGeneration: .python3, interruption: interruption))
        let first = try other.begin(.init())
        interruption.raise()
        #expect(throws: StorageError.interrupted) { try other.begin(.init()) }
        first.abort()
    }

    @Test("what was written behind our back, or put in the file's place, stops writing")
    func disturbed() throws {
        let file = try WritableFile()
        let storage = try file.open()
        try storage.commit([0: "root"])
        let good = try file.bytes
        try append([1, 2, 3], to: file.path)
        #expect(throws: StorageError.self) { try storage.begin(.init()) }
        try good.overwrite(file.path)
        let transaction = try storage.begin(.init())
        try transaction.store([65], for: ObjectID(rawValue: 1), basedOn: .none)
        try append([1, 2, 3], to: file.path)
        #expect(throws: StorageError.self) { try transaction.vote() }
        // They may be somebody's: they stay.
        #expect(try file.bytes == good + [1, 2, 3])
        transaction.abort()
        #expect(try file.bytes == good + [1, 2, 3])
        try FileManager.default.removeItem(atPath: file.path)
        #expect(throws: StorageError.self) { try storage.begin(.init()) }
        _ = try file.directory.write(good)
        #expect(throws: StorageError.self) { try storage.begin(.init()) }
    }

    @Test("closing aborts what is in progress, and ends everything")
    func closed() throws {
        let file = try WritableFile()
        let storage = try file.open()
        try storage.commit([0: "root"])
        let size = try file.bytes.count
        let transaction = try storage.begin(.init())
        try transaction.store([65], for: ObjectID(rawValue: 1), basedOn: .none)
        _ = try transaction.vote()
        storage.close()
        #expect(try file.bytes.count == size)
        #expect(throws: StorageError.self) { try transaction.finish() }
        #expect(throws: StorageError.self) { try storage.begin(.init()) }
        let next = try file.open()
        try next.commit([1: "B"])
        transaction.abort()
        #expect(next.text(1) == "B")
        #expect(try FileStorage(file.path).lastTransaction() == next.lastTransaction())
    }
}
