import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("A file that others write to")
struct LiveFileTests {
    static let one = ObjectID(rawValue: 1)

    private func text(_ storage: FileStorage, _ oid: ObjectID = one, at tid: TransactionID = .latest) throws -> String {
        String(decoding: try storage.load(oid, at: tid).data, as: UTF8.self)
    }

    /// The end of the file as the storage tells it.
    private func tail(_ storage: FileStorage) throws -> String? {
        try storage.information().details.first { $0.name == "after the last transaction" }?.value
    }

    @Test("appended transactions are seen by poll, and only by poll", arguments: [true, false])
    func appended(loadedBefore: Bool) throws {
        var builder = FileBuilder()
        let first = builder.transaction([.data(1, "one"), .data(2, "two")])
        let path = try builder.write()
        let storage = try FileStorage(path)
        #expect(try storage.lastTransaction() == first)
        if loadedBefore { #expect(try text(storage) == "one") }
        let second = builder.transaction([.data(1, "changed"), .data(3, "new"), .data(1, "changed twice")])
        let third = builder.transaction([])
        let fourth = builder.transaction([.data(2, "also")])
        _ = try builder.write()
        #expect(try storage.lastTransaction() == first)
        #expect(try text(storage) == "one")
        #expect(
            try storage.poll() == [
                Invalidation(tid: second, oids: [Self.one, ObjectID(rawValue: 3)]), Invalidation(tid: third, oids: []),
                Invalidation(tid: fourth, oids: [ObjectID(rawValue: 2)]),
            ])
        #expect(try storage.poll().isEmpty)
        #expect(try storage.lastTransaction() == fourth)
        #expect(try text(storage) == "changed twice")
        #expect(try text(storage, at: first) == "one")
        #expect(try text(storage, ObjectID(rawValue: 3)) == "new")
        #expect(try storage.objectCount() == 3)
        #expect(try storage.transactionLog().rest().count == 4)
    }

    @Test("a transaction is seen when it is complete and finished, not at any byte before")
    func byteByByte() throws {
        var builder = FileBuilder()
        let first = builder.transaction([.data(1, "one")])
        let path = try builder.write()
        let start = builder.bytes.count
        let second = builder.transaction([.data(1, "changed")])
        let whole = builder.bytes
        let storage = try FileStorage(path)
        _ = try text(storage)
        for count in start..<whole.count {
            var part = Array(whole.prefix(count))
            if count > start + 16 { part[start + 16] = UInt8(ascii: "c") }
            try part.overwrite(path)
            #expect(try storage.poll().isEmpty)
            #expect(try storage.lastTransaction() == first)
            #expect((try tail(storage) != nil) == (count > start))
        }
        var voted = whole
        voted[start + 16] = UInt8(ascii: "c")
        try voted.overwrite(path)
        #expect(try storage.poll().isEmpty)
        #expect(try tail(storage)?.hasSuffix("voted but not finished") == true)
        // Another reader that comes now sees the same.
        #expect(try FileStorage(path).lastTransaction() == first)
        try whole.overwrite(path)
        #expect(try storage.poll().map(\.tid) == [second])
        #expect(try text(storage) == "changed")
        #expect(try tail(storage) == nil)
    }

    @Test("an aborted vote leaves no trace")
    func aborted() throws {
        var builder = FileBuilder()
        let first = builder.transaction([.data(1, "one")])
        let path = try builder.write()
        let before = builder.bytes
        builder.transaction([.data(1, "never")], status: "c")
        try builder.bytes.overwrite(path)
        let storage = try FileStorage(path)
        #expect(try text(storage) == "one")
        try before.overwrite(path)
        #expect(try storage.poll().isEmpty)
        #expect(try storage.lastTransaction() == first)
        #expect(try tail(storage) == nil)
    }

