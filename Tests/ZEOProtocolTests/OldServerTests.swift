import TestSupport
import Testing
import ZODB

@testable import ZEOProtocol

/// A captured server of Zope 2.7's time: what it said on one connection, byte for byte, in answer to what we call.
private struct PlayedServer {
    typealias Action = ClientConnection.Action

    private(set) var connection = ClientConnection(.init(address: "zope27", readOnly: false))
    private var lines: ArraySlice<Transcript.Line>

    init(_ name: String, _ client: String) throws {
        lines = try Transcript(name).lines.filter { $0.connection == client }[...]
    }

    /// Everything that the server said before it heard something.
    private mutating func listen() -> [Action] {
        var actions: [Action] = []
        while let line = lines.first, line.fromServer {
            actions += connection.received(line.frame)
            lines.removeFirst()
        }
        return actions
    }

    /// From the greeting to `ready`: what we send has to be what the captured client sent, but for opcodes.
    mutating func open() throws -> ClientConnection.Welcome {
        var actions = listen()
        while true {
            if case .ready(let welcome)? = actions.last { return welcome }
            for action in actions {
                guard case .send(let bytes) = action else { continue }
                try hear(bytes)
            }
            actions = listen()
            try #require(!actions.isEmpty)
        }
    }

    /// The next message of the captured client is this one.
    private mutating func hear(_ bytes: [UInt8]) throws {
        let next = lines.popFirst()
        let line = try #require(next)
        let body = Array(bytes.dropFirst(4))
        if line.isHandshake {
            #expect(body == line.body)
            return
        }
        let (ours, theirs) = (try Message(body, encoding: .pickle), try Message(line.body, encoding: .pickle))
        #expect((ours.name, ours.id, ours.isOneWay) == (theirs.name, theirs.id, theirs.isOneWay))
        #expect(ours.arguments == theirs.arguments, "\(ours.name)")
    }

    /// Makes the call that the captured client made next; what the server said then.
    mutating func call(_ call: Call) throws -> [Action] {
        guard case .send(let bytes) = try connection.call(call).action else { return [] }
        try hear(bytes)
        return listen()
    }

    /// Passes over calls that we never make, with their answers, up to the one called `name`.
    mutating func skip(to name: String) throws {
        while let line = lines.first, try Message(line.body, encoding: .pickle).name != name {
            let isAnswered = try !line.fromServer && !Message(line.body, encoding: .pickle).isOneWay
            // A call of our own takes the number, and gets the answer.
            if isAnswered { _ = try connection.call(.getInfo) }
            if line.fromServer { _ = connection.received(line.frame) }
            lines.removeFirst()
        }
        try #require(!lines.isEmpty)
    }
}

extension [ClientConnection.Action] {
    fileprivate var result: Result<WireValue, StorageError>? {
        for case .reply(_, let result) in self { return result }
        return nil
    }
}

@Suite("A server of Zope 2.7's time, played back")
struct PlayedServerTests {
    static let name = "z201-zeo-2.2-py27"
    static let oid = ObjectID(rawValue: 1)
    static let first = TransactionID(0x040d_2732_26e5_9688)
    static let second = TransactionID(0x040d_2732_28f7_61cc)

