import Testing
import ZEOProtocol
import ZODB

@testable import ZEOClient

@Suite("Which of several servers is tried")
struct CandidatesTests {
    private static let a = Endpoint.host("a", port: 8800), b = Endpoint.host("b", port: 8800)
    private static let c = Endpoint.unixSocket(path: "/run/c.sock")
    private static let refused = StorageError.connection(.refused(address: "x"))
    private static let readOnly = StorageError.readOnly("x")

    /// What is tried when each answers so, until one has no error.
    private func tried(
        _ candidates: inout Candidates, _ answers: [Endpoint: StorageError]
    ) -> [(endpoint: Endpoint, readOnly: Bool)] {
        var tried: [(Endpoint, Bool)] = []
        while let candidate = candidates.next() {
            tried.append((candidate.endpoint, candidate.readOnly))
            guard let error = answers[candidate.endpoint] else { break }
            if candidate.readOnly, case .readOnly = error { break }
            candidates.failed(error)
        }
        return tried
    }

    @Test("a reading client takes the first that answers, in the order of the list")
    func reading() {
        var candidates = Candidates([Self.a, Self.b, Self.c], readOnly: true, fallsBack: true)
        let order = tried(&candidates, [Self.a: Self.refused])
        #expect(order.map(\.endpoint) == [Self.a, Self.b])
        #expect(order.allSatisfy { $0.readOnly })
    }

    @Test("a writing client takes the first that lets it write; one that does not is come back to when that will do")
    func writing() {
        var candidates = Candidates([Self.a, Self.b, Self.c], readOnly: false, fallsBack: true)
        var order = tried(&candidates, [Self.a: Self.readOnly, Self.b: Self.refused])
        #expect(order.map(\.endpoint) == [Self.a, Self.b, Self.c])
        #expect(!order.contains { $0.readOnly })
        candidates = Candidates([Self.a, Self.b, Self.c], readOnly: false, fallsBack: true)
        order = tried(&candidates, [Self.a: Self.refused, Self.b: Self.readOnly, Self.c: Self.readOnly])
        #expect(order.map(\.endpoint) == [Self.a, Self.b, Self.c, Self.b])
        #expect(order.map(\.readOnly) == [false, false, false, true])
        candidates = Candidates([Self.a, Self.b], readOnly: false, fallsBack: false)
        order = tried(&candidates, [Self.a: Self.readOnly, Self.b: Self.readOnly])
        #expect(order.map(\.endpoint) == [Self.a, Self.b])
        #expect(candidates.failure == .readOnly("a:8800,b:8800"))
    }

    @Test("says of each why not; of one alone, what it said")
    func failures() {
        var candidates = Candidates([Self.a, Self.c], readOnly: false, fallsBack: true)
        let silent = StorageError.connection(.silent(address: "/run/c.sock", seconds: 5))
        _ = tried(&candidates, [Self.a: Self.readOnly, Self.c: silent])
        // The first lets us read; that it went away since is another matter.
        candidates.failed(Self.refused)
        #expect(
            candidates.failure
                == .connection(
                    .noneOf(addresses: "a:8800,/run/c.sock", [silent.description, Self.refused.description])))
        var alone = Candidates([Self.a], readOnly: true, fallsBack: false)
        _ = tried(&alone, [Self.a: Self.refused])
        #expect(alone.failure == Self.refused)
    }

    @Test("one that has others behind it is known to have")
    func others() {
        var candidates = Candidates([Self.a, Self.b], readOnly: false, fallsBack: true)
        #expect(candidates.next()?.hasOthers == true)
        candidates.failed(Self.readOnly)
        #expect(candidates.next()?.hasOthers == true)
        candidates.failed(Self.refused)
        #expect(candidates.next() == .init(endpoint: Self.a, readOnly: true, hasOthers: false))
    }
}
