import Foundation
import Synchronization
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("A disk that fails while transactions are on their way to it")
struct PipelinedFailureTests {
    /// What became of a life with such a disk.
    private struct Life: Sendable {
        /// Accepted, in order, with what they stored.
        var accepted: [(tid: TransactionID, objects: [UInt64: String])] = []
        /// Those of which success was told.
        var acknowledged: [TransactionID] = []
        var errors = 0
    }

    /// Commits small and large without waiting, aborts now and then, and closes.
    private func live(_ path: String, _ disk: FailingDisk) throws -> Life {
        let told = Mutex(Life())
        let storage: FileStorage
        do throws(StorageError) {
            storage = try FileStorage(path, options: .init(isWritable: true), calls: disk.calls)
        } catch {
            return Life(errors: 1)
        }
        var accepted: [(tid: TransactionID, objects: [UInt64: String])] = []
        var serials: [UInt64: TransactionID] = [:]
        for round in 0..<14 {
            var objects: [UInt64: String] = [:]
            for oid in 0..<UInt64(1 + round % 3) {
                objects[100 + oid] = String(repeating: "\(round % 10)", count: round % 4 == 2 ? 1400 : 20 + round * 31)
            }
            do throws(StorageError) {
                guard let transaction = try storage.begin(.init()) as? any PipelinedTransaction else { break }
                defer { transaction.abort() }
                for (oid, data) in objects.sorted(by: { $0.key < $1.key }) {
                    try transaction.store(
                        Array(data.utf8), for: ObjectID(rawValue: oid), basedOn: serials[oid] ?? .none)
                }
                _ = try transaction.vote()
                if round % 5 == 3 { continue }
                try transaction.finish(
                    publish: { _ in },
                    completion: { result in
                        told.withLock { life in
                            switch result {
                            case .success(let tid): life.acknowledged.append(tid)
                            case .failure: life.errors += 1
                            }
                        }
                    })
                accepted.append((transaction.tid, objects))
                for oid in objects.keys { serials[oid] = transaction.tid }
            } catch {
                told.withLock { $0.errors += 1 }
            }
            // Now and then the disk comes after.
            if round == 6 { _ = try? storage.begin(.init()).vote() }
            if round == 9 { _ = try? storage.commit([7: "waited for"]) }
        }
        storage.close()
        return told.withLock { life in
            life.accepted = accepted
            return life
        }
    }

    /// The new transactions, without those that were waited for.
    private func found(_ storage: FileStorage, after old: Int) throws -> [TransactionID: [UInt64: String]] {
        var found: [TransactionID: [UInt64: String]] = [:]
        for summary in try storage.transactions(from: .none, through: .latest).rest().dropFirst(old) {
            let records = try storage.records(of: summary.tid).records.rest()
            found[summary.tid] = Dictionary(
                records.map { ($0.oid.rawValue, String(decoding: $0.data ?? [], as: UTF8.self)) },
                uniquingKeysWith: { $1 })
        }
        return found.filter { $0.value.keys.contains { $0 >= 100 } }
    }