    @Test("is registered with, read from, written to and undone at")
    func works() throws {
        var server = try PlayedServer(Self.name, "C1")
        let welcome = try server.open()
        #expect(welcome.dialect.description == "Z201")
        #expect(welcome.lastTransaction.hex == "040d27320f3fbeaa")
        #expect(welcome.information.storageName == "z201.fs")
        #expect(welcome.server.undoes && welcome.server.loadsPastBySerial && welcome.server.hasVersions)
        #expect(!welcome.server.iteratesRecords && !welcome.server.keepsBlobs && welcome.serverIsPython2)

        let root = try #require(try Reply.current(server.call(.loadCurrent(.root)).result?.get() ?? .none))
        #expect(root.data.starts(with: Array("(cpersistent.mapping".utf8)))
        #expect((root.serial, root.next) == (welcome.lastTransaction, nil))
        try server.skip(to: "zeoLoad")
        let missing = ObjectID(rawValue: 0xdead)
        #expect(try server.call(.loadCurrent(missing)).result == .failure(.noSuchObject(missing)))

        #expect(try Reply.objectIDs(server.call(.newObjectIDs(1)).result?.get() ?? .none) == [Self.oid])
        let note = WireValue.dict([.init(.nativeString([0x6b]), .integer(1))])
        func data(_ number: UInt8) -> [UInt8] {
            Array("cpersistent.mapping\nPersistentMapping\nq\u{1}.}q\u{2}U\u{4}dataq\u{3}}q\u{4}U\u{1}nq\u{5}K".utf8)
                + [number] + Array("ss.".utf8)
        }
        for (id, serial, tid) in [(11, .none, Self.first), (12, Self.first, Self.second)] as [(Int, TransactionID, _)] {
            #expect(
                try server.call(
                    .begin(id, user: Array("joe".utf8), description: Array("a commit".utf8), extension: note)
                ).result == .success(.none))
            #expect(
                try server.call(.store(Self.oid, serial: serial, data: data(UInt8(id - 10)), in: id)).isEmpty)
            // Which says nothing by itself: `serialnos` came before.
            #expect(try server.call(.vote(id)).result == .success(.list([])))
            #expect(try Reply.finished(server.call(.finish(id)).result?.get() ?? .none) == tid)
        }

        try server.skip(to: "tpc_begin")
        _ = try server.call(.begin(14, user: [], description: [], extension: .dict([])))
        let undone = try server.call(.undo(Self.second, in: 14)).result?.get() ?? .none
        #expect(try Reply.undone(undone) == [Self.oid])
        #expect(try server.call(.vote(14)).result == .success(.list([])))
        _ = try server.call(.finish(14))
        let missed = try server.call(.getInvalidations(since: Self.first)).result?.get() ?? .integer(1)
        #expect(try Reply.invalidations(missed) == nil)
        try server.skip(to: "versions")
        #expect(Reply.versions(try server.call(.versions).result?.get() ?? .none).isEmpty)
        try server.skip(to: "modifiedInVersion")
        #expect(Reply.versions(try server.call(.modifiedInVersion(Self.oid)).result?.get() ?? .none).isEmpty)
        let history = try Reply.history(server.call(.history(Self.oid, limit: 1)).result?.get() ?? .none)
        #expect(history.map(\.transaction.tid.hex) == ["040d27322e399f11"])
        #expect(history[0].transaction.extensionData.isEmpty)
    }

    @Test("tells of the commits of others, and at the vote of a conflict")
    func conflict() throws {
        let lines = try Transcript(Self.name).lines.filter { $0.connection == "C2" }
        let told = try lines.filter { $0.fromServer && !$0.isHandshake }.compactMap {
            let message = try Message($0.body, encoding: .pickle)
            return message.isReply ? nil : try Notification(message)
        }
        #expect(told.contains(.invalidate(Invalidation(tid: Self.second, oids: [Self.oid]))))
        guard case .serials(let outcomes)? = told.first(where: { if case .serials = $0 { true } else { false } }) else {
            return #expect(Bool(false))
        }
        var account = StoreAccount()
        account.sent(.begin(13, user: [], description: [], extension: .dict([])))
        account.sent(.store(Self.oid, serial: Self.first, data: [1], in: 13))
        account.told(outcomes)
        #expect(account.vote() == .failure(.conflict(Self.oid, committed: Self.second, read: Self.first)))
    }
}

@Suite("Servers before generation 5")
struct OldServerTests {
    private static let oid = ObjectID(rawValue: 5)

    /// A server of generation 200, which has no call for its last transaction, ready.
    private static func registered() -> Dialogue {
        var dialogue = Dialogue(readOnly: false)
        _ = dialogue.server(says: "Z200")
        _ = dialogue.server(replies: .none, to: 1)
        _ = dialogue.server(replies: Dialogue.information, to: 2)
        return dialogue
    }

    private static func log(_ tid: TransactionID) -> WireValue {
        .list([.dict([.init(.string("id"), .bytes(Base64.text(of: tid.bytes)))])])
    }

    @Test("the oldest is asked for its last transaction by its log, and again after each commit")
    func oldest() throws {
        var dialogue = Self.registered()
        guard case .ready(let welcome)? = dialogue.server(replies: Self.log(TransactionID(9)), to: 3).first else {
            return #expect(Bool(false))
        }
        #expect(welcome.lastTransaction == TransactionID(9))
        // Others commit: no tid is told, and it is asked for.
        let oids = WireValue.list([.tuple([.bytes(Self.oid.bytes), .string("")])])
        guard case .send? = dialogue.server(notes: "Invalidate", [oids]).first else { return #expect(Bool(false)) }
        #expect(
            dialogue.server(replies: Self.log(TransactionID(12)), to: 4)
                == [.notification(.invalidate(Invalidation(tid: TransactionID(12), oids: [Self.oid])))])
        // A commit of our own: the answer to its end is None.
        _ = try dialogue.connection.call(.begin(1, user: [], description: [], extension: .dict([])))
        _ = try dialogue.connection.call(.store(Self.oid, serial: .none, data: [1], in: 1))
        let finish = try dialogue.connection.call(.finish(1)).id
        #expect(finish == 6)
        guard case .send? = dialogue.server(replies: .none, to: 6).first else { return #expect(Bool(false)) }
        #expect(
            dialogue.server(replies: Self.log(TransactionID(20)), to: 7)
                == [.reply(id: 6, .success(.bytes(TransactionID(20).bytes)))])
        // An answer that tells of a commit of others waits until it is known which objects that was.
        let ping = try #require(try dialogue.connection.call(.ping).id)
        guard case .send? = dialogue.server(notes: "Invalidate", [oids]).first else { return #expect(Bool(false)) }
        #expect(dialogue.server(replies: Self.log(TransactionID(30)), to: ping).isEmpty)
        #expect(
            dialogue.server(replies: Self.log(TransactionID(31)), to: ping + 1)
                == [
                    .notification(.invalidate(Invalidation(tid: TransactionID(31), oids: [Self.oid]))),
                    .reply(id: ping, .success(Self.log(TransactionID(30)))),
                ])
        // It fails with the connection as any other does.
        let last = try #require(try dialogue.connection.call(.lastTransaction).id)
        _ = dialogue.server(notes: "Invalidate", [oids])
        #expect(dialogue.server(replies: Self.log(TransactionID(40)), to: last).isEmpty)
        let ends = dialogue.connection.disconnected("it ended").compactMap { action in
            if case .reply(id: let id, .failure) = action { id } else { nil }
        }
        #expect(ends.contains(last))
    }

