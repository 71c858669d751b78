import Testing
import ZEOProtocol

@Suite("Commit lock")
struct CommitLockTests {
    @Test("clients vote one at a time, in arrival order")
    func order() {
        var lock = CommitLock<String>()
        #expect(lock.request("a") == .grant("a"))
        #expect(lock.request("b") == .wait(position: 1))
        #expect(lock.request("c") == .wait(position: 2))
        #expect(lock.holder == "a")
        #expect(lock.waiting == ["b", "c"])
        #expect(lock.release("a") == .grant("b"))
        #expect(lock.release("b") == .grant("c"))
        #expect(lock.release("c") == .none)
        #expect(lock.holder == nil)
    }

    @Test("a waiter that disconnects loses its place and nobody else's")
    func disconnect() {
        var lock = CommitLock<String>()
        for client in ["a", "b", "c"] { _ = lock.request(client) }
        #expect(lock.release("b") == .none)
        #expect(lock.release("a") == .grant("c"))
    }

    @Test("who neither has it nor waits for it may go at any time, and nothing happens")
    func stranger() {
        var lock = CommitLock<String>()
        #expect(lock.release("x") == .none)
        _ = lock.request("a")
        _ = lock.request("b")
        #expect(lock.release("x") == .none)
        #expect(lock.holder == "a")
        #expect(lock.waiting == ["b"])
    }

    @Test("a thousand clients that come and go at random all get their turn, in arrival order")
    func crowd() {
        var random = SeededGenerator(state: 7)
        var lock = CommitLock<Int>()
        var expected: [Int] = []
        var number = 0
        for _ in 0..<20_000 {
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                expected.append(number)
                let position = expected.count - 1
                #expect(lock.request(number) == (position == 0 ? .grant(number) : .wait(position: position)))
                number += 1
            case 1:
                guard let holder = expected.first else { continue }
                expected.removeFirst()
                #expect(lock.release(holder) == (expected.first.map { .grant($0) } ?? .none))
            default:
                guard expected.count > 1 else { continue }
                let place = Int.random(in: 1..<expected.count, using: &random)
                #expect(lock.release(expected.remove(at: place)) == .none)
            }
            #expect(lock.holder == expected.first)
        }
        #expect(lock.waiting == Array(expected.dropFirst()))
    }
}
