import Testing

@testable import ZEOProtocol

@Suite("Greetings")
struct HandshakeTests {
    @Test(
        "the answer is what the server announced, or the newest we both know",
        arguments: [
            ("Z5", .speak(.z5)), ("M5", .speak(.m5)), ("Z6", .speak(.z5)), ("M51", .speak(.m5)),
            ("Z4", .speak(Dialect(.v4, .pickle))), ("Z3101", .speak(Dialect(.v3101, .pickle))),
            ("Z200", .speak(Dialect(.v200, .pickle))),
            ("", .unknown), ("Z", .unknown), ("Z5x", .unknown), ("5", .unknown), ("SSH-2.0", .unknown),
            ("Z307", .unknown), ("M4", .unknown),
        ] as [(String, Handshake.Answer)])
    func answer(greeting: String, expected: Handshake.Answer) {
        #expect(Handshake.answer(to: Array(greeting.utf8)) == expected)
    }

    @Test("who admits to an older generation answers that, and to one older still what was announced")
    func limited() {
        func answer(_ greeting: String) -> Handshake.Answer {
            Handshake.answer(to: Array(greeting.utf8), upTo: .v308)
        }
        #expect(answer("Z5") == .speak(Dialect(.v308, .pickle)))
        #expect(answer("M5") == .speak(Dialect(.v308, .pickle)))
        #expect(answer("Z303") == .speak(Dialect(.v303, .pickle)))
    }
}

@Suite("Frames")
struct FrameTests {
    @Test("a stream is cut into the same bodies however it arrives", arguments: 1...9)
    func split(pieceSize: Int) throws {
        let bodies: [[UInt8]] = [[1], [], [2, 3, 4], Array(repeating: 7, count: 300)]
        let stream = bodies.flatMap { Frame.bytes($0) }
        var splitter = FrameSplitter()
        var found: [[UInt8]] = []
        for start in stride(from: 0, to: stream.count, by: pieceSize) {
            splitter.append(Array(stream[start...].prefix(pieceSize)))
            while let body = try splitter.next() { found.append(body) }
        }
        #expect(found == bodies)
        #expect(splitter.pending.isEmpty)
    }

    @Test("a length beyond the limit is an error before any of the body arrives")
    func limit() {
        var splitter = FrameSplitter(limit: 10)
        splitter.append([0, 0, 0, 11])
        #expect(throws: FrameError(lengthWord: 11, limit: 10)) { try splitter.next() }
        var text = FrameSplitter()
        text.append(Array("HTTP/1.1 400".utf8))
        #expect(throws: FrameError.self) { try text.next() }
    }

    @Test("long streams do not pile up")
    func memory() throws {
        var splitter = FrameSplitter()
        let frame = Frame.bytes(Array(repeating: 1, count: 50_000))
        for _ in 0..<20 {
            splitter.append(frame + frame[..<100])
            #expect(try splitter.next()?.count == 50_000)
            splitter.append(Array(frame[100...]))
            #expect(try splitter.next()?.count == 50_000)
            #expect(splitter.pending.isEmpty)
        }
    }
}
