internal import ZODB

/// What a login came to.
public enum LoginOutcome: Hashable, Sendable {
    /// Nobody asked, and nobody offered.
    case none
    /// There was one to give, and the server asks for none.
    case notAsked
    /// We are `user` there.
    case loggedIn(user: String, realm: String)
}

/// The login, between the greeting and the registration.
///
///     C: getAuthProtocol   S: None, or 'digest'   C: auth_get_challenge   S: realm, challenge, nonce
///     C: auth_response     S: True                … and every message from then on with its code
extension ClientConnection {
    /// The server's answer to which kind of login it asks for.
    mutating func loginKind(_ value: WireValue, _ setup: inout Setup) throws(ConnectionFailure) {
        setup.step = .register
        guard !value.isNone else {
            if configuration.login != nil { setup.login = .notAsked }
            return
        }
        let kind = WireValue.escaped(value.rawBytes ?? Array(value.description.utf8), keepingText: true)
        guard kind == "digest" else { throw login(.unknownKind(kind)) }
        guard configuration.login != nil else { throw login(.wanted(kind: kind)) }
        setup.step = .getChallenge
    }

    /// The server's challenge.
    mutating func challenged(_ value: WireValue, _ setup: inout Setup) throws(ConnectionFailure) {
        guard let credentials = configuration.login, let challenge = DigestLogin(value) else {
            throw protocolError("auth_get_challenge: unexpected value \(value)")
        }
        if let expected = credentials.realm, expected != challenge.realm {
            let found = WireValue.escaped(Array(challenge.realm.utf8), keepingText: true)
            throw login(.otherRealm(expected: expected, found: found))
        }
        setup.challenge = challenge
        setup.step = .answerChallenge
    }

    /// The call that answers a challenge.
    func answer(to challenge: DigestLogin?) -> Call {
        guard let challenge, let credentials = configuration.login else { return .getChallenge }
        return .answerChallenge(
            user: credentials.user, challenge: challenge.challenge,
            proof: challenge.proof(hash: challenge.hash(of: credentials)))
    }

    /// What the server says of our answer. From the next message on, both sides prove all they send.
    mutating func loggedIn(_ value: WireValue, _ setup: inout Setup) throws(ConnectionFailure) {
        guard let credentials = configuration.login, let challenge = setup.challenge, value.integer != nil else {
            throw protocolError("auth_response: unexpected value \(value)")
        }
        guard value.isTrue else { throw login(.wrongPassword(user: credentials.user)) }
        let key = challenge.key(hash: challenge.hash(of: credentials))
        incoming = MessageAuthenticator(key: key)
        outgoing = MessageAuthenticator(key: key)
        splitter.hasCodes = true
        setup.challenge = nil
        setup.login = .loggedIn(user: credentials.user, realm: challenge.realm)
        setup.step = .register
    }

    /// What an exception during the login means.
    func loginRefusal(_ exception: RemoteException) -> ConnectionFailure {
        if exception.shortName == "LookupError" || exception.shortName == "KeyError",
            let user = configuration.login?.user
        {
            return login(.noSuchUser(user))
        }
        return login(.refused("\(exception.className): \(exception.message)"))
    }

    /// Whether a message is proved as it has to be. Ends the connection where it is not.
    mutating func isProved(_ part: FrameSplitter.Part, _ actions: inout [Action]) -> Bool {
        guard incoming != nil else { return true }
        provedCount += 1
        guard incoming?.verify(part.body, part.code) ?? true else {
            fail(login(.unproven("message \(provedCount) after the login has a wrong code")), &actions)
            return false
        }
        return true
    }

    func login(_ failure: LoginFailure) -> ConnectionFailure { .login(address: configuration.address, failure) }
}
