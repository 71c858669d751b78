import ByteCoding
import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

/// `expected/index.json`: what every `.index` of a database means.
struct IndexFacts: Decodable {
    var pos: Int
    var entries: Int
    var largest: String
    var sum: Int
    var some: [String: Int]

    enum CodingKeys: String, CodingKey {
        case pos, entries, some
        case largest = "max_oid"
        case sum = "sum_of_positions"
    }

    static func of(_ database: String) throws -> IndexFacts {
        let all: [String: IndexFacts] = try Samples.expected("index")
        return try #require(all["\(database).fs"])
    }
}

@Suite("Index files")
struct IndexFileTests {
    /// Every form of index in the samples: database, and what is behind its name.
    static let allForms = [
        ("index-zodb38", ".index"), ("index-zodb38", ".index-dict"), ("index-zodb38", ".index-dictdata"),
        ("index-zodb310", ".index"), ("index-zodb310", ".index-state1"), ("index-zodb6", ".index"),
    ]

    /// A copy of a sample database, with an index or without.
    private func copy(_ database: String, index: [UInt8]?) throws -> (FileStorage, TemporaryDirectory) {
        let directory = try TemporaryDirectory()
        let path = try directory.write(SampleData.bytes("index/\(database).fs"))
        if let index { _ = try directory.write(index, to: "Data.fs.index") }
        return (try FileStorage(path), directory)
    }

    private func origin(_ storage: FileStorage) throws -> String {
        try storage.information().details.first { $0.name == "index" }?.value ?? ""
    }

    @Test("every form that ZODB ever wrote means the same map", arguments: allForms)
    func forms(database: String, suffix: String) throws {
        let facts = try IndexFacts.of(database)
        let outcome = try IndexFile.read(Samples.path("index/\(database).fs\(suffix)"))
        guard case .index(let index, let position) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(position == facts.pos)
        #expect(index.count == facts.entries)
        #expect(index.largest?.hex == facts.largest)
        var entries = index.entries()
        var sum = 0
        while let entry = entries.next() { sum += entry.position }
        #expect(sum == facts.sum)
        for (oid, position) in facts.some { #expect(index.position(of: ObjectID(hex: oid)) == position) }
    }

    @Test("a storage uses each of them, and a scan finds the same", arguments: allForms)
    func used(database: String, suffix: String) throws {
        let bytes = try SampleData.bytes("index/\(database).fs\(suffix)")
        let (storage, directory) = try copy(database, index: bytes)
        let (scanned, other) = try copy(database, index: nil)
        #expect(try origin(storage).hasSuffix("up to offset \(IndexFacts.of(database).pos)"))
        #expect(try origin(scanned).hasPrefix("by a scan"))
        #expect(try storage.objectCount() == scanned.objectCount())
        let records = try storage.currentRecords(from: .root).rest()
        #expect(records.count == 322)
        #expect(try records == scanned.currentRecords(from: .root).rest())
        withExtendedLifetime((directory, other)) {}
    }

    @Test("an index older than the file is used, and the rest of the file scanned")
    func older() throws {
        let (storage, directory) = try copy("index-zodb6", index: SampleData.bytes("index/index-zodb6.fs.index"))
        var builder = FileBuilder(continuing: try SampleData.bytes("index/index-zodb6.fs"))
        let start = builder.bytes.count
        builder.transaction([.data(5, "new")])
        _ = try directory.write(builder.bytes)
        let longer = try FileStorage(storage.name)
        #expect(try longer.load(ObjectID(rawValue: 5), at: .latest).data == Array("new".utf8))
        #expect(try longer.objectCount() == 322)
        #expect(try origin(longer).hasSuffix("up to offset \(start)"))
    }

    @Test(
        "an index that the file contradicts is not used",
        arguments: [
            ("of another database", "index-zodb310", 0), ("of a longer file", "index-zodb6", 500),
            ("of a file cut within its last transaction", "index-zodb6", 1),
        ])
    func contradicted(what: String, index: String, cut: Int) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write(SampleData.bytes("index/index-zodb6.fs").dropLast(cut))
        _ = try directory.write(SampleData.bytes("index/\(index).fs.index"), to: "Data.fs.index")
        let storage = try FileStorage(path)
        #expect(try origin(storage).hasPrefix("by a scan"), "\(what)")
        #expect(try storage.objectCount() >= 321)
    }

