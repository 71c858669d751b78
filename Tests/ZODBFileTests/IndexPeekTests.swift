import Foundation
import Synchronization
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("Looking into an index without reading it")
struct IndexPeekTests {
    private static let objects: UInt64 = 20_000

    /// A file whose index is much larger than what a look into it takes.
    private func made() throws -> WritableFile {
        let file = try WritableFile()
        let storage = try file.open()
        let transaction = try storage.begin(.init())
        for oid in 0..<Self.objects {
            try transaction.store(Array("object \(oid)".utf8), for: ObjectID(rawValue: oid * 3), basedOn: .none)
        }
        _ = try transaction.vote()
        _ = try transaction.finish()
        try storage.commit([6: "changed"])
        storage.close()
        return file
    }

    private func counting(_ file: WritableFile) throws -> (storage: FileStorage, read: () -> Int) {
        let count = Counter()
        let calls = FileCalls(read: { descriptor, buffer, offset in
            let done = unsafe FileCalls.systemRead(descriptor, buffer, offset)
            count.add(max(0, done))
            return done
        })
        return (try FileStorage(file.path, options: .init(), calls: calls), { count.value })
    }

    @Test("the first few objects are found without the rest of the index, the same as with it")
    func few() throws {
        let file = try made()
        let (storage, read) = try counting(file)
        for oid: UInt64 in [0, 3, 6, 59_997, 30_000] {
            #expect(storage.text(oid) == (oid == 6 ? "changed" : "object \(oid / 3)"))
        }
        #expect(try storage.history(of: ObjectID(rawValue: 6), limit: 9).count == 2)
        #expect(read() < 100_000)
        // After that it is read as a whole, once.
        for oid in 0..<100 as Range<UInt64> { #expect(storage.text(oid * 3) != nil) }
        let all = read()
        #expect(all > Int(Self.objects) * 8)
        #expect(storage.text(30_003) == "object 10001")
        #expect(read() < all + 10_000)
    }

    @Test("what the look does not find, the whole index is asked for")
    func missing() throws {
        let file = try made()
        let (storage, read) = try counting(file)
        for oid: UInt64 in [1, 60_000, 1 << 40] {
            #expect(throws: StorageError.noSuchObject(ObjectID(rawValue: oid))) {
                try storage.load(ObjectID(rawValue: oid), at: .latest)
            }
        }
        #expect(read() > Int(Self.objects) * 8)
        #expect(try storage.objectCount() == Int(Self.objects))
    }

    @Test("what was committed behind the index is seen, before and after the look")
    func newer() throws {
        let file = try made()
        let index = try Data(contentsOf: URL(filePath: file.path + ".index"))
        let writer = try file.open()
        try writer.commit([9: "behind", 70_000: "new"])
        try index.write(to: URL(filePath: file.path + ".index"))
        let (storage, read) = try counting(file)
        #expect(storage.text(9) == "behind")
        #expect(storage.text(70_000) == "new")
        #expect(storage.text(12) == "object 4")
        #expect(read() < 100_000)
        try writer.commit([12: "later"])
        #expect(storage.text(12) == "object 4")
        #expect(try storage.poll().count == 1)
        #expect(storage.text(12) == "later")
        #expect(storage.text(9) == "behind")
    }
}

private final class Counter: Sendable {
    private let sum = Atomic(0)

    func add(_ count: Int) { sum.wrappingAdd(count, ordering: .relaxed) }
    var value: Int { sum.load(ordering: .relaxed) }
}
