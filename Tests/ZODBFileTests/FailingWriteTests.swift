import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("A disk that fails while it is written to")
struct FailingWriteTests {
    /// What became of a life with such a disk.
    private struct Life {
        /// Objects of each transaction that was acknowledged.
        var acknowledged: [TransactionID: [UInt64: String]] = [:]
        /// The transaction whose commit failed, if it failed so that it may have happened.
        var uncertain: [TransactionID: [UInt64: String]] = [:]
        var errors: [StorageError] = []
    }

    /// Opens, commits small and large, aborts, undoes, goes on after an error as far as it can, and closes.
    private func live(_ path: String, _ disk: FailingDisk) throws -> Life {
        var life = Life()
        var options = FileStorage.Options(isWritable: true)
        options.stagingLimit = 2000
        let storage: FileStorage
        do throws(StorageError) {
            storage = try FileStorage(path, options: options, calls: disk.calls)
        } catch {
            life.errors.append(error)
            return life
        }
        for round in 0..<6 {
            var objects: [UInt64: String] = [:]
            for oid: UInt64 in 0..<UInt64(1 + round % 3 * 4) {
                let length = round % 3 == 2 ? 700 : 20 + round * 61
                objects[100 + oid + UInt64(round % 2)] = String(repeating: "\(round)", count: length)
            }
            attempt(storage, round, objects, &life)
        }
        storage.close()
        return life
    }

    private func attempt(_ storage: FileStorage, _ round: Int, _ objects: [UInt64: String], _ life: inout Life) {
        var tid: TransactionID?
        do throws(StorageError) {
            let transaction = try storage.begin(.init(description: Array("round \(round)".utf8)))
            defer { transaction.abort() }
            for (oid, data) in objects.sorted(by: { $0.key < $1.key }) {
                let oid = ObjectID(rawValue: oid)
                try transaction.store(Array(data.utf8), for: oid, basedOn: storage.serial(oid))
            }
            _ = try transaction.vote()
            if round == 3 { return }
            tid = (transaction as? any PipelinedTransaction)?.tid
            life.acknowledged[try transaction.finish()] = objects
        } catch {
            life.errors.append(error)
            if let tid { life.uncertain[tid] = objects }
        }
    }

