import TestSupport
import Testing
import ZODB

@testable import ZEOProtocol

@Suite("Calls as a server reads them")
struct ServerCallTests {
    private let oid = ObjectID(rawValue: 7)
    private let tid = TransactionID(rawValue: 0x0400_0000_0000_0001)
    private var o: WireValue { .bytes(oid.bytes) }
    private var t: WireValue { .bytes(tid.bytes) }
    private let version = WireValue.string("")
    private let id = WireValue.integer(140_609_668_727_824)

    private func call(_ name: String, _ arguments: [WireValue], _ generation: Generation) -> ServerCall? {
        try? ServerCall(Message(id: .integer(1), name: name, arguments: .tuple(arguments)), generation)
    }

    private func each(_ range: ClosedRange<Generation>) -> [Generation] { Generation.allCases.filter(range.contains) }

    @Test("connecting")
    func connecting() {
        for generation in Generation.allCases {
            #expect(
                call("register", [.string("1"), .integer(0)], generation) == .register(storage: "1", readOnly: false))
            #expect(
                call("register", [.nativeString([0x31]), .bool(true)], generation)
                    == .register(storage: "1", readOnly: true))
            #expect(
                call("register", [.string("1"), .integer(1), .none], generation)
                    == .register(storage: "1", readOnly: true))
            #expect(call("get_info", [], generation) == .getInfo)
            #expect(call("new_oids", [], generation) == .newObjectIDs(100))
            #expect(call("new_oids", [.integer(3)], generation) == .newObjectIDs(3))
            #expect(call("pack", [.float(1.5)], generation) == .pack(time: 1.5, waits: true))
            #expect(call("pack", [.integer(2), .integer(0)], generation) == .pack(time: 2, waits: false))
            #expect(call("pack", [.float(1.5), .bool(true)], generation) == .pack(time: 1.5, waits: true))
        }
        for generation in each(.v201 ... .v5) {
            #expect(call("getInvalidations", [t], generation) == .getInvalidations(since: tid))
        }
    }

    @Test("loading")
    func loading() {
        for generation in each(.v303 ... .v5) {
            #expect(call("loadBefore", [o, t], generation) == .loadBefore(oid, tid))
        }
        for generation in each(.v200 ... .v308) {
            #expect(call("zeoLoad", [o], generation) == .loadCurrent(oid, .zeoLoad))
        }
        for generation in each(.v200 ... .v4) {
            #expect(call("load", [o, version], generation) == .loadCurrent(oid, .load))
        }
        for generation in each(.v303 ... .v308) {
            #expect(call("loadEx", [o, version], generation) == .loadCurrent(oid, .loadEx))
        }
        for generation in each(.v309 ... .v4) { #expect(call("loadEx", [o], generation) == .loadCurrent(oid, .loadEx)) }
        for generation in Generation.allCases {
            #expect(call("loadSerial", [o, t], generation) == .loadSerial(oid, tid))
            let history = generation.hasVersionArguments ? [o, version, .integer(9)] : [o, .integer(9)]
            #expect(call("history", history, generation) == .history(oid, limit: 9))
            #expect(call("history", [o], generation) == .history(oid, limit: 1))
        }
        for generation in each(.v303 ... .v5) {
            #expect(call("record_iternext", [.none], generation) == .recordNext(nil))
            #expect(call("record_iternext", [], generation) == .recordNext(nil))
            #expect(call("record_iternext", [o], generation) == .recordNext(oid))
        }
    }

    @Test("writing")
    func writing() {
        let data: [UInt8] = [1, 2]
        for generation in Generation.allCases {
            let v = generation.hasVersionArguments ? [version] : []
            #expect(
                call("storea", [o, t, .bytes(data)] + v + [id], generation)
                    == .store(oid, serial: tid, data: data, in: id))
            // What the first versions have for a new object.
            #expect(
                call("storea", [o, .none, .nativeString(data)] + v + [id], generation)
                    == .store(oid, serial: .none, data: data, in: id))
            #expect(
                call("storea", [o, .string(""), .nativeString(data)] + v + [id], generation)
                    == .store(oid, serial: .none, data: data, in: id))
            #expect(call("vote", [id], generation) == .vote(id))
            #expect(call("tpc_finish", [id], generation) == .finish(id))
            #expect(call("tpc_abort", [id], generation) == .abort(id))
            let ext = WireValue.dict([.init(.string("k"), .integer(1))])
            #expect(
                call("tpc_begin", [id, .string("joe"), .bytes([0x64]), ext, .none, .string(" ")], generation)
                    == .begin(id, .init(user: Array("joe".utf8), description: [0x64], extension: ext)))
            #expect(
                call("tpc_begin", [id, .string(""), .string(""), ext, t, .string("p")], generation)
                    == .begin(
                        id,
                        .init(user: [], description: [], extension: ext, tid: tid, status: UInt8(ascii: "p"))))
        }
        for generation in each(.v309 ... .v5) {
            #expect(
                call("restorea", [o, t, .none, t, id], generation)
                    == .restore(oid, serial: tid, data: nil, from: tid, in: id))
            #expect(
                call("restorea", [o, t, .bytes(data), .none, id], generation)
                    == .restore(oid, serial: tid, data: data, from: nil, in: id))
            #expect(call("deleteObject", [o, t, id], generation) == .delete(oid, serial: tid, in: id))
        }
        for generation in each(.v3101 ... .v5) {
            #expect(
                call("checkCurrentSerialInTransaction", [o, t, id], generation)
                    == .requireCurrent(oid, serial: tid, in: id))
        }
        for generation in each(.v308 ... .v5) {
            let v = generation.hasVersionArguments ? [version] : []
            #expect(call("storeBlobStart", [], generation) == .storeBlobStart)
            #expect(call("storeBlobChunk", [.bytes(data)], generation) == .storeBlobChunk(data))
            #expect(
                call("storeBlobEnd", [o, t, .bytes(data)] + v + [id], generation)
                    == .storeBlobEnd(oid, serial: tid, data: data, in: id))
            // Here the version stands before the transaction, behind the name of the file.
            #expect(
                call("storeBlobShared", [o, t, .bytes(data), .string("a.tmp")] + v + [id], generation)
                    == .storeBlobShared(oid, serial: tid, data: data, fileName: Array("a.tmp".utf8), in: id))
            #expect(call("sendBlob", [o, t], generation) == .sendBlob(oid, tid))
        }
    }

    @Test("undoing")
    func undoing() {
        let undoID = WireValue.bytes(Base64.text(of: tid.bytes))
        for generation in Generation.allCases {
            let name = generation <= .v201 ? "transactionalUndo" : generation <= .v309 ? "undo" : "undoa"
            #expect(
                call(name, [undoID, id], generation)
                    == (generation <= .v309 ? .undoNow(tid, in: id) : .undoAtVote(tid, in: id)))
            for other in ["transactionalUndo", "undo", "undoa"] where other != name {
                #expect(call(other, [undoID, id], generation) == nil)
            }
            #expect(
                call("undoInfo", [.integer(0), .integer(-20), .none], generation)
                    == .undoInfo(first: 0, last: -20, filter: .none))
            #expect(
                call("undoLog", [.integer(0), .integer(20)], generation) == .undoInfo(first: 0, last: 20, filter: .none)
            )
            // An id of another storage is none of ours: the vote will say so.
            #expect(
                call(name, [.string("not base64!"), id], generation)
                    == (generation <= .v309 ? .undoNow(.none, in: id) : .undoAtVote(.none, in: id)))
        }
    }

    @Test("iterating and verifying")
    func iterating() {
        for generation in each(.v309 ... .v5) {
            #expect(call("iterator_start", [.none, t], generation) == .iteratorStart(first: nil, last: tid))
            #expect(call("iterator_start", [], generation) == .iteratorStart(first: nil, last: nil))
            #expect(call("iterator_next", [.integer(3)], generation) == .iteratorNext(3))
            #expect(call("iterator_record_start", [.integer(3), t], generation) == .iteratorRecordStart(3, tid))
            #expect(call("iterator_record_next", [.integer(3)], generation) == .iteratorRecordNext(3))
            #expect(call("iterator_gc", [.list([.integer(3)])], generation) == .iteratorRelease([3]))
        }
        for generation in each(.v303 ... .v4) {
            let v = generation.hasVersionArguments ? [version] : []
            #expect(call("verify", [o] + v + [t], generation) == .verify(oid, tid))
        }
        for generation in each(.v200 ... .v308) {
            #expect(call("zeoVerify", [o, t, .none], generation) == .verify(oid, tid))
            #expect(call("versionEmpty", [.string("v")], generation) == .versionEmpty)
            #expect(call("versions", [], generation) == .versions)
            #expect(call("modifiedInVersion", [o], generation) == .modifiedInVersion)
        }
        for generation in each(.v309 ... .v4) { #expect(call("zeoVerify", [o, t], generation) == .verify(oid, tid)) }
    }

    @Test("every call of the captured clients is read", arguments: Transcript.names)
    func captured(name: String) throws {
        let transcript = try Transcript(name)
        let greeting = try #require(transcript.lines.first { $0.isHandshake && !$0.fromServer })
        guard case .speak(let dialect) = Handshake.request(greeting.body) else {
            Issue.record("no dialect")
            return
        }
        for line in transcript.lines where !line.fromServer && !line.isHandshake {
            let message = try Message(line.body, encoding: dialect.encoding, limit: Message.callLimit)
            guard message.id != .integer(-1) else { continue }
            #expect(throws: Never.self, "\(line.value)") { try ServerCall(message, dialect.generation) }
        }
    }

    @Test("damaged calls give a call or an error, never a trap", arguments: Transcript.names)
    func damaged(name: String) throws {
        let transcript = try Transcript(name)
        let greeting = try #require(transcript.lines.first { $0.isHandshake && !$0.fromServer })
        var random = SeededGenerator(state: 11)
        for line in transcript.lines where !line.fromServer && !line.isHandshake {
            for _ in 0..<100 {
                var body = line.body
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    body[Int.random(in: 0..<body.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                var connection = ServerConnection()
                _ = connection.received(greeting.body)
                connection.registered()
                guard case .call(_, let reply) = connection.received(body) else { continue }
                _ = connection.body(of: reply, .none)
            }
        }
    }
}
