internal import Logging
internal import NIOCore
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// Who a client is, and what it may do: logins, registration, roles.
extension ClientHandler {
    /// What may be called before `register`.
    func performUnregistered(_ call: ServerCall, _ reply: ServerConnection.Reply) {
        switch call {
        case .getAuthProtocol: answer(reply, server.policy.logins == nil ? .none : .string("digest"))
        case .register(let name, let isReadOnly): register(name, isReadOnly, reply)
        case .getChallenge, .answerChallenge:
            guard let logins = server.policy.logins else {
                return refuse(reply, .notImplemented("no authentication is configured"))
            }
            logIn(call, logins, reply)
        default: refuse(reply, .notImplemented("this call needs a storage"))
        }
    }

    // MARK: Logins

    private func logIn(_ call: ServerCall, _ logins: DigestLogins, _ reply: ServerConnection.Reply) {
        guard served == nil, identity.user == nil else {
            return refuse(reply, .valueError("a client logs in once, and before it registers"))
        }
        switch call {
        case .getChallenge:
            var random = SystemRandomNumberGenerator()
            func bytes() -> [UInt8] { (0..<20).map { _ in UInt8.random(in: .min ... .max, using: &random) } }
            let challenge = DigestLogin(realm: logins.realm, challenge: bytes(), nonce: bytes())
            login.challenge = challenge
            answer(reply, challenge.value)
        case .answerChallenge(let user, let challenge, let response):
            let open = login.challenge
            // Once: what was overheard is worth nothing afterwards.
            login.challenge = nil
            guard let open, challenge == Array(open.challenge.utf8) else {
                return loginFailed(reply, "its answer is to a challenge that it was not given") { client in
                    client.refuse(reply, .valueError("invalid challenge"))
                }
            }
            let name = String(decoding: user, as: UTF8.self)
            guard Array(name.utf8) == user, let hash = logins.passwordHash(name) else {
                return loginFailed(reply, "there is no user \(LogText.printable(name))") { client in
                    client.refuse(reply, .lookupError("No such user: \(LogText.printable(name))"))
                }
            }
            guard case .right(let key) = open.check(response, hash: hash) else {
                return loginFailed(reply, "wrong password for \(LogText.printable(name))") { client in
                    client.answer(reply, .bool(false))
                }
            }
            identity.user = name
            logger.debug("\(self.name) logged in as \(LogText.printable(name))")
            answer(reply, .bool(true))
            login.begin(key: key)
        default: break
        }
    }

    private func loginFailed(
        _ reply: ServerConnection.Reply, _ why: String, _ respond: (ClientHandler) -> Void
    ) {
        noteRefusal("failed to log in: \(why)")
        login.failures += 1
        respond(self)
        if login.failures >= LoginState.mostFailures { close(because: "it failed to log in \(login.failures) times") }
    }

    // MARK: Registration

    private func register(_ name: String, _ wantsReadOnly: Bool, _ reply: ServerConnection.Reply) {
        guard let served = server.storages[name] else {
            let known = server.storages.keys.sorted().joined(separator: ", ")
            noteRefusal("asks for storage '\(LogText.printable(String(name.prefix(100))))'; there are: \(known)")
            return refuse(reply, .valueError("unknown storage: \(name.prefix(100))"))
        }
        let permissions = server.policy.authorization?(identity, name) ?? .all
        if let refusal = refusal(of: served, permissions) {
            noteRefusal("is not let in to storage \(served.name): \(refusal.reason)")
            return refuse(reply, refusal.exception)
        }
        guard wantsReadOnly || served.writable != nil else {
            noteRefusal("wants to write to storage \(served.name), which is read-only")
            return refuse(reply, .readOnly)
        }
        guard wantsReadOnly || permissions.contains(.write) else {
            noteRefusal("may not write to storage \(served.name): it may \(permissions)")
            return refuse(reply, .readOnly)
        }
        do throws(StorageError) {
            let tid = try served.publications.standingStill { (count) throws(StorageError) in
                cursor = count
                return try served.lastTransaction()
            }
            self.served = served
            self.permissions = permissions
            isReadOnly = wantsReadOnly
            connection.registered()
            served.statistics.withLock { $0.connections += 1 }
            let tells = connection.generation.registrationTellsLastTransaction
            logger.info(
                "\(self.name)\(identity.suffix) registered for storage \(served.name) in \(connection.generation)\(wantsReadOnly ? ", read-only" : "")"
            )
            // Before any news: a client that has not registered does not listen to them.
            if !reply.isOneWay { send(connection.body(of: reply, tells ? .bytes(tid.bytes) : .none)) }
        } catch {
            refuse(reply, PythonException(error))
        }
    }

