import TestSupport
import Testing
import ZODB

@testable import ZEOProtocol

@Suite("Loads that are recognised by their bytes")
struct LoadRequestTests {
    private static let modern = [
        "z5-zeo-6.2-py311", "m5-zeo-6.2-py311", "z5-zeo-5.4.1-py27", "z5-zeo-5.4.1-py39", "z4-zeo-4.3.1-py36",
    ]

    private func request(_ body: [UInt8], _ encoding: Dialect.Encoding) -> (LoadRequest, id: [UInt8])? {
        guard let request = LoadRequest(body.span.bytes, in: encoding) else { return nil }
        return (request, Array(body[request.id]))
    }

    /// What the general decoder makes of a body, if it is a load that wants an answer.
    private func reference(
        _ body: [UInt8], _ encoding: Dialect.Encoding
    ) -> (id: WireValue, oid: ObjectID, tid: TransactionID)? {
        guard let message = try? Message(body, encoding: encoding), !message.isOneWay, message.id.integer != -1,
            case .loadBefore(let oid, let tid)? = try? ServerCall(message, .v5)
        else { return nil }
        return (message.id, oid, tid)
    }

    @Test("every load of a captured client is recognised, and nothing else", arguments: modern)
    func captured(name: String) throws {
        let transcript = try Transcript(name)
        var count = 0
        for line in transcript.lines where !line.fromServer && !line.isHandshake {
            let message = try Message(line.body, encoding: transcript.encoding)
            let found = request(line.body, transcript.encoding)
            #expect((found != nil) == (message.name == "loadBefore"), "\(line.value)")
            guard let (load, id) = found else { continue }
            count += 1
            #expect(message.arguments.elements?.first.flatMap { ObjectID($0) } == load.oid)
            #expect(message.arguments.elements?.last.flatMap { TransactionID($0) } == load.before)
            let own =
                transcript.encoding == .pickle
                ? PickleWriter.bytes(message.id).dropFirst(2).dropLast() : MessagePackMessages.bytes(message.id)[...]
            if !name.contains("py27") { #expect(id == Array(own)) }
        }
        #expect(count > 0)
    }

    @Test("ids of every width are found whole, and answered as they came")
    func ids() throws {
        let pair = WireValue.tuple([.bytes(ObjectID.root.bytes), .bytes(TransactionID.latest.bytes)])
        let ids: [WireValue] = [0, 1, 255, 256, 65_535, 65_536, Int64(Int32.max)].map { .integer($0) } + [pair]
        for encoding in [Dialect.Encoding.pickle, .messagePack] {
            for id in ids {
                let message = Message(
                    id: id, name: "loadBefore",
                    arguments: .tuple([.bytes(ObjectID(rawValue: 7).bytes), .bytes(TransactionID.latest.bytes)]))
                let body = message.body(in: encoding)
                let (load, bytes) = try #require(request(body, encoding), "\(id)")
                #expect(load.oid == ObjectID(rawValue: 7))
                let reply = Message(id: id, name: ".reply", arguments: .tuple([.bytes([1]), .bytes([2]), .none]))
                #expect(contains(reply.body(in: encoding), bytes))
            }
        }
    }

    private func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
        (0...(bytes.count - part.count)).contains { Array(bytes[$0..<$0 + part.count]) == part }
    }

    @Test("a heartbeat's id is never answered, one-way loads neither")
    func unanswered() {
        let arguments = WireValue.tuple([.bytes(ObjectID.root.bytes), .bytes(TransactionID.latest.bytes)])
        for encoding in [Dialect.Encoding.pickle, .messagePack] {
            let heartbeat = Message(id: .integer(-1), name: "loadBefore", arguments: arguments)
            #expect(request(heartbeat.body(in: encoding), encoding) == nil)
            let oneWay = Message(id: .integer(1), isOneWay: true, name: "loadBefore", arguments: arguments)
            #expect(request(oneWay.body(in: encoding), encoding) == nil)
        }
    }

