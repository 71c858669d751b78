import ByteCoding
import Testing
import ZEOProtocol

/// A session of ZEO 4.3.1 on Python 2.7: user joe, realm testrealm, password secret.
@Suite("Digest login")
struct DigestLoginTests {
    private static let chance = Hexadecimal.bytes("2845daa41d37de42624b31c97918ee0d8393b223") ?? []
    private static let hash = DigestLogin.hash(user: "joe", realm: "testrealm", password: "secret")
    private let login = DigestLogin(realm: "testrealm", challenge: chance, nonce: chance)
    private static let response = Array("697477d22e4c5d7c7fb924ecf03c1c8d293c9c7e".utf8)

    @Test("the answer that a real client gave is right, and no other")
    func check() {
        #expect(Self.hash == "5368f73142f435424e0f80ac0571e3c9d1c7b02a")
        #expect(
            login.value
                == .tuple([
                    .string("testrealm"), .string("2845daa41d37de42624b31c97918ee0d8393b223"),
                    .string("2845daa41d37de42624b31c97918ee0d8393b223"),
                ]))
        guard case .right = login.check(Self.response, hash: Self.hash) else {
            Issue.record("the right answer was refused")
            return
        }
        #expect(login.check(Self.response.dropLast() + [0x30], hash: Self.hash) == .wrong)
        #expect(login.check([], hash: Self.hash) == .wrong)
        let other = DigestLogin.hash(user: "joe", realm: "testrealm", password: "Secret")
        #expect(login.check(Self.response, hash: other) == .wrong)
    }

    @Test("the codes of the session's messages, each about all before it")
    func codes() {
        guard case .right(let key) = login.check(Self.response, hash: Self.hash) else { return }
        #expect(key.count == 60)
        var client = MessageAuthenticator(key: key)
        // register, lastTransaction, get_info, loadBefore
        for (body, code) in [
            ("284b034930300a5508726567697374657228550131" + "4b0074742e", "29b7ec181a58bed00002471c8030d1e84d2c1eb3"),
            (
                "284b044930300a550f6c6173745472616e73616374696f6e29742e",
                "80bf90b80b293468b07b5f06785233ec30eb2d54"
            ),
            ("284b054930300a55086765745f696e666f29742e", "1c9f93d1b6f51aa5144ef34ce36ac7e84681661d"),
            (
                "284b064930300a550a6c6f61644265666f726528550800000000000000005508" + "7fffffffffffffff74742e",
                "9c4784acf0a2a3fd4fbf410f6a54f7e50ec4da99"
            ),
        ] {
            let found = client.code(of: Hexadecimal.bytes(body) ?? [])
            #expect(Hexadecimal.text(found) == code)
        }
        var server = MessageAuthenticator(key: key)
        let reply = Hexadecimal.bytes("284b034b0055062e7265706c794e742e") ?? []
        let code = Hexadecimal.bytes("09e9df415a628c705761eb050017f6365accad88") ?? []
        let isRight = server.verify(reply, code)
        #expect(isRight)
        // The same once more is another message.
        let isRightAgain = server.verify(reply, code)
        #expect(!isRightAgain)
    }
}
