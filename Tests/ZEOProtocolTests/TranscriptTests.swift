import Testing
import ZODB

@testable import ZEOProtocol

@Suite("Captured conversations")
struct TranscriptTests {
    @Test("every message decodes to the value Python decoded", arguments: Transcript.names)
    func decode(name: String) throws {
        let transcript = try Transcript(name)
        #expect(transcript.lines.count > 60)
        for line in transcript.lines where !line.isHandshake {
            let value =
                transcript.encoding == .pickle
                ? try PickleReader.value(of: line.body) : try MessagePackMessages.value(of: line.body)
            // Nested tuples print their trailing commas in Python and in instances not: both are compared without.
            #expect(value.python.replacing(",)", with: ")") == line.value.replacing(",)", with: ")"))
            let message = try Message(line.body, encoding: transcript.encoding)
            #expect(message.isReply == (line.value.contains("'.reply'")))
        }
    }

    @Test(
        "what a Python 3 client sends is encoded to the same bytes",
        arguments: ["z5-zeo-6.2-py311", "m5-zeo-6.2-py311"])
    func encode(name: String) throws {
        let transcript = try Transcript(name)
        let sent = transcript.lines.filter { !$0.fromServer && !$0.isHandshake }
        #expect(sent.count > 30)
        for line in sent {
            let message = try Message(line.body, encoding: transcript.encoding)
            #expect(Frame.bytes(message.body(in: transcript.encoding)) == line.frame)
        }
    }

    @Test("calls are the bytes that Python's client sends for them")
    func calls() throws {
        let oid = ObjectID(rawValue: 1)
        let calls: [(Int64, Call)] = [
            (1, .register(storage: "1", readOnly: false)), (1, .register(storage: "1", readOnly: true)),
            (2, .getInfo), (15, .history(oid, limit: 2)),
        ]
        let transcript = try Transcript("z5-zeo-6.2-py311")
        let frames = Set(transcript.lines.map(\.frame))
        for (id, call) in calls {
            let method = try call.method(in: .v5)
            let message = Message(id: .integer(id), name: method.name, arguments: .tuple(method.arguments))
            #expect(frames.contains(Frame.bytes(message.body(in: .pickle))), "\(call)")
        }
    }

    @Test("arguments follow the generation's table: history has a version up to 308, as captured")
    func dialects() throws {
        let old = try Call.history(.root, limit: 2).method(in: .v308)
        #expect(old.arguments == [.bytes(ObjectID.root.bytes), .text([]), .integer(2)])
        #expect(throws: StorageError.self) { try Call.ping.method(in: .v4) }
        #expect(throws: StorageError.self) { try Call.iteratorStart(first: nil, last: nil).method(in: .v308) }
        #expect(Generation.allCases == Generation.allCases.sorted())
    }

    @Test(
        "the table of generations says what captured clients and servers did",
        arguments: [
            ("z201-zeo-2.2-py27", .v201), ("z4-zeo-4.3.1-py27", .v4), ("z5-zeo-5.4.1-py27", .v5),
            ("m5-zeo-6.2-py311", .v5),
        ] as [(String, Generation)])
    func table(name: String, generation: Generation) throws {
        let transcript = try Transcript(name)
        var sent: Set<String> = [], oneWayNumbers: Set<WireValue> = []
        var registrations: Set<WireValue> = [], registered: [WireValue] = []
        var flagged = false
        for line in transcript.lines where !line.isHandshake {
            let message = try Message(line.body, encoding: transcript.encoding)
            if message.isException { flagged = true }
            if line.fromServer {
                if message.isReply, registrations.contains(message.id) {
                    registered.append(message.arguments)
                    registrations.remove(message.id)
                }
                continue
            }
            sent.insert(message.name)
            if message.name == "register" { registrations.insert(message.id) }
            if message.isOneWay { oneWayNumbers.insert(message.id) }
        }
        #expect(sent.contains("getAuthProtocol") == generation.hasAuthentication)
        #expect(registered.contains { !$0.isNone } == generation.registrationTellsLastTransaction)
        #expect(flagged == generation.flagsExceptions)
        // The client of the oldest capture is none of its time.
        if generation > .v201 { #expect((oneWayNumbers == [.integer(0)]) == generation.numbersOnlyCalls) }
        let load =
            switch generation.currentLoad {
            case .zeoLoad: "zeoLoad"
            case .loadEx: "loadEx"
            case .loadBefore: "loadBefore"
            }
        #expect(sent.contains(load))
        #expect(sent.contains("loadBefore") == generation.hasLoadBefore)
        let undo =
            switch generation.undo {
            case .transactionalUndo: "transactionalUndo"
            case .undo: "undo"
            case .undoAtVote: "undoa"
            }
        #expect(sent.intersection(["transactionalUndo", "undo", "undoa"]) == [undo])
        #expect(sent.contains("versionEmpty") == generation.hasVersionArguments)
    }
}
