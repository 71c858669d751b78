import Synchronization
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("A disk that fails, a scan that is watched")
struct FailingDiskTests {
    /// Reads of a file, of which one fails.
    private func calls(failing number: Int) -> FileCalls {
        let count = Counter()
        return FileCalls { descriptor, buffer, offset in
            count.next() == number ? -5 : unsafe FileCalls.system.read(descriptor, buffer, offset)
        }
    }

    @Test("whichever read fails, the error is the disk's, and the next attempt succeeds")
    func everyRead() throws {
        let path = Samples.path("fs/undo.fs")
        var failed = 0
        for number in 0..<60 {
            do {
                let storage = try FileStorage(path, options: .init(), calls: calls(failing: number))
                do {
                    _ = try storage.lastTransaction()
                    _ = try storage.load(.root, at: .latest)
                    _ = try storage.history(of: .root, limit: 3)
                    _ = try storage.transactionLog().rest()
                    _ = try storage.currentRecords(from: .root).rest()
                } catch StorageError.io(let what, let number) {
                    #expect(number == 5)
                    #expect(what.hasPrefix(path))
                    failed += 1
                    #expect(try storage.load(.root, at: .latest).data.count == 162)
                    #expect(try storage.objectCount() == 6)
                }
            } catch StorageError.io(_, errno: 5) {
                failed += 1
            }
        }
        #expect(failed > 20)
    }

    @Test("reads that return less than asked, or are interrupted, are continued")
    func shortReads() throws {
        let count = Counter()
        let calls = FileCalls { descriptor, buffer, offset in
            guard count.next() % 3 != 0 else { return -4 }
            let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(7))
            return unsafe FileCalls.system.read(descriptor, part, offset)
        }
        let path = Samples.path("fs/zlib.fs")
        let slow = try FileStorage(path, options: .init(), calls: calls)
        let whole = try FileStorage(path)
        #expect(try slow.currentRecords(from: .root).rest() == whole.currentRecords(from: .root).rest())
        #expect(try slow.transactionLog().rest() == whole.transactionLog().rest())
    }

    @Test("a scan stops when it is interrupted, and can be done again")
    func interrupted() throws {
        let interruption = Interruption()
        let storage = try FileStorage(Samples.path("fs/zope5.fs"), options: .init(interruption: interruption))
        interruption.raise()
        #expect(throws: StorageError.interrupted) { try storage.load(.root, at: .latest) }
        #expect(throws: StorageError.interrupted) { try storage.scanRecords { (_, _, _) in } }
        // The log needs no scan.
        #expect(try storage.transactionLog().next() != nil)
        interruption.clear()
        #expect(try storage.objectCount() == 117)
    }

    @Test("a scan says what it does and how far it is")
    func progress() throws {
        let seen = Mutex<[ScanProgress]>([])
        var builder = FileBuilder()
        for index in 0..<40 { builder.transaction([.data(UInt64(index), String(repeating: "x", count: 20_000))]) }
        let path = try builder.write()
        let storage = try FileStorage(
            path, options: .init(progress: { progress in seen.withLock { $0.append(progress) } }))
        #expect(try storage.objectCount() == 40)
        let reports = seen.withLock { $0 }
        #expect(reports.count > 2)
        #expect(reports.allSatisfy { $0.task == "building the index of \(path)" && $0.total == builder.bytes.count })
        #expect(reports.map(\.done) == reports.map(\.done).sorted())
    }
}

private final class Counter: Sendable {
    private let value = Atomic(0)

    func next() -> Int { value.wrappingAdd(1, ordering: .relaxed).oldValue }
}
