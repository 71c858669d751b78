import Synchronization
import TestSupport
import ZODB
import ZODBFile

@testable import ObjectGraph

/// A storage that notes what is asked of it.
final class CountingStorage: Storage {
    struct Loads: Sendable {
        var oids: [ObjectID] = []
        /// Calls: one for each single load, one for each batch.
        var calls = 0
    }

    private let base: any Storage
    private let log = Mutex(Loads())

    init(_ base: any Storage) { self.base = base }

    var loads: Loads { log.withLock { $0 } }
    func forget() { log.withLock { $0 = Loads() } }

    var name: String { base.name }
    func information() throws(StorageError) -> StorageInformation { try base.information() }
    func lastTransaction() throws(StorageError) -> TransactionID { try base.lastTransaction() }
    func close() { base.close() }

    func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
        log.withLock {
            $0.oids.append(oid)
            $0.calls += 1
        }
        return try base.load(oid, at: tid)
    }

    func load(_ oids: [ObjectID], at tid: TransactionID) -> [Result<Revision, StorageError>] {
        log.withLock {
            $0.oids += oids
            $0.calls += 1
        }
        return base.load(oids, at: tid)
    }
}

/// Records by hand, all of one transaction: for shapes that no Python would write.
final class HandmadeStorage: Storage {
    private let records: [ObjectID: [UInt8]]
    private let generation: PythonGeneration

    init(_ records: [UInt64: [UInt8]], _ generation: PythonGeneration = .python3) {
        self.records = Dictionary(uniqueKeysWithValues: records.map { (ObjectID(rawValue: $0), $1) })
        self.generation = generation
    }

    static let tid = TransactionID(rawValue: 0x0400_0000_0000_0001)
    let name = "handmade"
    func information() -> StorageInformation {
        StorageInformation(kind: "handmade", storageName: name, generation: generation)
    }
    func lastTransaction() -> TransactionID { Self.tid }
    func close() {}

    func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
        guard let data = records[oid] else { throw .noSuchObject(oid) }
        return Revision(data: data, serial: Self.tid, next: nil)
    }
}

enum Samples {
    static func workspace(_ name: String) throws -> Workspace {
        try Workspace(FileStorage(SampleData.path(name)))
    }
}

extension Cursor {
    /// All elements that are left, or as many as a test can want.
    func rest(limit: Int = 100_000) throws -> [Element] {
        var elements: [Element] = []
        while elements.count < limit, let element = try next() { elements.append(element) }
        return elements
    }
}

extension ObjectID {
    init?(hex: String) {
        guard let value = UInt64(hex, radix: 16) else { return nil }
        self.init(rawValue: value)
    }
}

/// The same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        // SplitMix64.
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
