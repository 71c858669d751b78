import ObjectGraph
import Testing
import ZODB

@Suite("A search by halves")
struct BisectionTests {
    private func tids(_ count: Int) -> [TransactionID] { (1...count).map { TransactionID(rawValue: UInt64($0)) } }

    @Test(
        "finds the first bad one, wherever it is, in as many tries as halving takes", arguments: [1, 2, 3, 7, 8, 100])
    func finds(count: Int) {
        for first in 1...count {
            var search = Bisection(tids(count))
            var tries = 0
            let most = search.stepsLeft
            while let tid = search.next {
                tries += 1
                search.note(tid.rawValue >= UInt64(first) ? .bad : .good)
            }
            #expect(search.outcome == .first(TransactionID(rawValue: UInt64(first))))
            #expect(tries <= most)
        }
    }

    @Test("goes round what cannot be told, and says so when that hides the answer")
    func skips() {
        var search = Bisection(tids(20))
        while let tid = search.next {
            search.note((5...8).contains(tid.rawValue) ? .skip : tid.rawValue >= 7 ? .bad : .good)
        }
        // 4 is good, 9 is bad, and between them nothing could be told.
        #expect(search.outcome == .oneOf((5...9).map { TransactionID(rawValue: $0) }))
    }

    @Test("with everything skipped names them all")
    func hopeless() {
        var search = Bisection(tids(4))
        while search.next != nil { search.note(.skip) }
        #expect(search.outcome == .oneOf(tids(4)))
    }
}
