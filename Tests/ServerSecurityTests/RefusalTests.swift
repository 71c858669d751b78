import Testing

@testable import ZEOServer

@Suite("Refusals in the log")
struct RefusalTests {
    @Test("the same is told once a minute, with how often it happened since")
    func repeated() {
        var memory = RefusalMemory()
        // At the end the clock was set back: that does not silence anything.
        let times: [(String, Double)] = [("a", 0), ("a", 1), ("b", 1), ("a", 59), ("a", 61), ("a", 122), ("a", 5)]
        let told = times.map { memory.admit($0.0, of: "10.0.0.1", at: $0.1) }
        #expect(told == [0, nil, 0, nil, 2, 0, 0])
    }

    @Test("a host that has something new to be refused each time is not told of without end")
    func flood() {
        var memory = RefusalMemory()
        let told = (0..<1000).map { memory.admit("no user \($0)", of: "10.0.0.1", at: 0) }
        #expect(told.compactMap(\.self).count == RefusalMemory.mostOfHost)
        let other = memory.admit("no user 1", of: "10.0.0.2", at: 0)
        let later = memory.admit("no user 1", of: "10.0.0.1", at: 61)
        #expect(other == 0 && later == 0)
    }

    @Test("peers cannot make it remember more than so much")
    func bounded() {
        var memory = RefusalMemory()
        for number in 0..<10_000 { _ = memory.admit("\(number)", of: "10.0.\(number / 100).\(number % 100)", at: 0) }
        #expect(memory.count <= RefusalMemory.most)
    }
}
