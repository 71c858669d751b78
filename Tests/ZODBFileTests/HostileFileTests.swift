import ByteCoding
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("Files that no Python wrote")
struct HostileFileTests {
    static let one = ObjectID(rawValue: 1)

    private func text(_ revision: Revision) -> String { String(decoding: revision.data, as: UTF8.self) }

    @Test("of an object stored twice in a transaction, the last record counts; both are listed")
    func twice() throws {
        var builder = FileBuilder()
        let first = builder.transaction([.data(1, "old")])
        let second = builder.transaction([.data(1, "lost"), .data(2, "other"), .data(1, "kept")])
        let storage = try builder.storage()
        let revision = try storage.load(Self.one, at: .latest)
        #expect(text(revision) == "kept")
        #expect(revision.serial == second)
        let before = try storage.load(Self.one, at: second.predecessor)
        #expect(text(before) == "old")
        #expect(before.serial == first)
        #expect(before.next == second)
        #expect(try storage.records(of: second).records.rest().map(\.oid.rawValue) == [1, 2, 1])
        #expect(try storage.history(of: Self.one, limit: 9).count == 2)
        var scanned: [String] = []
        try storage.scanCurrentRecords { (_, _, data) in
            scanned.append(String(decoding: data.withUnsafeBytes { Array($0) }, as: UTF8.self))
        }
        #expect(scanned == ["other", "kept"])
    }

    @Test("a transaction is found from the end that leads to it, when damage lies on the way from the other")
    func eitherEnd() throws {
        var builder = FileBuilder()
        var starts: [Int] = [], tids: [TransactionID] = []
        for number in 0..<200 {
            starts.append(builder.bytes.count)
            tids.append(builder.transaction([.data(1, "\(number)")]))
        }
        var bytes = builder.bytes
        bytes.replaceSubrange(starts[100] + 8..<starts[100] + 16, with: [UInt8](repeating: 0xff, count: 8))
        let storage = try FileBuilder(continuing: bytes).storage()
        for number in [1, 50, 99, 101, 150, 199] {
            let found = try storage.transactions(from: tids[number], through: tids[number]).next()
            #expect(found?.tid == tids[number], "\(number)")
        }
        #expect(throws: StorageError.self) { try storage.transactions(from: tids[100], through: tids[100]).next() }
    }

    @Test("a chain of back pointers leads to the data, however long; the serial is the last one's")
    func chain() throws {
        var builder = FileBuilder()
        let first = builder.transaction([.data(1, "data")])
        var last = first
        for _ in 0..<300 { last = builder.transaction([.back(1, to: builder.positions[1] ?? 0)]) }
        let storage = try builder.storage()
        let revision = try storage.load(Self.one, at: .latest)
        #expect(text(revision) == "data")
        #expect(revision.serial == last)
        let records = try storage.records(of: last).records.rest()
        #expect(records.map(\.dataTransaction) == [last.predecessor])
        #expect(try storage.history(of: Self.one, limit: .max).map(\.size) == Array(repeating: 0, count: 300) + [4])
    }

