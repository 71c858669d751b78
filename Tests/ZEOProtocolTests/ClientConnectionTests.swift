import TestSupport
import Testing
import ZODB

@testable import ZEOProtocol

/// A connection and the server's lines of the dialogue.
struct Dialogue {
    typealias Action = ClientConnection.Action

    var connection: ClientConnection
    let encoding: Dialect.Encoding

    init(_ dialect: Dialect = .z5, known: TransactionID? = nil, label: String? = nil, readOnly: Bool = true) {
        connection = ClientConnection(
            .init(address: "db:8800", readOnly: readOnly, label: label, knownTransaction: known))
        encoding = dialect.encoding
    }

    static func frame(_ text: String) -> [UInt8] { Frame.bytes(Array(text.utf8)) }

    func frame(_ message: Message) -> [UInt8] { Frame.bytes(message.body(in: encoding)) }

    mutating func server(says text: String) -> [Action] { connection.received(Self.frame(text)) }

    mutating func server(replies value: WireValue, to id: Int, isException: Bool = false) -> [Action] {
        connection.received(
            frame(Message(id: .integer(Int64(id)), isException: isException, name: ".reply", arguments: value)))
    }

    mutating func server(notes name: String, _ arguments: [WireValue]) -> [Action] {
        connection.received(
            frame(Message(id: .integer(0), isOneWay: true, name: name, arguments: .tuple(arguments))))
    }

    func call(_ id: Int, _ name: String, _ arguments: [WireValue], isOneWay: Bool = false) -> Action {
        .send(
            frame(
                Message(
                    id: .integer(Int64(id)), isOneWay: isOneWay, name: name, arguments: .tuple(arguments))))
    }

    static let information = WireValue.dict([
        .init(.string("length"), .integer(7)), .init(.string("size"), .integer(900)),
        .init(.string("name"), .string("Data.fs")), .init(.string("supportsUndo"), .bool(true)),
    ])

    /// From the greeting to a connection that can be used. Ids 1 and 2 are taken.
    mutating func open(at tid: TransactionID) -> [Action] {
        _ = server(says: encoding == .pickle ? "Z5" : "M5")
        _ = server(replies: .bytes(tid.bytes), to: 1)
        return server(replies: Self.information, to: 2)
    }
}

extension TransactionID {
    init(_ number: UInt64) { self.init(rawValue: number) }
}

@Suite("A client's connection")
struct ClientConnectionTests {
    static let oid = ObjectID(rawValue: 5)