    @Test("a position moved to another object's record is noticed, at the latest when that object is loaded")
    func wrongPosition() throws {
        let index = try SampleData.bytes("index/index-zodb6.fs.index")
        // 321 suffixes, then as many positions of 6 bytes; the bucket begins behind its prefix and length.
        let bucket = 6 + 10 + 5
        for place in stride(from: 0, to: 320, by: 23) {
            var damaged = index
            let positions = bucket + 321 * 2
            for byte in 0..<6 { damaged[positions + place * 6 + byte] = index[positions + (place + 1) * 6 + byte] }
            let (storage, directory) = try copy("index-zodb6", index: damaged)
            let (scanned, other) = try copy("index-zodb6", index: nil)
            let oid = ObjectID(rawValue: UInt64(place))
            #expect(try storage.load(oid, at: .latest) == scanned.load(oid, at: .latest))
            #expect(try origin(storage).hasPrefix("by a scan"))
            withExtendedLifetime((directory, other)) {}
        }
    }

    @Test("cut off at any byte, an index is not used", arguments: allForms)
    func truncated(database: String, suffix: String) throws {
        let bytes = try SampleData.bytes("index/\(database).fs\(suffix)")
        let directory = try TemporaryDirectory()
        for count in stride(from: 0, to: bytes.count, by: suffix == ".index" && database != "index-zodb38" ? 1 : 37) {
            let path = try directory.write(Array(bytes.prefix(count)), to: "index")
            guard case .unusable = try IndexFile.read(path) else {
                Issue.record("an index of \(count) bytes was read")
                return
            }
        }
        #expect(bytes.count > 1000)
    }

    @Test(
        "with any byte changed, an index does no harm: right revisions, or an object is not found", arguments: allForms)
    func changed(database: String, suffix: String) throws {
        let bytes = try SampleData.bytes("index/\(database).fs\(suffix)")
        let (scanned, other) = try copy(database, index: nil)
        let revisions = try scanned.currentRecords(from: .root).rest()
        var random = SeededGenerator(seed: 7)
        for _ in 0..<150 {
            var damaged = bytes
            damaged[Int.random(in: 0..<bytes.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
            let (storage, directory) = try copy(database, index: damaged)
            for record in revisions.shuffled(using: &random).prefix(12) {
                switch storage.load([record.oid], at: .latest)[0] {
                case .success(let revision): #expect(revision == record.revision)
                // Its entry has another oid now.
                case .failure(let error): #expect(error == .noSuchObject(record.oid))
                }
            }
            withExtendedLifetime(directory) {}
        }
        withExtendedLifetime(other) {}
    }

    @Test("an index that is no file, or may not be read, is as good as none")
    func unreadable() throws {
        let (storage, directory) = try copy("index-zodb6", index: nil)
        try FileManager.default.createDirectory(
            atPath: directory.file("Data.fs.index"), withIntermediateDirectories: false)
        #expect(try storage.objectCount() == 322)
    }
}

/// A generator of the same numbers every time.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        // SplitMix64.
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}

extension SeededGenerator {
    /// A generator whose seed is another each time, and printed; `ZEOSHELL_TEST_SEED` gives one of before.
    static func announced(_ what: String) -> SeededGenerator {
        let given = ProcessInfo.processInfo.environment["ZEOSHELL_TEST_SEED"].flatMap { UInt64($0) }
        let seed = given ?? UInt64.random(in: 1..<1_000_000)
        print("\(what): seed \(seed)")
        return SeededGenerator(seed: seed)
    }
}
