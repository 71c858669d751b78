import Foundation
import Synchronization
import TestSupport
import Testing
import ZODB
import ZODBFile

/// A disk that fails, or loses its power, at a call chosen beforehand.
///
/// Of the data file it knows what is safe: everything as of the last flush. What was written since may be on the disk or
/// not after a power cut, each sector for itself.
final class FailingDisk: Sendable {
    enum Failure: CaseIterable, Sendable {
        /// The call does nothing and fails; later ones succeed.
        case once
        /// Half of a write is done before it fails; later ones succeed.
        case half
        /// From this call on all fail.
        case forEver
        /// From this call on all fail, and what was not flushed may be lost.
        case powerCut
    }

    private struct State {
        var calls = 0
        /// The data file as of the last flush, and what was done to it since.
        var safe: [UInt8]
        var pending: [Operation] = []
        var log: [String] = []
    }

    private enum Operation {
        case write(offset: Int, [UInt8])
        case truncate(Int)
    }

    private let path: String
    private let failingCall: Int
    private let failure: Failure
    private let state: Mutex<State>

    init(_ path: String, failing call: Int, _ failure: Failure) throws {
        self.path = path
        failingCall = call
        self.failure = failure
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        state = Mutex(State(safe: bytes))
    }

    var callCount: Int { state.withLock(\.calls) }
    var log: [String] { state.withLock(\.log) }

    /// Whether this call fails.
    private func fails(_ what: String, _ descriptor: Int32) -> Bool {
        state.withLock { state in
            defer { state.calls += 1 }
            state.log.append("\(what)\(isDataFile(descriptor) ? "" : " of another file")")
            return state.calls == failingCall
                || state.calls > failingCall && (failure == .forEver || failure == .powerCut)
        }
    }

    private func isDataFile(_ descriptor: Int32) -> Bool {
        var (mine, other) = (stat(), stat())
        return fstat(descriptor, &mine) == 0 && stat(path, &other) == 0 && mine.st_ino == other.st_ino
    }

    var calls: FileCalls {
        FileCalls(
            write: { descriptor, buffer, offset in
                var buffer = unsafe buffer
                if self.fails("write", descriptor) {
                    guard self.failure == .half, buffer.count > 1 else { return -5 }
                    unsafe buffer = UnsafeRawBufferPointer(rebasing: buffer.prefix(buffer.count / 2))
                    let count = unsafe FileCalls.systemWrite(descriptor, buffer, offset)
                    return count == buffer.count ? -28 : count
                }
                let bytes = unsafe [UInt8](buffer)
                if self.isDataFile(descriptor) {
                    self.state.withLock { $0.pending.append(.write(offset: offset, bytes)) }
                }
                return unsafe FileCalls.systemWrite(descriptor, buffer, offset)
            },
            sync: { descriptor in
                if self.fails("sync", descriptor) { return 5 }
                if self.isDataFile(descriptor), let data = FileManager.default.contents(atPath: self.path) {
                    self.state.withLock {
                        $0.safe = [UInt8](data)
                        $0.pending = []
                    }
                }
                return 0
            },
            truncate: { descriptor, size in
                if self.fails("truncate", descriptor) { return 5 }
                if self.isDataFile(descriptor) { self.state.withLock { $0.pending.append(.truncate(size)) } }
                return FileCalls.systemTruncate(descriptor, size)
            })
    }

    /// What the data file may hold when the power comes back.
    func afterPowerCut(_ generator: inout SeededGenerator) -> [UInt8] {
        let (safe, pending) = state.withLock { ($0.safe, $0.pending) }
        var bytes = safe
        let chance = [0, 20, 50, 80, 100].randomElement(using: &generator)!
        var size = bytes.count
        for operation in pending {
            switch operation {
            case .write(let offset, let data):
                size = max(size, offset + data.count)
                var place = offset
                while place < offset + data.count {
                    let end = min(offset + data.count, (place / 512 + 1) * 512)
                    if Int.random(in: 0..<100, using: &generator) < chance {
                        if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
                        bytes.replaceSubrange(place..<end, with: data[(place - offset)..<(end - offset)])
                    }
                    place = end
                }
            case .truncate(let count):
                size = count
                if Int.random(in: 0..<100, using: &generator) < chance { bytes = Array(bytes.prefix(count)) }
            }
        }
        // The length may be on the disk without the data.
        if size > bytes.count, Bool.random(using: &generator) {
            bytes += [UInt8](repeating: 0, count: size - bytes.count)
        }
        return bytes
    }
}

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
            let bytes = FileManager.default.contents(atPath: storage.name) ?? Data()
            let end = (try? storage.information().size) ?? 0
            tid = TransactionID(bytes: bytes[end..<end + 8])
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