    @Test("greets, registers read-only, asks for information and is ready", arguments: [Dialect.z5, .m5])
    func setup(dialect: Dialect) throws {
        var dialogue = Dialogue(dialect, label: "zeoshell:me@host")
        #expect(
            dialogue.server(says: dialect.description) == [
                .send(Dialogue.frame(dialect.description)),
                dialogue.call(1, "register", [.string("1"), .integer(1)]),
            ])
        #expect(
            dialogue.server(replies: .bytes(TransactionID(9).bytes), to: 1) == [dialogue.call(2, "get_info", [])])
        let actions = dialogue.server(replies: Dialogue.information, to: 2)
        #expect(actions.first == dialogue.call(0, "set_client_label", [.string("zeoshell:me@host")], isOneWay: true))
        guard case .ready(let welcome) = try #require(actions.last) else { throw Unexpected() }
        #expect(welcome.dialect == dialect)
        #expect(welcome.lastTransaction == TransactionID(9))
        #expect(welcome.missed == .nothing)
        #expect(welcome.information.storageName == "Data.fs")
        #expect((welcome.information.objectCount, welcome.information.size) == (7, 900))
        #expect(welcome.information.supportsUndo)
        #expect(!welcome.serverIsPython2)
    }

    struct Unexpected: Error {}

    @Test("answers a captured server as Python's read-only client did")
    func captured() throws {
        let transcript = try Transcript("z5-zeo-6.2-py311")
        let expected = transcript.lines.filter { !$0.fromServer && $0.connection == "C3" }.map(\.frame)
        var connection = ClientConnection(.init(address: "db"))
        var sent: [[UInt8]] = []
        for frame in transcript.serverFrames("C3").prefix(2) {
            for case .send(let bytes) in connection.received(frame) { sent.append(bytes) }
        }
        #expect(
            sent == [
                expected[0], expected[1],
                Dialogue().frame(Message(id: .integer(2), name: "get_info", arguments: .tuple([]))),
            ])
    }

    @Test("replies find their calls, in whatever order they come")
    func outOfOrder() throws {
        var dialogue = Dialogue()
        _ = dialogue.open(at: TransactionID(9))
        let first = try dialogue.connection.call(.loadBefore(Self.oid, .latest))
        let second = try dialogue.connection.call(.ping)
        #expect((first.id, second.id) == (3, 4))
        #expect(
            first.action
                == dialogue.call(3, "loadBefore", [.bytes(Self.oid.bytes), .bytes(TransactionID.latest.bytes)]))
        #expect(dialogue.server(replies: .none, to: 4) == [.reply(id: 4, .success(.none))])
        #expect(dialogue.server(replies: .none, to: 3) == [.reply(id: 3, .success(.none))])
        // Answered is answered; and the heartbeat has no answer.
        #expect(dialogue.server(replies: .none, to: 3) == [])
        #expect(dialogue.server(replies: .none, to: -1) == [])
    }

    @Test("notifications keep their place among the replies, however the stream is cut", arguments: [1, 7, 10_000])
    func order(pieceSize: Int) throws {
        var dialogue = Dialogue()
        _ = dialogue.open(at: TransactionID(9))
        _ = try dialogue.connection.call(.ping)
        _ = try dialogue.connection.call(.ping)
        func note(_ tid: UInt64) -> Message {
            Message(
                id: .integer(0), isOneWay: true, name: "invalidateTransaction",
                arguments: .tuple([.bytes(TransactionID(tid).bytes), .list([.bytes(Self.oid.bytes)])]))
        }
        let stream = [
            note(10), Message(id: .integer(3), name: ".reply", arguments: .none), note(11),
            Message(id: .integer(0), isOneWay: true, name: "info", arguments: .tuple([.dict([])])),
            Message(id: .integer(4), name: ".reply", arguments: .none),
        ].flatMap { dialogue.frame($0) }
        var actions: [ClientConnection.Action] = []
        for start in stride(from: 0, to: stream.count, by: pieceSize) {
            actions += dialogue.connection.received(Array(stream[start...].prefix(pieceSize)))
        }
        #expect(
            actions == [
                .notification(.invalidate(.init(tid: TransactionID(10), oids: [Self.oid]))),
                .reply(id: 3, .success(.none)),
                .notification(.invalidate(.init(tid: TransactionID(11), oids: [Self.oid]))),
                .notification(.info(objectCount: nil, size: nil)),
                .reply(id: 4, .success(.none)),
            ])
    }

    @Test("a commit between registering and being ready is told after being ready")
    func earlyInvalidation() {
        var dialogue = Dialogue()
        _ = dialogue.server(says: "Z5")
        _ = dialogue.server(replies: .bytes(TransactionID(9).bytes), to: 1)
        let arguments: [WireValue] = [.bytes(TransactionID(10).bytes), .list([.bytes(Self.oid.bytes)])]
        #expect(dialogue.server(notes: "invalidateTransaction", arguments) == [])
        let actions = dialogue.server(replies: Dialogue.information, to: 2)
        #expect(actions.count == 2)
        #expect(actions.last == .notification(.invalidate(.init(tid: TransactionID(10), oids: [Self.oid]))))
    }

    @Test("after an absence it asks what changed, unless nothing did")
    func missed() throws {
        var dialogue = Dialogue(known: TransactionID(4))
        _ = dialogue.server(says: "Z5")
        #expect(
            dialogue.server(replies: .bytes(TransactionID(9).bytes), to: 1)
                == [dialogue.call(2, "getInvalidations", [.bytes(TransactionID(4).bytes)])])
        let oids = WireValue.list([.bytes(Self.oid.bytes)])
        _ = dialogue.server(replies: .tuple([.bytes(TransactionID(10).bytes), oids]), to: 2)
        guard case .ready(let welcome) = dialogue.server(replies: Dialogue.information, to: 3).last else {
            throw Unexpected()
        }
        #expect(welcome.missed == .objects([Self.oid]))
        #expect(welcome.lastTransaction == TransactionID(10))

        var forgetful = Dialogue(known: TransactionID(4))
        _ = forgetful.server(says: "Z5")
        _ = forgetful.server(replies: .bytes(TransactionID(9).bytes), to: 1)
        _ = forgetful.server(replies: .none, to: 2)
        guard case .ready(let unsure) = forgetful.server(replies: Dialogue.information, to: 3).last else {
            throw Unexpected()
        }
        #expect(unsure.missed == .unknown)
    }

    @Test("a server behind what was seen before, or just as far, is not asked what changed")
    func behind() throws {
        for (known, expected) in [(9, .nothing), (20, .unknown)] as [(UInt64, ClientConnection.Missed)] {
            var dialogue = Dialogue(known: TransactionID(known))
            guard case .ready(let welcome) = dialogue.open(at: TransactionID(9)).last else { throw Unexpected() }
            #expect(welcome.missed == expected)
        }
    }

    @Test("an exception is the answer to its call, and the connection stays")
    func exception() throws {
        for dialect in [Dialect.z5, .m5] {
            var dialogue = Dialogue(dialect)
            _ = dialogue.open(at: TransactionID(9))
            _ = try dialogue.connection.call(.loadBefore(Self.oid, .latest))
            let error = WireValue.tuple([.string("ZODB.POSException.POSKeyError"), .tuple([.bytes(Self.oid.bytes)])])
            #expect(
                dialogue.server(replies: error, to: 3, isException: true)
                    == [.reply(id: 3, .failure(.noSuchObject(Self.oid)))])
            #expect(try dialogue.connection.call(.ping).id == 4)
        }
    }

    @Test("a blob's chunks belong to the call that asked, two askers served in turn")
    func blobs() throws {
        var dialogue = Dialogue()
        _ = dialogue.open(at: TransactionID(9))
        let serial = TransactionID(8)
        _ = try dialogue.connection.call(.sendBlob(Self.oid, serial))
        _ = try dialogue.connection.call(.sendBlob(Self.oid, serial))
        let key: [WireValue] = [.bytes(Self.oid.bytes), .bytes(serial.bytes)]
        for id in [3, 4] {
            #expect(dialogue.server(notes: "receiveBlobStart", key) == [.blob(id: id, .start)])
            #expect(
                dialogue.server(notes: "receiveBlobChunk", key + [.bytes([1, 2])]) == [.blob(id: id, .chunk([1, 2]))])
            #expect(dialogue.server(notes: "receiveBlobStop", key) == [])
            #expect(dialogue.server(replies: .none, to: id) == [.reply(id: id, .success(.none))])
        }
        #expect(dialogue.server(notes: "receiveBlobChunk", key + [.bytes([1])]) == [])
        _ = try dialogue.connection.call(.sendBlob(Self.oid, serial))
        let missing = WireValue.tuple([
            .string("ZODB.POSException.POSKeyError"), .tuple([.string("No blob file at /b")] + key),
        ])
        #expect(
            dialogue.server(replies: missing, to: 5, isException: true)
                == [.reply(id: 5, .failure(.noBlob(Self.oid, serial: serial, "No blob file at /b")))])
    }

    @Test("callbacks it does not know are passed over; an invalidation it cannot read is not")
    func callbacks() throws {
        var dialogue = Dialogue()
        _ = dialogue.open(at: TransactionID(9))
        _ = try dialogue.connection.call(.ping)
        #expect(dialogue.server(notes: "serialnos", [.list([])]) == [])
        #expect(dialogue.server(notes: "somethingNew", []) == [])
        let actions = dialogue.server(notes: "invalidateTransaction", [.bytes([1]), .list([])])
        #expect(actions.count == 2)
        guard case .close(.connection(.protocolError)) = actions[0] else { throw Unexpected() }
        guard case .reply(3, .failure(.connection(.protocolError("db:8800", _)))) = actions[1] else {
            throw Unexpected()
        }
        #expect(throws: StorageError.self) { try dialogue.connection.call(.ping) }
    }

    @Test("the heartbeat is the one Python sends, and only from a connection that is ready")
    func heartbeat() {
        var dialogue = Dialogue()
        #expect(dialogue.connection.minutePassed() == [])
        _ = dialogue.server(says: "Z5")
        #expect(dialogue.connection.minutePassed() == [])
        var ready = Dialogue()
        _ = ready.open(at: TransactionID(9))
        // From Python: zodbpickle.dumps((-1, 0, '.reply', None), 3), with its length.
        let bytes: [UInt8] =
            [0, 0, 0, 24, 0x80, 3, 0x28, 0x4a, 0xff, 0xff, 0xff, 0xff, 0x4b, 0, 0x58, 6, 0, 0, 0]
            + Array(".replyNt.".utf8)
        #expect(ready.connection.minutePassed() == [.send(bytes)])
    }
}