    @Test("a back pointer that does not lead back, or to another object, is an error that names the offset")
    func badBackPointers() throws {
        var builder = FileBuilder()
        builder.transaction([.data(2, "other")])
        let start = builder.bytes.count
        let position = UInt64(start + 23)
        for target in [position, position + 42, UInt64.max, 1 << 40, builder.positions[2] ?? 0, 5] {
            var bad = builder
            bad.transaction([.back(1, to: target)])
            let storage = try bad.storage()
            let error = #expect(throws: StorageError.self) { try storage.load(Self.one, at: .latest) }
            #expect(error?.description.contains("offset") == true)
            #expect(throws: StorageError.self) { try storage.records(of: storage.lastTransaction()).records.rest() }
            #expect(throws: StorageError.self) {
                try storage.scanCurrentRecords { (_, _, _) in }
            }
        }
    }

    @Test("a history that leads in a circle, or forward, is an error")
    func badPrevious() throws {
        for position: UInt64 in [27, 4, 100, .max, 1 << 47] {
            var builder = FileBuilder()
            builder.transaction([.previous(1, "data", at: position)])
            let storage = try builder.storage()
            #expect(text(try storage.load(Self.one, at: .latest)) == "data")
            #expect(throws: StorageError.self) { try storage.load(Self.one, at: .none) }
            #expect(throws: StorageError.self) { try storage.history(of: Self.one, limit: 5) }
        }
    }

    @Test("a record in a version hides behind the last public one, and an object in versions only is not there")
    func versions() throws {
        var builder = FileBuilder()
        let first = builder.transaction([.data(1, "public")])
        let position = builder.positions[1] ?? 0
        builder.transaction([.version(1, "hidden", publicAt: position), .version(2, "hidden", publicAt: 0)])
        let last = builder.transaction([.version(1, "hidden again", publicAt: position)])
        let storage = try builder.storage()
        let revision = try storage.load(Self.one, at: .latest)
        #expect(text(revision) == "public")
        #expect(revision.serial == first)
        #expect(revision.next == nil)
        #expect(try storage.history(of: Self.one, limit: 9).map(\.transaction.tid) == [first])
        #expect(throws: StorageError.noSuchObject(ObjectID(rawValue: 2))) {
            try storage.load(ObjectID(rawValue: 2), at: .latest)
        }
        #expect(try storage.currentRecords(from: .root).rest().map(\.oid) == [Self.one])
        #expect(try storage.records(of: last).records.rest().map(\.data) == [Array("hidden again".utf8)])
    }

    @Test("damage in the middle is an error that names its offset; the log is readable down to it")
    func damageInTheMiddle() throws {
        var builder = FileBuilder()
        builder.transaction([.data(1, "one")])
        let start = builder.bytes.count
        for index in 0..<5 { builder.transaction([.data(1, "later \(index)")]) }
        // The length, a record's transaction, its size, the trailer.
        for (offset, value) in [(15, UInt8(3)), (10, 0xff), (23 + 31, 1), (23 + 41, 200), (23 + 42 + 7 + 7, 1)] {
            var bytes = builder.bytes
            bytes[start + offset] ^= value
            let directory = try TemporaryDirectory()
            let storage = try FileStorage(directory.write(bytes))
            let error = #expect(throws: StorageError.self) { try storage.load(Self.one, at: .latest) }
            guard case .corrupt(_, let format) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(format.offset >= start && format.offset < start + 88)
            #expect(try storage.lastTransaction() == TransactionID(rawValue: 0x050d_0000_0000_0005))
            let log = try storage.transactionLog()
            for _ in 0..<4 { #expect(try log.next() != nil) }
            #expect(try storage.information().objectCount == nil)
        }
    }

    @Test(
        "with any bytes changed, reading gives an answer or an error",
        arguments: ["undo", "py27-zodb38-versions", "zlib"])
    func changed(name: String) throws {
        let bytes = try SampleData.bytes("fs/\(name).fs")
        let directory = try TemporaryDirectory()
        var random = SeededGenerator(seed: 3)
        var refused = 0
        for _ in 0..<300 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 4..<bytes.count, using: &random)
                damaged[place] =
                    Bool.random(using: &random) ? .random(in: 0...255, using: &random) : [0, 0xff, 0x7f][place % 3]
            }
            refused += Self.readEverything(try directory.write(damaged))
        }
        #expect(refused > 0)
    }

    /// Asks for everything in the file; how many calls failed.
    static func readEverything(_ path: String) -> Int {
        var failures = 0
        func attempt(_ call: () throws -> Void) {
            do { try call() } catch { failures += 1 }
        }
        attempt {
            let storage = try FileStorage(path)
            attempt { _ = try storage.lastTransaction() }
            attempt { _ = try storage.information() }
            attempt { _ = try storage.transactionLog().rest() }
            attempt { _ = try storage.currentRecords(from: .root).rest() }
            attempt { try storage.scanCurrentRecords { (_, _, _) in } }
            attempt { try storage.scanRecords { (_, _, _) in } }
            attempt { _ = try storage.poll() }
            for transaction in (try? storage.transactions(from: .none, through: .latest).rest()) ?? [] {
                attempt { _ = try storage.records(of: transaction.tid).records.rest() }
                for oid: UInt64 in 0..<7 {
                    attempt { _ = try storage.load(ObjectID(rawValue: oid), at: transaction.tid) }
                }
            }
            for oid: UInt64 in 0..<7 { attempt { _ = try storage.history(of: ObjectID(rawValue: oid), limit: .max) } }
        }
        return failures
    }

    @Test("a record that claims a gigabyte and more is refused, not allocated")
    func hugeRecord() throws {
        var builder = FileBuilder()
        builder.transaction([.data(1, "data")])
        var bytes = builder.bytes
        for place in 0..<8 { bytes[27 + 34 + place] = 0xff }
        #expect(HostileFileTests.readEverything(try TemporaryDirectory().write(bytes)) > 0)
    }
}
