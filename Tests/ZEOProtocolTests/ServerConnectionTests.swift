import TestSupport
import Testing
import ZODB

@testable import ZEOProtocol

@Suite("The server's side of a connection")
struct ServerConnectionTests {
    /// A client that speaks `dialect` and, unless told otherwise, has registered.
    private func connection(_ dialect: Dialect, python2: Bool = false, registered: Bool = true) -> ServerConnection {
        var connection = ServerConnection()
        _ = connection.received(Array(dialect.description.utf8))
        if registered {
            _ = connection.received(body("register", [.string("1"), .integer(0)], dialect, python2: python2))
            connection.registered()
        }
        return connection
    }

    private func body(
        _ name: String, _ arguments: [WireValue] = [], _ dialect: Dialect = .z5, id: WireValue = .integer(1),
        isOneWay: Bool = false, python2: Bool = false
    ) -> [UInt8] {
        Message(id: id, isOneWay: isOneWay, name: name, arguments: .tuple(arguments))
            .body(in: dialect.encoding, for: python2 || dialect.generation <= .v310 ? .python2 : .python3)
    }

    private func isClosed(_ event: ServerConnection.Event) -> Bool {
        if case .close = event { return true }
        return false
    }

    private func call(_ event: ServerConnection.Event) -> ServerCall? {
        if case .call(let call, _) = event { return call }
        return nil
    }

    @Test("Z5 is announced; every generation's own answer is taken, anything else ends the connection")
    func greetings() {
        #expect(ServerConnection().greeting == Array("Z5".utf8))
        #expect(ServerConnection(announcing: .m5).greeting == Array("M5".utf8))
        let answers = ["Z200", "Z201", "Z303", "Z308", "Z309", "Z310", "Z3101", "Z4", "Z5", "M5"]
        for answer in answers {
            var connection = ServerConnection()
            #expect(connection.dialect == nil)
            guard case .greeted(let dialect) = connection.received(Array(answer.utf8)) else {
                Issue.record("\(answer) is refused")
                continue
            }
            #expect(dialect.description == answer)
            #expect(connection.dialect == dialect)
        }
        for answer in [
            "", "Z", "Z6", "M4", "M3101", "X9", "Z5 ", "z5", "Z05", "GET / HTTP/1.1\r\n", "\u{16}\u{3}\u{1}",
        ] {
            var connection = ServerConnection()
            #expect(isClosed(connection.received(Array(answer.utf8))), "\(answer)")
            #expect(connection.received(body("register", [.string("1")])) == .none)
        }
        var monitor = ServerConnection()
        #expect(monitor.received(Array("ruok".utf8)) == .status)
    }

    @Test("nothing but register, and what comes before it, is heard before register", arguments: Generation.allCases)
    func unregistered(generation: Generation) {
        let dialect = Dialect(generation, .pickle)
        for name in ["get_info", "new_oids", "endZeoVerify", "lastTransaction", "ping", "vote", "tpc_begin"] {
            var connection = connection(dialect, registered: false)
            #expect(isClosed(connection.received(body(name, [], dialect))) || name == "vote" || name == "tpc_begin")
        }
        var connection = connection(dialect, registered: false)
        if generation.hasAuthentication {
            #expect(call(connection.received(body("getAuthProtocol", [], dialect))) == .getAuthProtocol)
        }
        let register = connection.received(body("register", [.string("1"), .integer(1)], dialect))
        #expect(call(register) == .register(storage: "1", readOnly: true))
        #expect(!connection.answersLoadsDirectly)
        connection.registered()
        #expect(connection.answersLoadsDirectly == (generation >= .v5))
        #expect(call(connection.received(body("get_info", [], dialect))) == .getInfo)
    }

    @Test("an unknown method ends the connection, whatever it is called", arguments: Generation.allCases)
    func unknown(generation: Generation) {
        let dialect = Dialect(generation, .pickle)
        for name in ["nothing", "_vote", "__class__", "", "new_oid", ".keepalive", "supports_record_iternext", "ruok"] {
            var connection = connection(dialect)
            #expect(isClosed(connection.received(body(name, [], dialect))), "\(name)")
        }
    }