    /// The file holds what it held, each acknowledged transaction, and of the others all or nothing.
    private func expectSound(_ path: String, _ life: Life, _ old: [TransactionID], _ what: String) throws {
        let storage = try FileStorage(path, options: .init(isWritable: true))
        var left = life.acknowledged
        for summary in try storage.transactions(from: .none, through: .latest).rest().dropFirst(old.count) {
            let objects = left.removeValue(forKey: summary.tid) ?? life.uncertain[summary.tid]
            let records = try storage.records(of: summary.tid).records.rest()
            let found = Dictionary(
                records.map { ($0.oid.rawValue, String(decoding: $0.data ?? [], as: UTF8.self)) },
                uniquingKeysWith: { $1 })
            #expect(found == objects, "\(what): \(summary.tid)")
        }
        #expect(left.isEmpty, "\(what): lost")
        #expect(try storage.transactions(from: .none, through: .latest).rest().map(\.tid).starts(with: old), "\(what)")
        // And it can be written to again.
        try storage.commit([1: "afterwards"])
        #expect(storage.text(1) == "afterwards")
        storage.close()
        #expect(
            try FileStorage(path, options: .init(ignoresIndexFile: true)).load(ObjectID(rawValue: 1), at: .latest).data
                == Array("afterwards".utf8))
    }

    private static let sample = "fs/undo.fs"
    /// More calls than a life makes.
    private static let mostCalls = 60

    @Test(
        "whichever call fails, no acknowledged transaction is lost and none is there in part",
        arguments: [FailingDisk.Failure.once, .half, .forEver])
    func everyCall(failure: FailingDisk.Failure) throws {
        let bytes = try SampleData.bytes(Self.sample)
        let old = try FileStorage(Samples.path(Self.sample)).transactions(from: .none, through: .latest).rest().map(
            \.tid)
        var failed = 0
        for call in 0..<Self.mostCalls {
            let directory = try TemporaryDirectory()
            let path = try directory.write(bytes)
            let disk = try FailingDisk(path, failing: call, failure)
            let life = try live(path, disk)
            if !life.errors.isEmpty { failed += 1 }
            try expectSound(path, life, old, "\(failure) at call \(call)")
            guard disk.callCount > call else { break }
            #expect(call < Self.mostCalls - 1, "more calls than expected: \(disk.log)")
        }
        #expect(failed > 10)
    }

    @Test("after a failed flush nothing more is written, and the storage says why")
    func failedFlush() throws {
        let directory = try TemporaryDirectory()
        func life(_ name: String, failing call: Int) throws -> (FileStorage, FailingDisk, StorageError?) {
            let path = try directory.write(SampleData.bytes(Self.sample), to: name)
            let disk = try FailingDisk(path, failing: call, .once)
            let storage = try FileStorage(path, options: .init(isWritable: true), calls: disk.calls)
            for round in 0..<3 {
                do {
                    try storage.commit([100: "round \(round)"])
                } catch let error as StorageError {
                    return (storage, disk, error)
                }
            }
            return (storage, disk, nil)
        }
        let whole = try life("whole.fs", failing: .max).1.log
        let flushes = whole.indices.filter { whole[$0] == "sync" }
        #expect(flushes.count == 6)
        for call in flushes {
            let (storage, _, error) = try life("\(call).fs", failing: call)
            #expect("\(String(describing: error))".contains("flushing"))
            let before = try Data(contentsOf: URL(filePath: storage.name))
            let refusal = #expect(throws: StorageError.self) { try storage.commit([100: "more"]) }
            #expect("\(String(describing: refusal))".contains("closed for writing, since the disk failed"))
            let information = try storage.information().details
            #expect(information.contains { $0.name == "writing" && $0.value.contains("flushing") })
            // Reading goes on.
            #expect(try storage.load(.root, at: .latest).data.count == 162)
            storage.close()
            #expect(try Data(contentsOf: URL(filePath: storage.name)) == before)
        }
    }

    @Test("when the power goes at any call, whatever part of the last writes is on the disk")
    func powerCut() throws {
        let bytes = try SampleData.bytes(Self.sample)
        let old = try FileStorage(Samples.path(Self.sample)).transactions(from: .none, through: .latest).rest().map(
            \.tid)
        var generator = SeededGenerator.announced("power cut")
        var repaired: [String] = []
        let repairedDirectory = try TemporaryDirectory()
        for call in 0..<Self.mostCalls {
            let directory = try TemporaryDirectory()
            let path = try directory.write(bytes)
            let disk = try FailingDisk(path, failing: call, .powerCut)
            let life = try live(path, disk)
            for variant in 0..<10 {
                let image = disk.afterPowerCut(&generator)
                let path = try repairedDirectory.write(image, to: "\(call)-\(variant).fs")
                try expectSound(path, life, old, "power cut at call \(call), variant \(variant)")
                if variant % 3 == 0 { repaired.append(path) }
            }
            guard disk.callCount > call else { break }
        }
        #expect(repaired.count > 80)
        guard PythonPeer.zeo6.isReady else { return }
        // Python takes each of them as it is.
        let code =
            PythonJudge.prelude + """
                for path in sys.argv[1:]:
                    fs = FileStorage(path)
                    print(hashlib.sha1(fs.load(p64(1))[0]).hexdigest())
                    fs.close()
                """
        let answers = try PythonPeer.zeo6.run(code, repaired).split(separator: "\n").map(String.init)
        #expect(answers == repaired.map { _ in sha1(Array("afterwards".utf8)) })
    }
}