    /// Why this client may not come in, and what it is told; nil when it may.
    ///
    /// Where there are roles, they alone decide. Without, a server that has users asks for a login, and takes a verified
    /// certificate in its place: ZEO 5 and later cannot log in.
    private func refusal(
        of served: ServedStorage, _ permissions: Permissions
    ) -> (reason: String, exception: PythonException)? {
        let canLogIn = connection.generation.hasAuthentication
        let isLoginMissing = server.policy.logins != nil && identity.user == nil
        if server.policy.authorization != nil {
            guard !permissions.contains(.read) else { return nil }
            if isLoginMissing, canLogIn {
                return ("it has not logged in, and no role lets it read without", .notAuthenticated)
            }
            return ("no role lets it read", .forbidden("no role lets this client read storage \(served.name)"))
        }
        guard isLoginMissing, identity.certificate == nil else { return nil }
        guard !canLogIn else { return ("it has not logged in", .notAuthenticated) }
        let reason =
            "this server asks for a login, which clients of ZEO 5 and later do not have; they need TLS or a role"
        return (reason, .authentication(reason))
    }

    // MARK: Permissions

    /// Whether the client may do this; if not, that is the answer.
    func mayDo(_ call: ServerCall, _ reply: ServerConnection.Reply) -> Bool {
        // That one has no answer; its refusal waits for the vote.
        if case .undoAtVote = call { return true }
        guard let refusal = refusal(of: call) else { return true }
        refuse(reply, refusal)
        return false
    }

    /// Why the client may not do this; nil when it may.
    func refusal(of call: ServerCall) -> PythonException? {
        let (needed, what): (Permissions, String)
        switch call {
        case .pack: (needed, what) = (.pack, "pack")
        case .undoNow, .undoAtVote: (needed, what) = (.undo, "undo transactions of")
        case .serverStatus, .ownStatus: (needed, what) = (.admin, "see the status of")
        default: return nil
        }
        guard !permissions.isSuperset(of: needed), let served else { return nil }
        noteRefusal("may not \(what) storage \(served.name): its roles allow \(permissions)")
        return .forbidden("this client may not \(what) storage \(served.name): its roles allow \(permissions)")
    }
}

extension ClientHandler {
    /// Says in the log what this client was refused, and why; the same of one host at most once a minute: clients that
    /// are not let in try again, some of them many times a second.
    func noteRefusal(_ what: String) {
        isRefused = true
        let host = identity.address == nil ? "local" : peer.lastIndex(of: ":").map { String(peer[..<$0]) } ?? peer
        let text = identity.suffix + what
        guard let untold = server.refusals.withLock({ $0.admit(text, of: host, at: Clock.now()) }) else { return }
        let more = untold == 0 ? "" : " (and \(untold) times more since this was said last)"
        logger.notice("\(self.name)\(identity.suffix) \(what)\(more)")
    }
}

extension ClientHandler {
    /// Says why a client that leaves before it has registered may have left: Python's clients do it without a word, and try
    /// again for ever.
    func noteDeparture() {
        guard !isRefused, !server.isEnding.load(ordering: .relaxed) else { return }
        guard connection.dialect != nil else {
            guard connection.announced.encoding == .messagePack, server.policy.tls == nil || identity.certificate != nil
            else { return }
            return noteRefusal(
                "went away when it was greeted with \(connection.announced): a client of ZEO before 5.1 does not know that "
                    + "(msgpack is on), or somebody tried the port")
        }
        guard server.policy.logins != nil, connection.generation.hasAuthentication, identity.user == nil else { return }
        noteRefusal(
            "went away without a login, which this server asks for: 'username' and 'password' in its <zeoclient>")
    }
}

extension SocketAddress {
    /// The bytes of the address, 4 or 16; nil of a Unix socket. IPv4 in IPv6 is IPv4.
    var clientBytes: [UInt8]? {
        // `sockaddr_in` is family u16, port u16, address; `sockaddr_in6` has a flow u32 before the address.
        switch self {
        case .v4(let address): return withUnsafeBytes(of: address.address) { Array($0[4..<8]) }
        case .v6(let address):
            let bytes = withUnsafeBytes(of: address.address) { Array($0[8..<24]) }
            let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
            return bytes.starts(with: mapped) ? Array(bytes.dropFirst(12)) : bytes
        case .unixDomainSocket: return nil
        }
    }
}
