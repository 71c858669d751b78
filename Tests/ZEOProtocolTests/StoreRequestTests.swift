import TestSupport
import Testing
import ZODB

@testable import ZEOProtocol

@Suite("Stores that are recognised by their bytes")
struct StoreRequestTests {
    private static let modern = [
        "z5-zeo-6.2-py311", "m5-zeo-6.2-py311", "z5-zeo-5.4.1-py27", "z5-zeo-5.4.1-py39",
    ]

    private struct Store: Equatable {
        var oid: ObjectID
        var serial: TransactionID
        var data: [UInt8]
        var transaction: WireValue
    }

    private func recognised(_ body: [UInt8], _ encoding: Dialect.Encoding) -> Store? {
        guard let request = StoreRequest(body.span.bytes, in: encoding) else { return nil }
        return Store(
            oid: request.oid, serial: request.serial, data: Array(body[request.data]),
            transaction: .integer(request.transaction))
    }

    /// What the general decoder makes of a body, if it is a store that wants no answer.
    private func reference(_ body: [UInt8], _ encoding: Dialect.Encoding) -> Store? {
        guard let message = try? Message(body, encoding: encoding), message.isOneWay,
            case .store(let oid, let serial, let data, let transaction)? = try? ServerCall(message, .v5)
        else { return nil }
        return Store(oid: oid, serial: serial, data: data, transaction: transaction)
    }

    @Test("every store of a captured client is recognised, and nothing else", arguments: modern)
    func captured(name: String) throws {
        let transcript = try Transcript(name)
        var count = 0
        for line in transcript.lines where !line.fromServer && !line.isHandshake {
            let message = try Message(line.body, encoding: transcript.encoding)
            let found = recognised(line.body, transcript.encoding)
            #expect((found != nil) == (message.name == "storea"), "\(line.value)")
            #expect(found == reference(line.body, transcript.encoding))
            count += found == nil ? 0 : 1
        }
        #expect(count > 0)
    }

    @Test("records and transaction numbers of every width are found whole")
    func widths() throws {
        let numbers: [Int64] = [0, 127, 128, 255, 256, 65_535, 65_536, 1 << 31, 140_176_571_253_712, .max]
        for encoding in [Dialect.Encoding.pickle, .messagePack] {
            for size in [0, 1, 255, 256, 65_535, 65_536] {
                for number in numbers {
                    let data = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
                    let message = Message(
                        id: .integer(0), isOneWay: true, name: "storea",
                        arguments: .tuple([
                            .bytes(ObjectID(rawValue: 7).bytes), .bytes(TransactionID.latest.bytes), .bytes(data),
                            .integer(number),
                        ]))
                    let body = message.body(in: encoding)
                    let found = try #require(recognised(body, encoding), "\(size) bytes, \(number)")
                    #expect(found == reference(body, encoding))
                }
            }
        }
    }

    @Test("a damaged store is not recognised, or means what the general decoder says", arguments: modern)
    func damaged(name: String) throws {
        let transcript = try Transcript(name)
        var random = SeededGenerator(state: 5)
        var count = 0
        for line in transcript.lines
        where !line.fromServer && recognised(line.body, transcript.encoding) != nil {
            for length in 0..<line.body.count {
                #expect(recognised(Array(line.body.prefix(length)), transcript.encoding) == nil)
            }
            for _ in 0..<3000 {
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
                guard let found = recognised(body, transcript.encoding) else { continue }
                count += 1
                #expect(found == reference(body, transcript.encoding), "\(body)")
            }
        }
        #expect(count > 100)
    }
}
