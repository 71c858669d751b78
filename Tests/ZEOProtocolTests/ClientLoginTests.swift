import ByteCoding
import TestSupport
import Testing
import ZODB

@testable import ZEOProtocol

/// A connection that logs in, and the server's side of it.
private struct LoginDialogue {
    typealias Action = ClientConnection.Action

    var connection: ClientConnection
    let challenge = DigestLogin(
        realm: "testrealm", challenge: Array(repeating: 7, count: 20), nonce: Array(repeating: 9, count: 20))
    static let hash = DigestLogin.hash(user: "joe", realm: "testrealm", password: "secret")
    /// The server's codes.
    var sealing: MessageAuthenticator?
    private var lastID: Int64 = 0

    init(_ login: Credentials? = Credentials(user: "joe", password: "secret")) {
        connection = ClientConnection(.init(address: "db:8800", login: login))
        _ = connection.received(Frame.bytes(Array("Z4".utf8)))
    }

    func frame(_ value: WireValue, id: Int64, code: (([UInt8]) -> [UInt8]?) = { _ in nil }) -> [UInt8] {
        let body = Message(id: .integer(id), name: ".reply", arguments: value).body(in: .pickle, for: .python2)
        return Frame.bytes(body, code: code(body))
    }

    /// The server answers the call under way, with a code once it has some to give.
    mutating func answer(_ value: WireValue) -> [Action] {
        lastID += 1
        let body = Message(id: .integer(lastID), name: ".reply", arguments: value).body(in: .pickle, for: .python2)
        return connection.received(Frame.bytes(body, code: sealing?.code(of: body)))
    }

    mutating func raise(_ module: String, _ name: String, _ message: String) -> [Action] {
        let type = WireValue.global(module: module, name: name)
        return answer(
            .tuple([type, .instance(.init(callable: type, arguments: .tuple([.string(message)])))]))
    }

    /// From the greeting to the answer that lets us in.
    mutating func logIn() -> [Action] {
        _ = answer(.string("digest"))
        _ = answer(challenge.value)
        let actions = answer(.bool(true))
        sealing = MessageAuthenticator(key: challenge.key(hash: Self.hash))
        return actions
    }

    static func failure(_ actions: [Action]) -> LoginFailure? {
        for case .close(.connection(.login(address: "db:8800", let failure))) in actions { return failure }
        return nil
    }
}

@Suite("A client's login")
struct ClientLoginTests {
    @Test("a captured server is answered as its own client did, and its codes are right, byte for byte")
    func captured() throws {
        let lines = try Transcript("z4-auth-digest-zeo-4.3.1-py27").lines
        var connection = ClientConnection(
            .init(address: "db", readOnly: false, login: Credentials(user: "joe", password: "secret")))
        // Python counts from 0.
        connection.lastID = -1
        var sent: [[UInt8]] = []
        // Up to the registration, whose answer bears the first code.
        for line in lines.prefix(11) where line.fromServer {
            for action in connection.received(line.frame) {
                guard case .send(let bytes) = action else {
                    Issue.record("\(action)")
                    continue
                }
                sent.append(bytes)
            }
        }
        let theirs = lines.filter { !$0.fromServer }.map(\.frame)
        #expect(sent.count == 6)
        #expect(sent[0] == theirs[0])
        for (ours, theirs) in zip(sent, theirs).dropFirst().prefix(3) {
            let (ours, theirs) = (
                try Message(Array(ours.dropFirst(4)), encoding: .pickle),
                try Message(
                    Array(theirs.dropFirst(4)), encoding: .pickle)
            )
            #expect((ours.name, ours.id, ours.arguments) == (theirs.name, theirs.id, theirs.arguments))
        }
        // The key that the captured client had made, and what it makes of our messages.
        let challenge = DigestLogin(
            realm: "testrealm", challenge: Hexadecimal.bytes("2845daa41d37de42624b31c97918ee0d8393b223") ?? [],
            nonce: Hexadecimal.bytes("2845daa41d37de42624b31c97918ee0d8393b223") ?? [])
        var codes = MessageAuthenticator(key: challenge.key(hash: "5368f73142f435424e0f80ac0571e3c9d1c7b02a"))
        for frame in sent.suffix(2) {
            #expect(frame.first == 0x80)
            #expect(codes.code(of: Array(frame.dropFirst(24))) == Array(frame[4..<24]))
        }
        // The next of the server's messages has the right code as well; with any bit of it changed, it is the end.
        let next = try #require(lines.dropFirst(11).first { $0.fromServer })
        for index in 4..<next.frame.count {
            var (changed, frame) = (connection, next.frame)
            frame[index] ^= 1
            let actions = changed.received(frame)
            guard case .close(.connection(.login(_, .unproven)))? = actions.first else {
                Issue.record("byte \(index): \(actions)")
                continue
            }
        }
        // It is the answer to another call than ours, and that is all that is wrong with it.
        guard case .close(.connection(.protocolError))? = connection.received(next.frame).first else {
            Issue.record("the code was refused")
            return
        }
    }

