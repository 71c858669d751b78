import Foundation
import Testing
import ZODB
import ZODBFile

@Suite(
    "A file that Python's FileStorage has open",
    .enabled(
        if: PythonWriter.python != nil, "needs a Python 3 with ZODB: run `make peers`, or set ZEOSHELL_TEST_PYTHON3"))
struct PythonWriterTests {
    private func expectSame(_ storage: LiveStorage, _ python: PythonWriter) throws {
        for oid: UInt64 in 0...5 {
            for tid in try storage.tids() {
                #expect(storage.load(oid, at: tid) == (try python.tell("load \(oid) \(tid.hex)")))
            }
        }
    }

    @Test("what it commits, undoes and deletes is seen; what it has only voted is not; a pack is followed")
    func live() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("Data.fs")
        let python = try PythonWriter(path)
        let first = try python.tell("commit 0=root 1=one 2=two")
        let storage = try LiveStorage(path)
        #expect(try storage.poll().isEmpty)
        #expect(try storage.tids().map(\.hex) == [first])

        let second = try python.tell("commit 1=changed")
        #expect(try storage.poll() == ["\(second) 1"])
        try python.tell("vote 1=never 2=never")
        #expect(try storage.poll().isEmpty)
        try python.tell("abort")
        #expect(try storage.poll().isEmpty)
        try python.tell("vote 3=three")
        #expect(try storage.poll().isEmpty)
        let third = try python.tell("finish")
        let fourth = try python.tell("undo")
        let fifth = try python.tell("delete 2")
        #expect(try storage.poll() == ["\(third) 3", "\(fourth) 3", "\(fifth) 2"])
        try expectSame(storage, python)

        try python.tell("commit 4=late")
        _ = try storage.poll()
        try python.tell("pack")
        let last = try python.tell("commit 1=afterwards 5=new")
        #expect(try storage.poll() == ["\(last) 1,5"])
        try expectSame(storage, python)

        // A newcomer, with the index that the pack wrote, sees the same.
        let newcomer = try LiveStorage(path)
        try expectSame(newcomer, python)
        #expect(try newcomer.tids() == storage.tids())
    }

    @Test("it commits while we read: every poll shows whole transactions, in order")
    func race() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("Data.fs")
        let python = try PythonWriter(path)
        try python.tell("commit 0=root")
        let storage = try LiveStorage(path)
        _ = try storage.poll()
        let writer = Thread {
            for round in 0..<200 { _ = try? python.tell("commit 1=\(round) 2=\(round) 3=\(round)") }
        }
        writer.start()
        var seen: [String] = []
        while !writer.isFinished {
            seen += try storage.poll()
            guard let last = try storage.tids().last, seen.count > 0 else { continue }
            let loads = (1...3).map { storage.load($0, at: last).split(separator: " ").first }
            #expect(Set(loads).count == 1)
        }
        seen += try storage.poll()
        #expect(seen.count == 200)
        #expect(seen.allSatisfy { $0.hasSuffix(" 1,2,3") })
        #expect(seen == seen.sorted())
    }
}

/// A FileStorage that answers in the words of `PythonWriter`.
private struct LiveStorage {
    private let storage: FileStorage

    init(_ path: String) throws { storage = try FileStorage(path) }

    func tids() throws -> [TransactionID] { try storage.transactions(from: .none, through: .latest).rest().map(\.tid) }

    /// Each new transaction as its tid and oids.
    func poll() throws -> [String] {
        try storage.poll().map { "\($0.tid.hex) \($0.oids.map { String($0.rawValue) }.joined(separator: ","))" }
    }

    func load(_ oid: UInt64, at tid: TransactionID) -> String {
        switch storage.load([ObjectID(rawValue: oid)], at: tid)[0] {
        case .success(let revision):
            let data = String(decoding: revision.data, as: UTF8.self)
            return "\(data) \(revision.serial.hex) \(revision.next?.hex ?? "-")"
        case .failure(.noSuchObject): return "missing"
        case .failure(.noRevision): return "none"
        case .failure(let error): return "\(error)"
        }
    }
}