    @Test("a damaged load is not recognised, or means what the general decoder says", arguments: modern)
    func damaged(name: String) throws {
        let transcript = try Transcript(name)
        var random = SeededGenerator(state: 3)
        let loads = transcript.lines.filter { !$0.fromServer && request($0.body, transcript.encoding) != nil }
        var recognised = 0
        for line in loads {
            for count in 0..<line.body.count {
                #expect(request(Array(line.body.prefix(count)), transcript.encoding) == nil)
            }
            for _ in 0..<5000 {
                var body = line.body
                for _ in 0...Int.random(in: 0..<3, using: &random) {
                    let place = Int.random(in: 0..<body.count, using: &random)
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: body[place] = UInt8.random(in: 0...255, using: &random)
                    case 1: body.insert(UInt8.random(in: 0...255, using: &random), at: place)
                    case 2 where body.count > 1: body.remove(at: place)
                    default: body[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                    }
                }
                guard let (load, id) = request(body, transcript.encoding) else { continue }
                recognised += 1
                let reference = try #require(self.reference(body, transcript.encoding), "\(body)")
                #expect(reference.oid == load.oid)
                #expect(reference.tid == load.before)
                let value =
                    transcript.encoding == .pickle
                    ? try PickleReader.value(of: id + [UInt8(ascii: ".")]) : try MessagePackMessages.value(of: id)
                #expect(value == reference.id)
            }
        }
        #expect(recognised > 100)
    }

    @Test(
        "an answer has the bytes that the general encoder writes, for every size of record",
        arguments: [Dialect.Encoding.pickle, .messagePack])
    func answers(encoding: Dialect.Encoding) throws {
        let serial = try #require(TransactionID(unixTime: 1_700_000_000))
        let ids: [WireValue] = [
            .integer(1), .integer(70_000), .tuple([.bytes(ObjectID.root.bytes), .bytes(serial.bytes)]),
        ]
        for count in [0, 1, 255, 256, 257, 65_535, 65_536, 65_537, 1_000_003] {
            let data = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            for next in [nil, serial.successor] {
                for id in ids {
                    let value = ServerReply.revision(Revision(data: data, serial: serial, next: next))
                    let expected = Frame.bytes(
                        Message(id: id, name: ".reply", arguments: value).body(in: encoding))
                    #expect(frame(id, data, serial, next, encoding, .python3) == expected, "\(count) \(id)")
                    guard encoding == .pickle else { continue }
                    // ZEO 5 on Python 2 gets strings of its own, in a pickle that says the same.
                    let old = frame(id, data, serial, next, encoding, .python2)
                    let message = try Message(Array(old.dropFirst(4)), encoding: .pickle)
                    #expect(message.id == id)
                    #expect(message.isReply)
                    let parts = try #require(message.arguments.elements)
                    #expect(
                        parts == [.nativeString(data), .nativeString(serial.bytes)]
                            + [next.map { .nativeString($0.bytes) } ?? .none])
                }
            }
        }
    }

    private func frame(
        _ id: WireValue, _ data: [UInt8], _ serial: TransactionID, _ next: TransactionID?,
        _ encoding: Dialect.Encoding, _ reader: PythonGeneration
    ) -> [UInt8] {
        let id =
            encoding == .pickle
            ? Array(PickleWriter.bytes(id).dropFirst(2).dropLast()) : MessagePackMessages.bytes(id)
        let size = LoadReply.frameSize(
            id: id.count, count: data.count, hasNext: next != nil, in: encoding, for: reader)
        var frame = [UInt8](repeating: 0, count: size)
        frame.withUnsafeMutableBytes {
            LoadReply.write(
                to: $0, id: id.span.bytes, data: data.span.bytes, serial: serial, next: next, in: encoding,
                for: reader)
        }
        return frame
    }
}