    @Test("what other generations call ends the connection, as Python's servers do")
    func otherGenerations() {
        let oid = WireValue.bytes(ObjectID.root.bytes)
        let cases: [(String, [WireValue], Set<Generation>)] = [
            ("ping", [], [.v5]),
            ("getAuthProtocol", [], [.v201, .v303, .v308, .v309, .v310, .v3101, .v4]),
            ("lastTransaction", [], Set(Generation.allCases).subtracting([.v200])),
            ("server_status", [], [.v3101, .v4, .v5]),
            ("set_client_label", [.string("x")], [.v310, .v3101, .v4, .v5]),
            ("get_size_info", [], Set(Generation.allCases).subtracting([.v5])),
            ("load", [oid], Set(Generation.allCases).subtracting([.v5])),
            ("zeoLoad", [oid], [.v200, .v201, .v303, .v308]),
            ("loadEx", [oid], [.v303, .v308, .v309, .v310, .v3101, .v4]),
            ("getSerial", [oid], [.v200, .v201, .v303]),
            ("getTid", [oid], [.v308, .v309, .v310, .v3101, .v4, .v5]),
            ("iterator_start", [.none, .none], [.v309, .v310, .v3101, .v4, .v5]),
            ("versions", [], [.v200, .v201, .v303, .v308]),
            ("endZeoVerify", [], Set(Generation.allCases).subtracting([.v5])),
        ]
        for (name, arguments, known) in cases {
            for generation in Generation.allCases {
                let dialect = Dialect(generation, .pickle)
                var connection = connection(dialect)
                let event = connection.received(body(name, arguments, dialect))
                #expect((call(event) != nil) == known.contains(generation), "\(name) in \(generation)")
            }
        }
    }

