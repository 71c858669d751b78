import Testing
import ZODB
import ZODBFile

@Suite("The index")
struct FileIndexTests {
    /// Oids as databases and attackers have them.
    static func oids(_ kind: String, _ random: inout SeededGenerator) -> [UInt64] {
        switch kind {
        case "dense": Array(0..<5000)
        case "dense, backwards": (0..<5000).reversed()
        case "sparse": (0..<2000).map { $0 * 331 }
        case "near the limit of a sparse page": (380..<390).flatMap { count in (0..<count).map { count * 1024 + $0 } }
        case "two databases merged": Array(0..<2000) + (0..<2000).map { $0 + 1 << 40 }
        case "random": (0..<3000).map { _ in UInt64.random(in: 0 ... .max, using: &random) }
        case "growing gaps": (0..<64).flatMap { shift in (0..<20).map { (1 << shift) &+ $0 } } + [.max, .max - 1]
        default: (0..<4000).map { _ in UInt64.random(in: 0...6000, using: &random) }
        }
    }

    @Test(
        "holds what a dictionary would hold, and gives it back in order",
        arguments: [
            "dense", "dense, backwards", "sparse", "near the limit of a sparse page", "two databases merged", "random",
            "growing gaps", "overwritten",
        ])
    func likeDictionary(kind: String) {
        var random = SeededGenerator(seed: 11)
        var index = FileIndex()
        var expected: [ObjectID: Int] = [:]
        for raw in Self.oids(kind, &random) {
            let oid = ObjectID(rawValue: raw)
            let position = Int.random(in: 1..<1 << 48, using: &random)
            index.set(oid, to: position)
            expected[oid] = position
        }
        #expect(index.count == expected.count)
        #expect(index.largest == expected.keys.max())
        for (oid, position) in expected { #expect(index.position(of: oid) == position) }
        for _ in 0..<1000 {
            let oid = ObjectID(rawValue: UInt64.random(in: 0...10_000_000, using: &random))
            #expect(index.position(of: oid) == expected[oid])
        }
        let sorted = expected.keys.sorted()
        for first in [.root, sorted[sorted.count / 2], ObjectID(rawValue: sorted[sorted.count / 3].rawValue &+ 1)] {
            var entries = index.entries(from: first)
            var found: [ObjectID] = []
            while let entry = entries.next() {
                #expect(entry.position == expected[entry.oid])
                found.append(entry.oid)
            }
            #expect(found == sorted.filter { $0 >= first })
        }
        var past = index.entries(from: ObjectID(rawValue: .max))
        #expect(past.next()?.oid == (sorted.last?.rawValue == .max ? sorted.last : nil))
    }
}