    @Test("after the login every message has its code, both ways, and the outcome is told")
    func sealed() throws {
        var dialogue = LoginDialogue()
        var ours = MessageAuthenticator(key: dialogue.challenge.key(hash: LoginDialogue.hash))
        func isSealed(_ actions: [ClientConnection.Action]) -> Bool {
            guard case .send(let bytes)? = actions.first, actions.count == 1 else { return false }
            return bytes.first == 0x80 && ours.verify(Array(bytes.dropFirst(24)), Array(bytes[4..<24]))
        }
        #expect(isSealed(dialogue.logIn()))
        #expect(isSealed(dialogue.answer(.none)))
        #expect(isSealed(dialogue.answer(Dialogue.information)))
        guard case .ready(let welcome)? = dialogue.answer(.bytes(TransactionID(9).bytes)).last else {
            Issue.record("not ready")
            return
        }
        #expect(welcome.login == .loggedIn(user: "joe", realm: "testrealm"))
        #expect(isSealed(dialogue.connection.minutePassed()))
        #expect(isSealed([try dialogue.connection.call(.ping).action]))
    }

    @Test("a code that is missing, wrong, repeated or from before is the end, and is said")
    func unproven() throws {
        var opened = LoginDialogue()
        _ = opened.logIn()
        let plain = opened.frame(.none, id: 4)
        var missing = opened.connection
        #expect(
            LoginDialogue.failure(missing.received(plain)) == .unproven("message 1 after the login has no code"))
        var wrong = opened.connection
        let forged = opened.frame(.none, id: 4) { _ in Array(repeating: 1, count: 20) }
        #expect(
            LoginDialogue.failure(wrong.received(forged)) == .unproven("message 1 after the login has a wrong code"))
        var repeated = opened
        var code = try #require(opened.sealing)
        let right = opened.frame(.none, id: 4) { code.code(of: $0) }
        #expect(LoginDialogue.failure(repeated.connection.received(right)) == nil)
        #expect(
            LoginDialogue.failure(repeated.connection.received(right))
                == .unproven("message 2 after the login has a wrong code"))
        // A code without a login is none of the protocol.
        var early = LoginDialogue()
        guard case .close(.connection(.protocolError))? = early.connection.received(forged).first else {
            Issue.record("a code was taken before there was a login")
            return
        }
    }

    @Test("every way not to get in has its own words")
    func failures() {
        func failure(_ login: Credentials?, _ play: (inout LoginDialogue) -> [ClientConnection.Action]) -> LoginFailure?
        {
            var dialogue = LoginDialogue(login)
            return LoginDialogue.failure(play(&dialogue))
        }
        let joe = Credentials(user: "joe", password: "secret", realm: "other")
        #expect(failure(nil) { $0.answer(.string("digest")) } == .wanted(kind: "digest"))
        #expect(failure(nil) { $0.answer(.string("srp")) } == .unknownKind("srp"))
        #expect(failure(joe) { $0.answer(.string("plaintext")) } == .unknownKind("plaintext"))
        #expect(failure(joe) { $0.answer(.integer(5)) } == .unknownKind("5"))
        #expect(
            failure(joe) { dialogue in
                _ = dialogue.answer(.string("digest"))
                return dialogue.answer(dialogue.challenge.value)
            } == .otherRealm(expected: "other", found: "testrealm"))
        func answering(_ answer: @escaping (inout LoginDialogue) -> [ClientConnection.Action]) -> LoginFailure? {
            failure(Credentials(user: "joe", password: "x")) { dialogue in
                _ = dialogue.answer(.string("digest"))
                _ = dialogue.answer(dialogue.challenge.value)
                return answer(&dialogue)
            }
        }
        #expect(answering { $0.answer(.bool(false)) } == .wrongPassword(user: "joe"))
        #expect(answering { $0.answer(.integer(0)) } == .wrongPassword(user: "joe"))
        #expect(
            answering { $0.raise("exceptions", "LookupError", "No such user: joe") } == .noSuchUser("joe"))
        #expect(
            answering { $0.raise("exceptions", "ValueError", "invalid challenge") }
                == .refused("exceptions.ValueError: invalid challenge"))
        #expect(
            answering { $0.connection.disconnected("the server closed the connection") }
                == .refused("the server closed the connection"))
        // Without users the server may still refuse to register us.
        #expect(
            failure(nil) { dialogue in
                _ = dialogue.answer(.none)
                return dialogue.raise("ZEO.Exceptions", "AuthError", "Client was never authenticated with server!")
            } == .refused("Client was never authenticated with server!"))
    }

    @Test("a login that nobody asked for is no error, whatever the generation", arguments: ["Z4", "Z5", "Z200"])
    func notAsked(greeting: String) throws {
        var connection = ClientConnection(.init(address: "db", login: Credentials(user: "joe", password: "x")))
        var answers: [WireValue] = [.none, .none, Dialogue.information, .bytes(TransactionID(9).bytes)]
        if greeting == "Z5" { answers = [.bytes(TransactionID(9).bytes), Dialogue.information] }
        if greeting == "Z200" { answers = [.none, Dialogue.information, .list([])] }
        var actions = connection.received(Frame.bytes(Array(greeting.utf8)))
        for (index, answer) in answers.enumerated() {
            let message = Message(id: .integer(Int64(index + 1)), name: ".reply", arguments: answer)
            actions = connection.received(Frame.bytes(message.body(in: .pickle, for: .python2)))
        }
        guard case .ready(let welcome)? = actions.last else {
            Issue.record("\(actions)")
            return
        }
        #expect(welcome.login == .notAsked)
    }

    @Test("nonsense at any step of the login ends the connection with an error")
    func nonsense() {
        let values: [WireValue] = [
            .none, .bool(true), .integer(-1), .string(""), .bytes(Array(repeating: 0xff, count: 40)), .tuple([]),
            .tuple([.none, .none, .none]), .tuple([.string("r"), .string("c")]), .dict([]), .list([.list([])]),
            .tuple([.string("r"), .bytes([0xff]), .string("n")]),
            .tuple([.string("r"), .string(String(repeating: "c", count: 2000)), .string("n")]),
            .global(module: "os", name: "system"),
        ]
        for step in 0..<3 {
            for value in values {
                var dialogue = LoginDialogue()
                if step > 0 { _ = dialogue.answer(.string("digest")) }
                if step > 1 { _ = dialogue.answer(dialogue.challenge.value) }
                let actions = dialogue.answer(value)
                let goesOn = (step == 0 && value == .none) || (step == 2 && value == .bool(true))
                if goesOn {
                    #expect(actions.count == 1)
                } else if step == 2, value == .integer(-1) {
                    // As Python's `if` takes it.
                    #expect(actions.count == 1)
                } else {
                    guard case .close(.connection)? = actions.first else {
                        Issue.record("step \(step), \(value): \(actions)")
                        continue
                    }
                }
            }
        }
    }

    @Test("flipped and cut streams of a login are errors, never traps", arguments: 0..<50 as Range<UInt64>)
    func hostile(seed: UInt64) throws {
        let stream = try Transcript("z4-auth-digest-zeo-4.3.1-py27").serverFrames("C1").prefix(6).flatMap { $0 }
        var random = SeededGenerator(state: seed)
        for _ in 0..<20 {
            var connection = ClientConnection(
                .init(address: "db", readOnly: false, login: Credentials(user: "joe", password: "secret")))
            connection.lastID = -1
            var bytes = stream
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: 6..<bytes.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
            }
            bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
            var closed = 0
            for start in stride(from: 0, to: bytes.count, by: 7) {
                for case .close in connection.received(Array(bytes[start...].prefix(7))) { closed += 1 }
            }
            for case .close in connection.disconnected("end") { closed += 1 }
            #expect(closed == 1)
        }
    }

    @Test("a password is in no text that is made of it")
    func secrecy() {
        let login = Credentials(user: "joe", password: "geheim", realm: "r")
        let configuration = ClientConnection.Configuration(address: "db", login: login)
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(login)", String(reflecting: login), "\(configuration)", dumped] {
            #expect(!text.contains("geheim") && text.contains("joe"))
        }
    }
}