    /// The file holds what it held and a beginning of what was accepted, at least what was acknowledged.
    private func expectSound(_ path: String, _ life: Life, _ old: [TransactionID], _ what: String) throws {
        // For readers too, who change nothing.
        let reader = try FileStorage(path)
        let seen = try found(reader, after: old.count)
        let last = try reader.lastTransaction()
        #expect(try reader.transactionLog().rest().first?.tid ?? .none == last, "\(what)")
        _ = try reader.objectCount()

        let storage = try FileStorage(path, options: .init(isWritable: true))
        #expect(try storage.lastTransaction() == last, "\(what)")
        #expect(try storage.transactions(from: .none, through: .latest).rest().map(\.tid).starts(with: old), "\(what)")
        let found = try found(storage, after: old.count)
        #expect(found == seen, "\(what)")
        for (number, transaction) in life.accepted.enumerated() {
            #expect(found[transaction.tid] == (number < found.count ? transaction.objects : nil), "\(what): \(number)")
        }
        #expect(found.count <= life.accepted.count, "\(what)")
        for tid in life.acknowledged { #expect(found[tid] != nil, "\(what): \(tid) is lost") }
        // And it can be written to again.
        try storage.commit([1: "afterwards"])
        storage.close()
        #expect(try FileStorage(path, options: .init(ignoresIndexFile: true)).text(1) == "afterwards", "\(what)")
    }

    private static let sample = "fs/undo.fs"
    /// More calls than a life makes.
    private static let mostCalls = 90

    private func old() throws -> [TransactionID] {
        try FileStorage(Samples.path(Self.sample)).transactions(from: .none, through: .latest).rest().map(\.tid)
    }

    @Test(
        "whichever call fails, what was told is there, and a beginning of the rest",
        arguments: [FailingDisk.Failure.once, .half, .forEver])
    func everyCall(failure: FailingDisk.Failure) throws {
        let (bytes, old) = (try SampleData.bytes(Self.sample), try old())
        var failed = 0
        for call in 0..<Self.mostCalls {
            let directory = try TemporaryDirectory()
            let path = try directory.write(bytes)
            let disk = try FailingDisk(path, failing: call, failure)
            let life = try live(path, disk)
            if life.errors > 0 { failed += 1 }
            try expectSound(path, life, old, "\(failure) at call \(call)")
            guard disk.callCount > call else { break }
        }
        #expect(failed > 10)
    }

    @Test("when the power goes at any call, whatever part of the last writes is on the disk")
    func powerCut() throws {
        let (bytes, old) = (try SampleData.bytes(Self.sample), try old())
        var generator = SeededGenerator.announced("power cut in a pipeline")
        var repaired: [String] = []
        var lost = 0
        let repairedDirectory = try TemporaryDirectory()
        for call in 0..<Self.mostCalls {
            let directory = try TemporaryDirectory()
            let path = try directory.write(bytes)
            let disk = try FailingDisk(path, failing: call, .powerCut)
            let life = try live(path, disk)
            lost += life.accepted.count - life.acknowledged.count
            for variant in 0..<8 {
                let path = try repairedDirectory.write(disk.afterPowerCut(&generator), to: "\(call)-\(variant).fs")
                try expectSound(path, life, old, "power cut at call \(call), variant \(variant)")
                if variant % 4 == 0 { repaired.append(path) }
            }
            guard disk.callCount > call else { break }
        }
        // There were pipelines to be cut.
        #expect(lost > 20)
        guard PythonPeer.zeo6.isReady else { return }
        // Python takes each of them as it is.
        let code =
            PythonJudge.prelude + """
                for path in sys.argv[1:]:
                    fs = FileStorage(path)
                    print(hashlib.sha1(fs.load(p64(1))[0]).hexdigest(), len(tids(fs)))
                    fs.close()
                """
        let answers = try PythonPeer.zeo6.run(code, repaired).split(separator: "\n").map(String.init)
        let expected = try repaired.map { path in
            let count = try FileStorage(path).transactions(from: .none, through: .latest).rest().count
            return "\(sha1(Array("afterwards".utf8))) \(count)"
        }
        #expect(answers == expected)
    }

    @Test("marks that reached the disk before an older one's count for nothing", arguments: [0, 1, 5, 62])
    func outOfOrder(between: Int) throws {
        var builder = FileBuilder()
        let first = builder.transaction([.data(0, "root")])
        let end = builder.bytes.count
        builder.transaction([.data(1, "unfinished")], status: "c")
        for number in 0..<between {
            builder.transaction([.data(UInt64(number), "between")], status: number % 2 == 0 ? " " : "c")
        }
        builder.transaction([.data(1, "last")])
        let path = try builder.write()
        let reader = try FileStorage(path)
        #expect(try reader.lastTransaction() == first)
        #expect(try reader.transactionLog().rest().map(\.tid) == [first])
        #expect(try reader.objectCount() == 1)
        let storage = try FileStorage(path, options: .init(isWritable: true))
        #expect(try storage.information().size == end)
        try storage.commit([1: "next"])
        storage.close()
        #expect(try FileStorage(path).transactionLog().rest().count == 2)
        let rescued = try Data(contentsOf: URL(filePath: path + ".tr0"))
        #expect([UInt8](rescued) == Array(builder.bytes[end...]))
    }

    @Test("a lost head before whole transactions that were not finished is an end; before finished ones it is damage")
    func lostHead() throws {
        for status: Unicode.Scalar in ["c", " "] {
            var builder = FileBuilder()
            let first = builder.transaction([.data(0, "root")])
            let place = builder.bytes.count
            builder.transaction([.data(1, "lost")], status: "c")
            builder.transaction([.data(2, "whole")], status: status)
            builder.transaction([.data(3, "whole")], status: "c")
            var bytes = builder.bytes
            bytes.replaceSubrange(place..<place + 23, with: repeatElement(0, count: 23))
            let directory = try TemporaryDirectory()
            let path = try directory.write(bytes)
            if status == "c" {
                #expect(try FileStorage(path).lastTransaction() == first)
                #expect(try FileStorage(path, options: .init(isWritable: true)).lastTransaction() == first)
            } else {
                #expect(throws: StorageError.self) { try FileStorage(path, options: .init(isWritable: true)) }
            }
        }
    }
}
