import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ClientCache

/// Files that Python wrote, or that its historical implementation agreed with, and what is in them.
@Suite("Cache files of every generation")
struct SampleTests {
    static let rings = ["zodb38.zec", "zodb38-wrap.zec", "zeo6.zec", "zeo6-wrap.zec"]
    static let pairs = ["c1-zec0", "c1-zec1", "c1-zec2"]

    private static func number(_ value: JSONValue?) throws -> UInt64 {
        let text = try #require(value?.string)
        return try #require(UInt64(text, radix: 16))
    }

    @Test("a ring holds what Python says: revisions, free blocks, last tid, the place", arguments: rings)
    func ring(_ name: String) throws {
        let facts = try #require(try SampleData.json("expected/zeocache.json")[name])
        let survey = try CacheSurvey(of: SampleData.path("zeocache/" + name))
        #expect(survey.generation == "ZEC3")
        #expect(survey.problems == [])
        #expect(survey.lastTransaction == TransactionID(try Self.number(facts["last_tid"])))
        let objects = try #require(facts["objects"]?.elements)
        #expect(survey.entries.count == objects.count)
        for (entry, object) in zip(survey.entries, objects) {
            #expect(entry.oid == ObjectID(try Self.number(object["oid"])))
            #expect(entry.serial == TransactionID(try Self.number(object["start"])))
            #expect((entry.end ?? .none) == TransactionID(try Self.number(object["end"])))
            #expect(entry.offset == object["offset"]?.int)
            #expect(entry.size == object["len"]?.int)
            let text = String(decoding: try survey.data(of: entry).prefix(40), as: UTF8.self)
            #expect(text == object["data"]?.string)
        }
        let free = (facts["free"]?.elements ?? []).map { $0.elements.compactMap(\.int) }
        #expect(survey.freeBlocks == free.count)
        #expect(survey.freeBytes == free.reduce(0) { $0 + $1[1] })
        #expect(survey.place == free.first?[0])
    }

    @Test("the same calls write the same bytes as Python's", arguments: [("zeo6.zec", false), ("zeo6-wrap.zec", true)])
    func sameBytes(_ name: String, _ wraps: Bool) throws {
        let scratch = try Scratch()
        let file = try DataFile(scratch.path(), .creating(permissions: 0o600))
        try CacheRing.make(file, size: 4096)
        var ring = try CacheRing(opening: file, size: 4096)
        try ring.insert(revision("one, current", TransactionID(0x10)), ObjectID(1))
        try ring.insert(revision("two, first", TransactionID(0x10)), ObjectID(2))
        try ring.end(ObjectID(2), at: TransactionID(0x20))
        try ring.insert(revision("two, second", TransactionID(0x20)), ObjectID(2))
        try ring.insert(
            revision("three, only non-current", TransactionID(0x15), next: TransactionID(0x20)), ObjectID(3))
        try ring.insert(revision("four, dropped", TransactionID(0x20)), ObjectID(4))
        try ring.forget(ObjectID(4))
        try ring.move(to: TransactionID(0x20))
        if wraps {
            for number in 100..<130 {
                let text = String(repeating: "x", count: 200)
                try ring.insert(revision(text, TransactionID(0x30)), ObjectID(UInt64(number)))
            }
            try ring.move(to: TransactionID(0x30))
        }
        #expect(try scratch.bytes() == SampleData.bytes("zeocache/" + name))
    }

    @Test("of two files, which is written, what is valid, and the versions", arguments: pairs)
    func twoFiles(_ name: String) throws {
        let facts = try SampleData.json("expected/zeocache.json")
        for end in ["-0.zec", "-1.zec"] {
            let path = "two-file/" + name + end
            let expected = try #require(facts[path])
            let cache = try TwoFileCache(SampleData.path("zeocache/" + path))
            #expect(cache.problem == nil)
            #expect(cache.generation.name == expected["magic"]?.string)
            #expect(cache.lastTransaction?.hex == expected["last_tid"]?.string)
            let records = try #require(expected["records"]?.elements)
            #expect(cache.records.count == records.count)
            let bytes = try SampleData.bytes("zeocache/" + path)
            for (record, fact) in zip(cache.records, records) {
                #expect(record.oid == ObjectID(try Self.number(fact["oid"])))
                #expect(record.serial == TransactionID(try Self.number(fact["serial"])))
                #expect(record.offset == fact["offset"]?.int)
                #expect(String(UnicodeScalar(record.status)) == fact["status"]?.string)
                #expect(record.data.count == fact["len"]?.int)
                #expect(String(decoding: bytes[record.data].prefix(40), as: UTF8.self) == fact["data"]?.string)
                #expect(record.version?.name == fact["version"]?.string)
                if let version = record.version {
                    #expect(version.serial == TransactionID(try Self.number(fact["version_serial"])))
                    #expect(String(decoding: bytes[version.data], as: UTF8.self) == fact["version_data"]?.string)
                }
            }
        }
    }

    @Test("a survey of one of two files is one of both", arguments: pairs)
    func pair(_ name: String) throws {
        let survey = try CacheSurvey(of: SampleData.path("zeocache/two-file/\(name)-0.zec"))
        #expect(survey.files.map { $0.path.suffix(6) } == ["-0.zec", "-1.zec"])
        #expect(survey.problems == [])
        let plain = survey.entries.filter { $0.version == nil }
        // 2 was invalidated, 5 exists in a version only.
        #expect(Set(plain.map(\.oid.rawValue)) == [1, 3, 4, 6, 7])
        #expect(plain.count == 5)
        let versions = survey.entries.filter { $0.version != nil }
        #expect(Set(versions.map(\.oid.rawValue)) == [3, 5])
        #expect(survey.doubt != nil)
    }

    @Test(
        "damage of any byte is told or harmless, and nothing traps",
        arguments: rings + pairs.map { "two-file/\($0)-0.zec" })
    func damage(_ name: String) throws {
        let scratch = try Scratch()
        let bytes = try SampleData.bytes("zeocache/" + name)
        var random = RandomNumbers(seed: 7)
        for offset in stride(from: 0, to: min(bytes.count, 1100), by: 3) {
            var damaged = bytes
            damaged[offset] ^= UInt8.random(in: 1...255, using: &random)
            if offset.isMultiple(of: 7) { damaged.removeLast(min(damaged.count - 4, 1 + random.below(900))) }
            try scratch.write(damaged)
            guard let survey = try? CacheSurvey(of: scratch.path()) else { continue }
            for entry in survey.entries { #expect(try survey.data(of: entry).count == entry.size) }
        }
    }
}