@Suite("Why there is no connection")
struct ConnectionFailureTests {
    typealias Action = ClientConnection.Action

    @Test("a server that wants a login is said to, by name")
    func login() {
        var dialogue = Dialogue()
        #expect(
            dialogue.server(says: "Z4").last
                == .send(Frame.bytes(Array("(K\u{1}I00\nU\u{f}getAuthProtocol)t.".utf8))))
        #expect(
            dialogue.server(replies: .string("digest"), to: 1).first
                == .close(.connection(.login(address: "db:8800", .wanted(kind: "digest")))))
    }

    @Test(
        "what other servers say first is shown",
        arguments: [
            ("SSH-2.0-OpenSSH_9.2p1\r\n", "SSH-2.0-OpenSSH_9.2p1\\x0d\\x0a"), ("220 mail ESMTP", "220 mail ESMTP"),
            ("HTTP/1.1 400 Bad Request", "HTTP/1.1 400 Bad Request"), ("\0\0\0\u{2}X5", "X5"),
        ])
    func notZEO(said: String, shown: String) {
        var connection = ClientConnection(.init(address: "a"))
        #expect(
            connection.received(Array(said.utf8)) == [
                .close(.connection(.notZEO(address: "a", received: "'\(shown)'")))
            ])
    }

    @Test("silence and an early end are told apart")
    func silence() {
        var silent = ClientConnection(.init(address: "a"))
        #expect(
            silent.greetingTimedOut(afterSeconds: 5) == [.close(.connection(.silent(address: "a", seconds: 5)))])
        var ended = ClientConnection(.init(address: "a"))
        #expect(
            ended.disconnected("the server closed it")
                == [.close(.connection(.lost(address: "a", "the server closed it, before the server's greeting")))])
        var late = Dialogue()
        _ = late.open(at: TransactionID(1))
        #expect(late.connection.greetingTimedOut(afterSeconds: 5) == [])
        #expect(late.connection.setupTimedOut(afterSeconds: 30) == [])
    }

    @Test("a server that greets and then hangs is given up, so that no script waits for ever")
    func hangs() {
        var dialogue = Dialogue()
        _ = dialogue.server(says: "Z5")
        #expect(dialogue.connection.greetingTimedOut(afterSeconds: 5) == [])
        guard case .close(.connection(.lost(_, let why)))? = dialogue.connection.setupTimedOut(afterSeconds: 30).first
        else { return #expect(Bool(false)) }
        #expect(why.contains("did not answer our registration within 30"))
        #expect(dialogue.connection.received(Frame.bytes([0])) == [])
    }

    @Test("a server that closes on our answer refused the version")
    func refused() {
        var dialogue = Dialogue()
        _ = dialogue.server(says: "Z6")
        #expect(
            dialogue.connection.disconnected("closed").first
                == .close(
                    .connection(
                        .versionRefused(address: "db:8800", theirs: "Z6, and closed on our answer", ours: "Z5"))))
    }

    @Test("an unknown storage is an answer, of Python 2 as well", arguments: ["builtins", "exceptions"])
    func unknownStorage(module: String) {
        var dialogue = Dialogue()
        _ = dialogue.server(says: "Z5")
        let error = WireValue.tuple([
            .nativeString(Array("\(module).ValueError".utf8)),
            .tuple([.nativeString(Array("unknown storage: 1".utf8))]),
        ])
        #expect(
            dialogue.server(replies: error, to: 1, isException: true)
                == [.close(.connection(.unknownStorage(address: "db:8800", name: "1")))])
    }

    @Test("a server that lets nobody write says so to who asks for it", arguments: [Dialect.z5, .m5])
    func readOnlyServer(dialect: Dialect) {
        var dialogue = Dialogue(dialect, readOnly: false)
        #expect(
            dialogue.server(says: dialect.description).last
                == dialogue.call(1, "register", [.string("1"), .integer(0)]))
        let error = WireValue.tuple([.string("ZODB.POSException.ReadOnlyError"), .tuple([])])
        #expect(
            dialogue.server(replies: error, to: 1, isException: true)
                == [.close(.readOnly("the server db:8800, storage '1'"))])
        #expect(throws: StorageError.readOnly("the server db:8800, storage '1'")) {
            try dialogue.connection.call(.ping)
        }
    }

    @Test("whoever waits is told when the connection ends, and it has ended by then")
    func lost() throws {
        var dialogue = Dialogue()
        _ = dialogue.open(at: TransactionID(9))
        _ = try dialogue.connection.call(.ping)
        _ = try dialogue.connection.call(.ping)
        let error = StorageError.connection(.lost(address: "db:8800", "reset"))
        #expect(
            dialogue.connection.disconnected("reset")
                == [.close(error), .reply(id: 3, .failure(error)), .reply(id: 4, .failure(error))])
        #expect(dialogue.connection.disconnected("again") == [])
    }
}