    @Test("an empty file fills")
    func fromNothing() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write([])
        let storage = try FileStorage(path)
        #expect(try storage.lastTransaction() == .none)
        #expect(try storage.poll().isEmpty)
        #expect(try storage.information().kind == "FileStorage empty")
        var builder = FileBuilder()
        try Array(builder.bytes.prefix(2)).overwrite(path)
        #expect(try storage.poll().isEmpty)
        try builder.bytes.overwrite(path)
        #expect(try storage.poll().isEmpty)
        let first = builder.transaction([.data(1, "one")])
        try builder.bytes.overwrite(path)
        #expect(try storage.poll().map(\.tid) == [first])
        #expect(try storage.information().generation == .python3)
        #expect(try text(storage) == "one")
    }

    @Test("a pack replaces the file: it is opened, what was committed since is reported, old readers finish")
    func packed() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write(SampleData.bytes("fs/undo.fs"))
        let storage = try FileStorage(path)
        _ = try storage.load(.root, at: .latest)
        let log = try storage.transactionLog()
        _ = try log.next()
        let last = try storage.lastTransaction()

        // As Python does it: `.pack` beside the file, then two renames.
        var builder = FileBuilder(continuing: try SampleData.bytes("fs/undo-packed.fs"))
        let new = builder.transaction([.data(1, "after the pack")])
        _ = try directory.write(builder.bytes, to: "Data.fs.pack")
        try FileManager.default.moveItem(atPath: path, toPath: directory.file("Data.fs.old"))
        #expect(try storage.poll().isEmpty)
        try FileManager.default.moveItem(atPath: directory.file("Data.fs.pack"), toPath: path)

        #expect(try storage.lastTransaction() == last)
        #expect(try storage.poll() == [Invalidation(tid: new, oids: [Self.one])])
        #expect(try storage.poll().isEmpty)
        #expect(try text(storage) == "after the pack")
        #expect(try storage.objectCount() == 4)
        #expect(try log.rest().count == 18)
        #expect(try storage.transactionLog().rest().count == 10)
        #expect(try storage.information().details.contains { $0.name == "replaced while open" })
    }

    @Test("a file replaced by an older one is an error; what was open stays", arguments: [true, false])
    func older(inPlace: Bool) throws {
        let directory = try TemporaryDirectory()
        let whole = try SampleData.bytes("fs/undo.fs")
        let path = try directory.write(whole)
        let storage = try FileStorage(path)
        let last = try storage.lastTransaction()
        let older = Array(whole.prefix(3699))
        if inPlace {
            try older.overwrite(path)
        } else {
            _ = try directory.write(older, to: "other")
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.moveItem(atPath: directory.file("other"), toPath: path)
        }
        let error = #expect(throws: StorageError.self) { try storage.poll() }
        #expect(error?.description.contains("older") == true)
        #expect(try storage.lastTransaction() == last)
    }

    @Test("a closed storage says so")
    func closed() throws {
        let storage = try FileStorage(Samples.path("fs/undo.fs"))
        _ = try storage.load(.root, at: .latest)
        storage.close()
        storage.close()
        #expect(throws: StorageError.self) { try storage.load(.root, at: .latest) }
        #expect(throws: StorageError.self) { try storage.lastTransaction() }
        #expect(throws: StorageError.self) { try storage.poll() }
        #expect(throws: StorageError.self) { try storage.transactionLog() }
    }

    @Test("threads load, list and poll while the file grows, and all that they see is consistent")
    func concurrent() async throws {
        var builder = FileBuilder()
        builder.transaction((0..<50).map { .data($0, "0") })
        let path = try builder.write()
        let storage = try FileStorage(path)
        let first = try storage.lastTransaction()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    for round in 0..<400 {
                        let oid = ObjectID(rawValue: UInt64(round % 50))
                        let last = try? storage.lastTransaction()
                        let revision = try? storage.load(oid, at: last ?? .none)
                        #expect(revision != nil)
                        #expect(revision.map { $0.serial <= last ?? .none } == true)
                        #expect((try? storage.load(oid, at: first).data) == Array("0".utf8))
                    }
                }
            }
            for round in 1...40 {
                let start = builder.bytes.count
                builder.transaction((0..<50).map { .data($0, "\(round)") })
                #expect(throws: Never.self) { try append(builder.bytes[start...], to: path) }
                #expect((try? storage.poll())?.count == 1)
                await Task.yield()
            }
        }
    }
}