    @Test("a store that the server does not account for fails the vote, whatever its answer says")
    func unaccounted() {
        var account = StoreAccount()
        account.sent(.begin(1, user: [], description: [], extension: .dict([])))
        account.sent(.store(Self.oid, serial: .none, data: [1], in: 1))
        account.sent(.storeBlobEnd(.root, serial: .none, data: [1], in: 1))
        account.told(
            [try? StoreOutcome(.tuple([.bytes(ObjectID.root.bytes), .bytes(Array("rs".utf8))]))].compactMap { $0 })
        guard case .failure(.wrongState(let text)) = account.vote() else { return #expect(Bool(false)) }
        #expect(text.contains("\(Self.oid)"))
        account.sent(.begin(2, user: [], description: [], extension: .dict([])))
        #expect(account.vote() == .success(.list([])))
    }

    @Test("which Python a server of generation 4 runs on is known from its first answer", arguments: [true, false])
    func python(isThree: Bool) throws {
        var connection = ClientConnection(.init(address: "a"))
        _ = connection.received(Dialogue.frame("Z4"))
        func answer(_ id: Int64, _ value: WireValue) -> [UInt8] {
            let message = Message(id: .integer(id), name: ".reply", arguments: value)
            return Frame.bytes(message.body(in: .pickle, for: isThree ? .python3 : .python2))
        }
        _ = connection.received(answer(1, .none))
        _ = connection.received(answer(2, .none))
        _ = connection.received(answer(3, Dialogue.information))
        guard case .ready(let welcome)? = connection.received(answer(4, .bytes(TransactionID(9).bytes))).first else {
            return #expect(Bool(false))
        }
        #expect(welcome.serverIsPython2 != isThree)
        // Python 2 closes on opcodes of protocol 3; Python 3 takes what Python 2 writes for text.
        guard case .send(let bytes) = try connection.call(.loadBefore(Self.oid, .latest)).action else {
            return #expect(Bool(false))
        }
        #expect((bytes[4] == 0x80) == isThree)
    }

    @Test("an object that is locked in a version is said to be, with the version's name")
    func locked() {
        let error = WireValue.tuple([
            .global(module: "ZODB.POSException", name: "VersionLockError"),
            .instance(
                .init(
                    callable: .global(module: "ZODB.POSException", name: "VersionLockError"),
                    arguments: .tuple([.bytes(Self.oid.bytes), .string("draft")]))),
        ])
        guard case .wrongState(let text)? = RemoteException(pair: error)?.storageError else {
            return #expect(Bool(false))
        }
        #expect(text.contains("object \(Self.oid) is being changed in the version 'draft'"))
    }

    @Test("a class and its instance are an exception, in each form that servers have sent")
    func exceptions() {
        let type = WireValue.global(module: "ZODB.POSException", name: "POSKeyError")
        let made = WireValue.instance(.init(callable: type, arguments: .tuple([.bytes(Self.oid.bytes)])))
        let rebuilt = WireValue.instance(
            .init(
                callable: .global(module: "ZODB.POSException", name: "_recon"),
                arguments: .tuple([
                    type,
                    .dict([
                        .init(.string("message"), .bytes(Self.oid.bytes)),
                        .init(.string("args"), .tuple([.bytes(Self.oid.bytes)])),
                    ]),
                ])))
        for value in [.tuple([type, made]), .tuple([type, .tuple([type, made])]), .tuple([type, rebuilt])]
            as [WireValue]
        {
            #expect(RemoteException(pair: value)?.storageError == .noSuchObject(Self.oid))
        }
        for value in [.none, .tuple([.bytes([1]), made]), .tuple([type]), .list([])] as [WireValue] {
            #expect(RemoteException(pair: value) == nil)
        }
    }
}