    @Test("a heartbeat is no call, before register and after, whatever stands in it")
    func heartbeat() {
        for dialect in [Dialect(.v303, .pickle), Dialect(.v4, .pickle), .z5, .m5] {
            for registered in [false, true] {
                var connection = connection(dialect, registered: registered)
                #expect(connection.received(Message.heartbeat.body(in: dialect.encoding)) == .none)
                #expect(
                    connection.received(body("lastTransaction", [], dialect, id: .integer(-1))) == .none)
            }
        }
        // `.keepalive` of other programs: ZEO 5 takes it for a message with the id -1.
        var connection = connection(.z5)
        let keepalive = Message(id: .integer(-1), isOneWay: true, name: ".keepalive", arguments: .tuple([]))
        #expect(connection.received(keepalive.body(in: .pickle)) == .none)
    }

    @Test("what is no message ends the connection: other tuples, names that are none, damaged and foreign pickles")
    func noMessages() {
        let bodies: [[UInt8]] = [
            [], Array("x".utf8), Array("(K\u{1}K\u{0}U\u{4}pingt.".utf8), Array("N.".utf8),
            Array("(K\u{1}K\u{0}N)t.".utf8), Array("(K\u{1}NU\u{4}ping)t.".utf8), Array("(((((".utf8),
            Array("(K\u{1}K\u{0}U\u{4}ping)t".utf8), Array("(K\u{1}K\u{0}U\u{4}ping)t..".utf8),
            Array("(K\u{1}K\u{0}U\u{4}ping)P1\nt.".utf8),
        ]
        for bytes in bodies {
            for dialect in [Dialect(.v4, .pickle), .z5, .m5] {
                var connection = connection(dialect)
                #expect(isClosed(connection.received(bytes)), "\(bytes)")
            }
        }
    }

    @Test(
        "a pickle that names something Python would call ends the connection, and the reason names it",
        arguments: ["builtins\neval", "__builtin__\neval", "os\nsystem", "posix\nsystem", "copy_reg\n__newobj__"])
    func builtins(name: String) {
        let call = "c\(name)\n(U\u{1}1tR"
        let places = [
            "(K\u{1}K\u{0}U\u{8}undoInfo(K\u{0}K\u{1}\(call)tt.", "(\(call)K\u{0}U\u{4}ping)t.",
            "(K\u{0}K\u{1}U\u{9}tpc_begin(K\u{1}U\u{0}U\u{0}}U\u{1}k\(call)sNU\u{1} tt.",
            "(K\u{0}K\u{1}U\u{9}tpc_begin(\(call)U\u{0}U\u{0}}NU\u{1} tt.",
        ]
        for generation in Generation.allCases {
            for place in places {
                var connection = connection(Dialect(generation, .pickle))
                let event = connection.received(Array(place.utf8))
                guard case .close(let reason) = event else {
                    Issue.record("\(place.debugDescription) gives \(event)")
                    continue
                }
                #expect(reason.contains(name.replacing("\n", with: ".")), "\(reason)")
            }
        }
    }

    @Test("the filters of Zope's undo form are taken: they name ZopeUndo.Prefix")
    func prefixes() {
        let filter =
            "ccopy_reg\n_reconstructor\n(cZopeUndo.Prefix\nPrefix\nc__builtin__\nobject\nNtR}U\u{4}pathU\u{2}/asb"
        var connection = connection(Dialect(.v4, .pickle), python2: true)
        let event = connection.received(
            Array("(K\u{1}K\u{0}U\u{8}undoInfo(K\u{0}K\u{14}}U\u{9}user_name\(filter)stt.".utf8))
        guard case .undoInfo(0, 20, .dict(let entries))? = call(event) else {
            Issue.record("\(event)")
            return
        }
        #expect(entries.count == 1)
    }

    @Test("a message of more parts than any call has is refused before it has taken memory")
    func bombs() {
        let count = 120_000
        let bombs: [(Dialect, [UInt8])] = [
            (
                .z5,
                Array("(K\u{1}K\u{0}U\u{4}ping(".utf8) + Array(repeating: UInt8(ascii: "N"), count: count)
                    + Array("tt.".utf8)
            ),
            (.z5, Array(repeating: UInt8(ascii: "("), count: count)),
            (.z5, Array("]".utf8) + Array(repeating: UInt8(ascii: "2"), count: count)),
            (
                .m5,
                [0x94, 1, 0xc2, 0xa4] + Array("ping".utf8)
                    + [0xdd, 0, UInt8(count >> 16 & 0xff), UInt8(count >> 8 & 0xff), UInt8(count & 0xff)]
                    + Array(repeating: 0xc0, count: count)
            ),
        ]
        for (dialect, bomb) in bombs {
            var connection = connection(dialect)
            #expect(isClosed(connection.received(bomb)))
        }
    }

    @Test("an instance with very many items is read in a time that grows with their number, not its square")
    func longInstances() throws {
        for (item, close) in [("K\u{1}a", ""), ("K\u{1}K\u{1}s", "")] {
            let text = "ccopy_reg\n_reconstructor\n)R" + String(repeating: item, count: 300_000) + close + "."
            let value = try PickleReader.value(of: Array(text.utf8))
            guard case .instance(let instance) = value else {
                Issue.record("\(value)")
                return
            }
            #expect(instance.contents.count == 300_000)
        }
    }

    @Test("wrong arguments are answered with a TypeError, and the connection goes on")
    func wrongArguments() throws {
        for generation in Generation.allCases where generation >= .v303 {
            let dialect = Dialect(generation, .pickle)
            var connection = connection(dialect)
            guard case .refused(let exception, let reply) = connection.received(body("loadBefore", [], dialect)) else {
                Issue.record("\(generation)")
                continue
            }
            #expect(exception.className == "builtins.TypeError")
            let answer = try Message(connection.body(of: reply, raising: exception), encoding: .pickle)
            #expect(answer.isException == (generation >= .v5))
            #expect(call(connection.received(body("get_info", [], dialect))) == .getInfo)
        }
    }

    // MARK: Style

    @Test("the first call tells which Python reads our pickles, where both spoke the dialect")
    func styles() {
        let cases: [(Generation, python2: Bool, PythonGeneration)] = [
            (.v303, true, .python2), (.v308, true, .python2), (.v3101, true, .python2), (.v3101, false, .python3),
            (.v4, true, .python2), (.v4, false, .python3), (.v5, false, .python3),
        ]
        for (generation, python2, expected) in cases {
            let connection = connection(Dialect(generation, .pickle), python2: python2)
            #expect(connection.clientPython == expected, "\(generation) \(python2)")
        }
        #expect(connection(.m5).clientPython == .python3)
    }

    @Test("the captured clients are known by their first call", arguments: Transcript.names)
    func capturedStyles(name: String) throws {
        let transcript = try Transcript(name)
        var connection = ServerConnection()
        let sent = transcript.lines.filter { !$0.fromServer && $0.connection == "C1" }
        for line in sent.prefix(2) { _ = connection.received(line.body) }
        #expect(connection.clientPython == (name.contains("-py2") ? .python2 : .python3))
    }

    @Test(
        "Python 2 clients before generation 5 never get an opcode that ends their connection",
        arguments: [
            Generation.v201, .v303, .v308, .v309, .v3101, .v4,
        ])
    func oldOpcodes(generation: Generation) throws {
        var connection = connection(Dialect(generation, .pickle), python2: true)
        guard case .call(_, let reply) = connection.received(body("get_info", [], Dialect(generation, .pickle)))
        else { return }
        let tid = try #require(TransactionID(unixTime: 1_700_000_000))
        let value = WireValue.list([
            .bytes(tid.bytes), .text(Array("plain".utf8)), .bool(true), .integer(1 << 40), .tuple([.none]), .float(1.5),
        ])
        var bodies = [connection.body(of: reply, value), connection.body(of: reply, raising: .readOnly)]
        bodies.append(connection.invalidation(tid, [.root]))
        bodies += connection.bodies(of: reply, .granted(tid, changed: [.root], stored: [.root]))
        for body in bodies {
            #expect(body.first == UInt8(ascii: "("))
            // No PROTO, LONG1, NEWTRUE, TUPLE1 to 3 stand where an opcode does; there is no data here that holds them.
            let bytes = body.filter { (0x80...0x8f).contains($0) }
            #expect(bytes.allSatisfy { tid.bytes.contains($0) }, "\(body)")
        }
    }

    // MARK: Answers

    @Test("the id of a call comes back as it was, whatever it is")
    func ids() throws {
        var connection = connection(.z5)
        let ids: [WireValue] = [
            .integer(7), .tuple([.bytes(ObjectID.root.bytes), .bytes(TransactionID.latest.bytes)]), .none,
            .text([0x61]), .bigInteger(Array(repeating: 0x11, count: 12)), .list([.integer(1)]),
        ]
        for id in ids {
            guard case .call(.ping, let reply) = connection.received(body("ping", id: id)) else {
                Issue.record("\(id)")
                continue
            }
            #expect(try Message(connection.body(of: reply, .none), encoding: .pickle).id == id)
        }
    }

    @Test("up to 308 each message of ours has the next number, from 0; later all have 0")
    func numbers() throws {
        for generation in Generation.allCases {
            var connection = connection(Dialect(generation, .pickle))
            let ids = try (0..<3).map { _ in
                try Message(connection.body(ofNotice: "endVerify", []), encoding: .pickle).id.integer
            }
            #expect(ids == (generation <= .v308 ? [0, 1, 2] : [0, 0, 0]))
        }
    }

    @Test("a vote is answered in each generation's own way")
    func votes() throws {
        let tid = try #require(TransactionID(unixTime: 1_700_000_000))
        let (first, second) = (ObjectID(rawValue: 1), ObjectID(rawValue: 2))
        let granted = VoteOutcome.granted(tid, changed: [second], stored: [first, second])
        let conflict = VoteOutcome.failed(
            .conflict(first, committed: tid, read: .none, className: "a.B", isRead: false), first)
        for generation in Generation.allCases {
            let dialect = Dialect(generation, .pickle)
            var connection = connection(dialect)
            guard case .call(_, let reply) = connection.received(body("vote", [.integer(1)], dialect)) else {
                Issue.record("\(generation)")
                continue
            }
            let good = try connection.bodies(of: reply, granted).map { try Message($0, encoding: .pickle) }
            let bad = try connection.bodies(of: reply, conflict).map { try Message($0, encoding: .pickle) }
            if generation >= .v5 {
                #expect(good.map(\.name) == [".reply"])
                #expect(good[0].arguments == .list([.bytes(second.bytes)]))
                #expect(bad.map(\.isException) == [true])
                continue
            }
            #expect(good.map(\.name) == ["serialnos", ".reply"])
            #expect(bad.map(\.name) == ["serialnos", ".reply"])
            #expect(good[1].arguments == .none)
            #expect(bad[1].arguments == .none)
            let entries = try #require(good[0].arguments.elements?.first?.elements)
            let pairs = entries.compactMap { $0.elements?.compactMap(\.rawBytes) }
            #expect(Set(pairs) == [[first.bytes, tid.bytes], [second.bytes, Array("rs".utf8)]])
            let failed = try #require(bad[0].arguments.elements?.first?.elements?.first?.elements)
            #expect(failed[0].rawBytes == first.bytes)
            guard case .instance = failed[1] else {
                Issue.record("\(failed)")
                continue
            }
        }
    }
}