@Suite("Exceptions of a server")
struct RemoteExceptionTests {
    @Test("captured ones become our errors", arguments: ["z5-zeo-6.2-py311", "m5-zeo-6.2-py311", "z5-zeo-5.4.1-py27"])
    func captured(name: String) throws {
        let transcript = try Transcript(name)
        var found: [String: StorageError] = [:]
        for line in transcript.lines where line.fromServer && !line.isHandshake {
            let message = try Message(line.body, encoding: transcript.encoding)
            guard message.isException else { continue }
            let exception = try RemoteException(message.arguments)
            found[exception.shortName] = exception.storageError
        }
        #expect(found["POSKeyError"] == .noSuchObject(ObjectID(rawValue: 0xdead)))
        #expect(found["ReadOnlyError"] == .readOnly("the server"))
        // The stale commit of the captured session: what is committed, and what was read.
        var read: [TransactionID] = [], committed: [TransactionID] = []
        for line in transcript.lines where !line.isHandshake {
            let message = try Message(line.body, encoding: transcript.encoding)
            let arguments = message.arguments.elements ?? []
            if message.name == "storea" { read.append(try #require(TransactionID(arguments[1]))) }
            if message.name == "invalidateTransaction", arguments[1].elements?.count == 1 {
                committed.append(try #require(TransactionID(arguments[0])))
            }
        }
        #expect(
            found["ConflictError"] == .conflict(ObjectID(rawValue: 1), committed: committed[1], read: read[2]))
    }

    @Test("undo errors tell the objects in the way, also several, in either encoding")
    func undo() throws {
        let oid = ObjectID(rawValue: 7)
        let state = WireValue.dict([
            .init(.string("_reason"), .string("modified later")), .init(.string("_oid"), .bytes(oid.bytes)),
        ])
        func several(_ error: WireValue) -> WireValue {
            .dict([
                .init(.string("_reason"), .bytes(oid.bytes)), .init(.string("_oid"), error),
                .init(.string("_errs"), .list([.tuple([.bytes(oid.bytes), error])])),
            ])
        }
        let undoError = WireValue.global(module: "ZODB.POSException", name: "UndoError")
        let pickled = WireValue.instance(
            .init(
                callable: .global(module: "ZODB.POSException", name: "_recon"), arguments: .tuple([undoError, state])))
        let packed = WireValue.tuple([.string("ZODB.POSException.UndoError"), state])
        for (name, details) in [
            ("UndoError", state), ("MultipleUndoErrors", several(pickled)), ("MultipleUndoErrors", several(packed)),
        ] {
            let exception = try RemoteException(.tuple([.string("ZODB.POSException." + name), details]))
            #expect(
                exception.storageError
                    == .undoFailed(.none, [UndoObstacle(oid: oid, reason: "modified later")]))
        }
        let plain = try RemoteException(
            .tuple([.string("ZODB.POSException.UndoError"), .tuple([.string("non-undoable transaction")])]))
        #expect(
            plain.storageError == .undoFailed(.none, [UndoObstacle(oid: nil, reason: "non-undoable transaction")]))
    }

    @Test("messages are made safe to print")
    func message() throws {
        let exception = try RemoteException(
            .tuple([.string("builtins.ValueError"), .tuple([.string("a\u{1b}[2J\nb")])]))
        #expect(exception.message == "a\\u{1b}[2J\\nb")
    }
}
