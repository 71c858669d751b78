import ByteCoding
import TestSupport
import Testing
import ZODB

@testable import ZEOProtocol

/// Small and repeatable: the numbers of SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

@Suite("Hostile bytes")
struct HostileBytesTests {
    @Test("every truncation of every captured message is an error", arguments: Transcript.names)
    func truncation(name: String) throws {
        let transcript = try Transcript(name)
        for line in transcript.lines where !line.isHandshake {
            for count in 0..<line.body.count {
                #expect(throws: FormatError.self) {
                    try Message(Array(line.body.prefix(count)), encoding: transcript.encoding)
                }
            }
        }
    }

    @Test("flipped bytes give a message or an error, never a trap", arguments: Transcript.names)
    func flips(name: String) throws {
        let transcript = try Transcript(name)
        var random = SeededGenerator(state: 42)
        for line in transcript.lines where !line.isHandshake {
            for _ in 0..<200 {
                var body = line.body
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    body[Int.random(in: 0..<body.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                guard let message = try? Message(body, encoding: transcript.encoding) else { continue }
                _ = message.arguments.description
                _ = try? Notification(message)
                _ = try? RemoteException(message.arguments).storageError
                _ = try? Reply.revision(message.arguments)
                _ = try? Reply.history(message.arguments)
                _ = try? Reply.undoInfo(message.arguments)
                _ = try? Reply.iteratedTransaction(message.arguments)
                _ = try? Reply.iteratedRecord(message.arguments)
                _ = try? Reply.currentRecord(message.arguments)
                _ = try? ServerInformation(message.arguments)
            }
        }
    }

    @Test("a server that talks nonsense ends the connection, whenever it does", arguments: 0..<20)
    func nonsense(seed: UInt64) throws {
        let transcript = try Transcript("z5-zeo-6.2-py311")
        let stream = transcript.serverFrames("C2").flatMap { $0 }
        var random = SeededGenerator(state: seed)
        var connection = ClientConnection(.init(address: "test"))
        var bytes = stream
        for _ in 0..<40 {
            bytes[Int.random(in: 40..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        for piece in stride(from: 0, to: bytes.count, by: 97) {
            _ = connection.received(Array(bytes[piece...].prefix(97)))
        }
        _ = connection.disconnected("end")
        #expect(connection.received(stream).isEmpty)
    }

    @Test(
        "pickles that promise what they do not hold",
        arguments: [
            "4200000080", "42ffffff7f4e2e", "58ffffffff2e", "8bffffff7f2e", "8e" + "ffffffffffffff7f",  // huge lengths
            "2e", "7e2e", "302e", "312e", "4e302e", "742e", "732e", "652e", "522e", "622e", "68002e",
            "6a0000000" + "02e",
            "4e4e752e", "284e752e", "5d284e732e", "284e642e", "4e61" + "2e", "4e28612e", "286f2e", "8200" + "2e",
            "512e",
            "502e", "49780a2e", "4c0a2e", "53270a2e", "53275c270a2e", "53275c787a7a270a2e", "462e0a2e", "67780a2e",
            "4e2e4e",
        ])
    func damaged(hex: String) throws {
        let body = try #require(Hexadecimal.bytes(hex))
        #expect(throws: FormatError.self) { try PickleReader.value(of: body) }
    }

    @Test("deep nesting is refused, in both encodings")
    func deep() {
        let pickle = [UInt8](repeating: 0x5d, count: 1) + Array(repeating: 0x85, count: 100_000) + [0x2e]
        #expect(throws: FormatError.self) { try PickleReader.value(of: pickle) }
        #expect(throws: FormatError.self) {
            try MessagePackMessages.value(of: Array(repeating: 0x91, count: 100_000) + [0xc0])
        }
        #expect(throws: FormatError.self) { try MessagePackMessages.value(of: [0xdd, 0xff, 0xff, 0xff, 0xff]) }
        #expect(throws: FormatError.self) {
            try MessagePackMessages.value(of: (0..<150).flatMap { _ in [0xdd, 0, 0, 1, 0] as [UInt8] })
        }
    }

    @Test("a list that contains itself is refused, as a memo can make one")
    func selfReference() {
        // ]q\0 h\0 a .
        #expect(throws: FormatError.self) { try PickleReader.value(of: [0x5d, 0x71, 0, 0x68, 0, 0x61, 0x2e]) }
        // }q\0 N h\0 s . : a dict that is its own value
        #expect(throws: FormatError.self) { try PickleReader.value(of: [0x7d, 0x71, 0, 0x4e, 0x68, 0, 0x73, 0x2e]) }
        // An instance whose state is itself.
        let instance: [UInt8] = Array("ca\nb\n)Rq\0h\0b.".utf8)
        #expect(throws: FormatError.self) { try PickleReader.value(of: instance) }
    }

    @Test("a small pickle cannot become a large value by sharing")
    func sharing() {
        // Each level is a pair of the level before, twice: 2^40 values out of 40 lines.
        var pickle: [UInt8] = [0x4e]
        for _ in 0..<40 { pickle += [0x32, 0x86] }
        #expect(throws: FormatError.self) { try PickleReader.value(of: pickle + [0x2e]) }
    }

    @Test("what is shared and filled later is whole wherever it is shared")
    func memo() throws {
        // ( ]q\0 h\0 e.g. (1 appended after the second use): ([1], [1])
        let body: [UInt8] = [0x5d, 0x71, 0, 0x68, 0, 0x4b, 1, 0x61, 0x86, 0x2e]
        #expect(try PickleReader.value(of: body) == .tuple([.list([.integer(1)]), .list([.integer(1)])]))
    }
}
