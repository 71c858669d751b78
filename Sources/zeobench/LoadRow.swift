import Foundation
import ZODB
import ZODBFile

/// Loads of current revisions by random oids, from a file in the page cache: CPU for one, without touching the data.
struct LoadRow {
    enum Way: String, CaseIterable {
        case mapped = "withRevision, mapped"
        case notMapped = "withRevision, without a map"
        case loaded = "load"
    }

    static let size = 1100
    static let objects = 50_000
    private static let loads = 400_000

    /// Makes the file.
    static func make(_ path: String) throws {
        let storage = try FileStorage(path, options: .init(isWritable: true, newFileGeneration: .python3))
        defer { storage.close() }
        let data = [UInt8](repeating: 0x78, count: size)
        for first in stride(from: 0, to: objects, by: 500) {
            let transaction = try storage.begin(.init())
            for oid in first..<first + 500 {
                try transaction.store(data, for: ObjectID(rawValue: UInt64(oid)), basedOn: .none)
            }
            _ = try transaction.vote()
            _ = try transaction.finish()
        }
    }

    /// - Returns: nanoseconds of CPU time for a load.
    static func measure(_ way: Way, _ path: String) throws -> Double {
        var options = FileStorage.Options(isWritable: true)
        options.mapsFile = way == .mapped
        let storage = try FileStorage(path, options: options)
        defer { storage.close() }
        var bytes = 0
        func load(_ count: Int) throws {
            var state: UInt64 = 1
            for _ in 0..<count {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let oid = ObjectID(rawValue: (state >> 33) % UInt64(objects))
                if way == .loaded {
                    bytes += try storage.load(oid, at: .latest).data.count
                } else {
                    bytes += try storage.withRevision(oid, before: .latest) { data, _, _ in data.byteCount }
                }
            }
        }
        // Every page has been touched once: what a page costs the first time is the system's.
        for oid in 0..<objects {
            let oid = ObjectID(rawValue: UInt64(oid))
            _ = try storage.withRevision(oid, before: .latest) { data, _, _ in data.byteCount }
        }
        let start = clock()
        try load(loads)
        let used = Double(clock() - start) / Double(CLOCKS_PER_SEC)
        guard bytes == loads * size else { throw POSIXError(.EIO) }
        return used / Double(loads) * 1e9
    }
}
