import Foundation
import Pickle
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

/// Several writers and one `Length`, one bucket. `ZEOSHELL_RACE_SECONDS=60` for the long version.
@Suite("Races", .serialized)
struct RaceTests {
    static let seconds = ProcessInfo.processInfo.environment["ZEOSHELL_RACE_SECONDS"].flatMap(Double.init) ?? 2
    /// Each writer keeps so many keys of its own.
    static let keys = 40

    @Test("two of our clients and one of Python's lose no update", arguments: ServerKind.newest)
    func race(_ kind: ServerKind) throws {
        // The task's use of it and ours do not touch what changes in it.
        nonisolated(unsafe) let server = try kind.serve()
        let words = try server.client(
            """
            from BTrees.Length import Length
            from BTrees.IOBTree import IOBucket
            from binascii import hexlify
            root['length'], root['bucket'] = Length(0), IOBucket({-1: None})
            transaction.commit()
            for value in root['length']._p_oid, root['bucket']._p_oid:
                print(hexlify(value).decode())
            """
        ).split(whereSeparator: \.isWhitespace).map(String.init)
        let (length, bucket) = (try ObjectID(hex: words[0]), try ObjectID(hex: words[1]))
        let end = Date().addingTimeInterval(Self.seconds)
        let python = Background {
            try server.client(
                """
                import time, ZODB.POSException
                count = conflicts = 0
                while time.time() < \(end.timeIntervalSince1970) or not count:
                    try:
                        transaction.begin()
                        root['length'].change(1)
                        root['bucket'][3000000 + count] = None
                        if count >= \(Self.keys):
                            del root['bucket'][3000000 + count - \(Self.keys)]
                        transaction.commit()
                        count += 1
                    except ZODB.POSException.ConflictError:
                        transaction.abort()
                        conflicts += 1
                print(count, conflicts)
                """)
        }
        let writers = try (1...2).map { number in
            try Writer(server.connect(writable: true), length, bucket, firstKey: number * 1_000_000)
        }
        for writer in writers { writer.run(until: end) }
        let counts = try writers.map { try $0.result() }
        let told = try python.result()
            .split { !$0.isNumber }.compactMap { Int($0) }
        let pythonCount = try #require(told.first)
        #expect(counts.allSatisfy { $0 > 0 })
        let expected = [(1_000_000, counts[0]), (2_000_000, counts[1]), (3_000_000, pythonCount)].flatMap {
            (first, count) in (max(0, count - Self.keys)..<count).map { first + $0 }
        }
        let found = try server.client("print(root['length']()); print(' '.join(map(str, root['bucket'].keys())))")
            .split(separator: "\n")
        #expect(Int(found[0]) == counts.reduce(pythonCount, +))
        #expect(found[1].split(separator: " ").compactMap { Int($0) } == [-1] + expected)
    }
}

/// Increments the number and inserts a key, removing an old one, over and over.
private final class Writer: @unchecked Sendable {
    private let storage: ZEOClientStorage
    private let length: ObjectID, bucket: ObjectID
    private let firstKey: Int
    private let done = DispatchSemaphore(value: 0)
    // Written by the thread, read after `done`.
    private var count = 0
    private var error: (any Error)?

    init(_ storage: ZEOClientStorage, _ length: ObjectID, _ bucket: ObjectID, firstKey: Int) {
        (self.storage, self.length, self.bucket, self.firstKey) = (storage, length, bucket, firstKey)
    }

    func run(until end: Date) {
        Thread.detachNewThread { [self] in
            do {
                while Date() < end || count == 0 {
                    do {
                        try commit()
                        count += 1
                    } catch StorageError.conflict {
                        continue
                    }
                }
            } catch {
                self.error = error
            }
            done.signal()
        }
    }

    func result() throws -> Int {
        done.wait()
        if let error { throw error }
        return count
    }

    private func commit() throws {
        let at = try storage.lastTransaction()
        let view = try storage.load([length, bucket], at: at).map { try $0.get() }
        let records = try zip([length, bucket], view).map { try ObjectRecord($1, oid: $0) }
        let number = try #require(try integers(records[0], view[0]).first)
        var keys = Set(try integers(records[1], view[1]))
        keys.insert(firstKey + count)
        keys.remove(firstKey + count - RaceTests.keys)
        let state = "((" + keys.sorted().map { "I\($0)\nN" }.joined() + "tt."
        let transaction = try storage.begin(.plain)
        try transaction.store(
            try classPickle(view[0]) + Array("I\(number + 1)\n.".utf8), for: length, basedOn: view[0].serial)
        try transaction.store(try classPickle(view[1]) + Array(state.utf8), for: bucket, basedOn: view[1].serial)
        do {
            _ = try transaction.vote()
            _ = try transaction.finish()
        } catch {
            transaction.abort()
            throw error
        }
    }

    private func classPickle(_ revision: Revision) throws -> [UInt8] {
        Array(revision.data[..<(try PickleDocument(revision.data, .one).end)])
    }

    /// The number itself; the keys of a bucket.
    private func integers(_ record: ObjectRecord, _ revision: Revision) throws -> [Int] {
        func integer(_ slot: PickleDocument.Slot) -> Int? {
            if case .integer(let value) = record.document[slot] { Int(value.description) } else { nil }
        }
        if let number = integer(record.stateSlot) { return [number] }
        guard case .tuple(let state) = record.document[record.stateSlot], let items = state.first,
            case .tuple(let slots) = record.document[items]
        else { throw CancellationError() }
        return stride(from: 0, to: slots.count, by: 2).compactMap { integer(slots[$0]) }
    }
}
