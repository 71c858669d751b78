import Testing
import Verification
import ZODB

@Suite("Sets of oids")
struct ObjectSetTests {
    @Test("A set has what was put into it, wherever on the 64 bits it lies, and gives it in order.")
    func holdsOIDs() {
        var set = ObjectSet()
        let oids = [0, 1, 63, 64, 4095, 4096, 1 << 40, UInt64.max].map(ObjectID.init(rawValue:))
        for oid in oids.reversed() {
            let isNew = set.insert(oid)
            #expect(isNew)
        }
        let isNew = set.insert(oids[3])
        #expect(!isNew)
        #expect(set.count == oids.count)
        #expect(set.oids == oids)
        #expect(!set.contains(ObjectID(rawValue: 2)))
        set.remove(oids[4])
        #expect(set.oids == oids.filter { $0 != oids[4] })
    }

    @Test("What one set has and another lacks is told in order; a union has both.")
    func subtractsAndUnites() {
        var (left, right) = (ObjectSet(), ObjectSet())
        for number in stride(from: 0, to: 10_000, by: 3) { left.insert(ObjectID(rawValue: UInt64(number))) }
        for number in stride(from: 0, to: 10_000, by: 2) { right.insert(ObjectID(rawValue: UInt64(number))) }
        let expected = stride(from: 0, to: 10_000, by: 3).filter { !$0.isMultiple(of: 2) }
        #expect(left.subtracting(right).map(\.rawValue) == expected.map(UInt64.init))
        left.formUnion(right)
        #expect(left.count == (0..<10_000).count { $0.isMultiple(of: 2) || $0.isMultiple(of: 3) })
    }
}
