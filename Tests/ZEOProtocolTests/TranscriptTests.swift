import TestSupport
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

    @Test(
        "the calls of transactions are the bytes that Python's client sends",
        arguments: ["z5-zeo-6.2-py311", "m5-zeo-6.2-py311"])
    func transactions(name: String) throws {
        let transcript = try Transcript(name)
        var compared: [String: Int] = [:]
        for line in transcript.lines where !line.fromServer && !line.isHandshake {
            let message = try Message(line.body, encoding: transcript.encoding)
            guard let call = try Self.transactionCall(message) else { continue }
            let method = try call.method(in: .v5)
            let ours = Message(
                id: message.id, isOneWay: call.isOneWay(in: .v5), name: method.name,
                arguments: .tuple(method.arguments))
            #expect(Frame.bytes(ours.body(in: transcript.encoding)) == line.frame, "\(call)")
            compared[message.name, default: 0] += 1
        }
        #expect(
            Set(compared.keys) == [
                "tpc_begin", "storea", "undoa", "vote", "tpc_finish", "tpc_abort",
            ])
    }

    /// The call that a captured message makes.
    private static func transactionCall(_ message: Message) throws -> Call? {
        let arguments = try #require(message.arguments.elements)
        func id(_ position: Int) throws -> Int { try #require(arguments[position].integer) }
        func bytes(_ position: Int) throws -> [UInt8] { try #require(arguments[position].rawBytes) }
        switch message.name {
        case "tpc_begin":
            return .begin(try id(0), user: try bytes(1), description: try bytes(2), extension: arguments[3])
        case "storea":
            return .store(
                try #require(ObjectID(arguments[0])), serial: try #require(TransactionID(arguments[1])),
                data: try bytes(2), in: try id(3))
        case "undoa":
            let tid = try #require(Base64.bytes(try bytes(0)))
            return .undo(try #require(TransactionID(bytes: tid)), in: try id(1))
        case "vote": return .vote(try id(0))
        case "tpc_finish": return .finish(try id(0))
        case "tpc_abort": return .abort(try id(0))
        default: return nil
        }
    }

    @Test("an extension is sent as a dict of plain values; what a server could not read is refused")
    func extensions() throws {
        func pickle(_ text: String) -> [UInt8] { Array(text.utf8) }
        #expect(try WireValue.transactionExtension([]) == .dict([]))
        // Python 2's strings: text where they can be, else bytes.
        #expect(
            try WireValue.transactionExtension(pickle("}U\u{1}kU\u{1}vs."))
                == .dict([.init(.text([0x6b]), .text([0x76]))]))
        #expect(
            try WireValue.transactionExtension(pickle("}U\u{1}kU\u{1}") + [0xff] + pickle("s."))
                == .dict([.init(.text([0x6b]), .bytes([0xff]))]))
        for refused in ["]K\u{1}a.", "}K\u{1}K\u{1}s.", "}U\u{1}kcos\nsystem\ns.", "}U\u{1}k(cos\nsystem\no}bs."] {
            #expect(throws: StorageError.self) { try WireValue.transactionExtension(pickle(refused)) }
        }
        let surrogate = pickle("}U\u{1}kX\u{3}\0\0\0") + [0xed, 0xa0, 0x80] + pickle("s.")
        #expect(throws: StorageError.self) { try WireValue.transactionExtension(surrogate) }
    }

    @Test("arguments follow the generation's table: history has a version up to 308, as captured")
    func dialects() throws {
        let old = try Call.history(.root, limit: 2).method(in: .v308)
        #expect(old.arguments == [.bytes(ObjectID.root.bytes), .text([]), .integer(2)])
        // As ZODB 3.8 has it: a version in between, and an undo that is waited for.
        let store = try Call.store(.root, serial: .none, data: [1], in: 9).method(in: .v308)
        #expect(
            store.arguments
                == [.bytes(ObjectID.root.bytes), .bytes(TransactionID.none.bytes), .bytes([1]), .text([]), .integer(9)])
        let undo = Call.undo(.none, in: 9)
        #expect(try undo.method(in: .v308).name == "undo")
        #expect([.v309, .v310].map(undo.isOneWay) == [false, true])
        #expect(throws: StorageError.self) {
            try Call.requireCurrent(.root, serial: .none, in: 9).method(in: .v310)
        }
        #expect(try Call.ping.method(in: .v4).name == "lastTransaction")
        #expect(throws: StorageError.self) { try Call.getAuthProtocol.method(in: .v5) }
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
