import Testing

@testable import ZEOServer

@Suite("Refusals in the log")
struct RefusalTests {
    @Test("the same is told once a minute, with how often it happened since")
    func repeated() {
        var memory = RefusalMemory()
        // At the end the clock was set back: that does not silence anything.
        let times: [(String, Double)] = [("a", 0), ("a", 1), ("b", 1), ("a", 59), ("a", 61), ("a", 122), ("a", 5)]
        let told = times.map { memory.admit($0.0, at: $0.1) }
        #expect(told == [0, nil, 0, nil, 2, 0, 0])
    }

    @Test("peers cannot make it remember more than so much")
    func bounded() {
        var memory = RefusalMemory()
        for number in 0..<10_000 { _ = memory.admit("\(number)", at: 0) }
        #expect(memory.count <= RefusalMemory.most)
    }
}
