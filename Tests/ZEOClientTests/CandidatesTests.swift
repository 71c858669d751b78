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
                    .noneOf(
                        addresses: "a:8800,/run/c.sock",
                        [.init(address: "/run/c.sock", silent), .init(address: "a:8800", Self.refused)])))
        #expect(
            candidates.failure.description
                == "a:8800,/run/c.sock: none of these servers can be used: /run/c.sock: connected, but silent for 5.0 s: "
                + "probably a TLS port, or a hung server; a:8800: x: connection refused: nothing listens there")
        var alone = Candidates([Self.a], readOnly: true, fallsBack: false)
        _ = tried(&alone, [Self.a: Self.refused])
        #expect(alone.failure == Self.refused)
    }

    @Test("an end or silence of TLS is an absence, a verdict is not; an end behind the handshake may be a refusal")
    func securedAbsence() {
        let names = CertificateNames(subject: "CN=a", issuer: "CN=b")
        let absences: [TLSFailure] = [
            .closed, .noAnswer(seconds: 5), .hungUp(hasCertificate: true), .hungUp(hasCertificate: false),
        ]
        let verdicts: [TLSFailure] = [
            .file(.key, path: "k", .wrongPassphrase), .plainServer(received: "'Z5'"), .unknownAuthority(names),
            .selfSigned(names), .expired(names, since: "x"), .notYetValid(names, from: "x"),
            .otherName(expected: "a", names: ["b"]), .certificateRefused("x"), .certificateWanted, .other("x"),
        ]
        for (failures, isAbsence) in [(absences, true), (verdicts, false)] {
            for failure in failures {
                let error = ConnectionFailure.tls(address: "b:8800", failure)
                #expect(error.isAbsence == isAbsence, "\(failure)")
                let several = ConnectionFailure.noneOf(
                    addresses: "a:8800,b:8800",
                    [.init(address: "a:8800", Self.refused), .init(address: "b:8800", .connection(error))])
                #expect(several.isAbsence == isAbsence, "\(failure)")
                var mayBeRefusal = false
                if case .hungUp = failure { mayBeRefusal = true }
                #expect(error.mayBeRefusal == mayBeRefusal && several.mayBeRefusal == mayBeRefusal, "\(failure)")
            }
        }
        // What it says is what it is, if it is the first connection.
        #expect(TLSFailure.hungUp(hasCertificate: false).description == TLSFailure.certificateWanted.description)
    }

    @Test("they are away when none of them is there; one that is there and refuses us is not")
    func absence() {
        func failure(_ a: StorageError, _ b: StorageError) -> StorageError {
            var candidates = Candidates([Self.a, Self.b], readOnly: false, fallsBack: false)
            _ = tried(&candidates, [Self.a: a, Self.b: b])
            return candidates.failure
        }
        let lost = StorageError.connection(.lost(address: "b:8800", "reset"))
        let behind = StorageError.connection(.behind(address: "b:8800", last: .none, seen: .latest))
        #expect(failure(Self.refused, lost).isAbsence)
        #expect(failure(Self.refused, behind).isAbsence)
        #expect(!failure(behind, behind).isAbsence)
        #expect(failure(Self.refused, .connection(.tls(address: "b:8800", .closed))).isAbsence)
        let refusals: [StorageError] = [
            .connection(.unknownStorage(address: "b:8800", name: "main")),
            .connection(.login(address: "b:8800", .wrongPassword(user: "joe"))),
            .connection(.tls(address: "b:8800", .certificateWanted)),
            .connection(.otherDatabase(address: "b:8800", "another")),
            .connection(.notZEO(address: "b:8800", received: "HTTP")),
            .remote(className: "ZODB.POSException.StorageError", message: "no role lets this client read"),
            .readOnly("b:8800"),
        ]
        for refusal in refusals {
            #expect(!failure(Self.refused, refusal).isAbsence)
            #expect(!failure(refusal, lost).isAbsence)
            #expect(failure(Self.refused, refusal).description.contains("; b:8800: "))
        }
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
