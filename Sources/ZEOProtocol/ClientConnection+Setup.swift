internal import ZODB

extension ClientConnection {
    mutating func greeted(_ greeting: [UInt8], _ actions: inout [Action]) {
        switch Handshake.answer(to: greeting, upTo: configuration.newestGeneration) {
        case .speak(let dialect):
            splitter.limit = configuration.frameLimit
            actions.append(.send(Frame.bytes(Array(dialect.description.utf8))))
            let asksFirst = dialect.generation.hasAuthentication
            proceed(
                Setup(
                    speech: Speech(dialect), announced: String(decoding: greeting, as: UTF8.self),
                    step: asksFirst ? .getAuthProtocol : .register), &actions)
        case .unknown: fail(notZEO(greeting), &actions)
        }
    }

    /// Makes the call of the setup's step.
    mutating func proceed(_ setup: Setup, _ actions: inout [Action]) {
        let call: Call =
            switch setup.step {
            case .getAuthProtocol: .getAuthProtocol
            case .getChallenge: .getChallenge
            case .answerChallenge: answer(to: setup.challenge)
            case .register: .register(storage: configuration.storage, readOnly: configuration.readOnly)
            case .getInfo: .getInfo
            case .lastTransaction: .lastTransaction
            case .getInvalidations: .getInvalidations(since: configuration.knownTransaction ?? .none)
            case .root: rootCall(setup)
            case .iterator: .iteratorStart(first: configuration.knownTransaction, last: configuration.knownTransaction)
            case .transaction(let iterator): .iteratorNext(iterator)
            }
        do throws(StorageError) {
            let (_, action) = try start(call, setup.speech)
            phase = .setup(setup)
            actions.append(action)
        } catch {
            fail(protocolError(error.description), &actions)
        }
    }

    /// The answer to the setup's current step.
    mutating func settle(_ message: Message, _ setup: Setup, _ actions: inout [Action]) {
        var setup = setup
        let generation = setup.speech.dialect.generation
        do {
            let exception = try exception(in: message, generation)
            if setup.isRecognizing {
                return try recognize(exception == nil ? message.arguments : nil, setup, &actions)
            }
            if let exception {
                return fail(setup.step.isLogin ? .connection(loginRefusal(exception)) : refusal(exception), &actions)
            }
            let value = message.arguments
            switch setup.step {
            case .getAuthProtocol: try loginKind(value, &setup)
            case .getChallenge: try challenged(value, &setup)
            case .answerChallenge: try loggedIn(value, &setup)
            case .register:
                if generation.registrationTellsLastTransaction {
                    setup.lastTransaction = try Reply.transaction(value, of: "register")
                    if case .nativeString = value { setup.serverIsPython2 = true }
                    catchUp(&setup)
                } else {
                    setup.serverIsPython2 = setup.speech.reader == .python2
                    setup.step = .getInfo
                }
            case .lastTransaction:
                setup.lastTransaction = try Reply.lastTransaction(value, in: generation)
                catchUp(&setup)
            case .getInvalidations:
                if let invalidation = try Reply.invalidations(value) {
                    setup.lastTransaction = max(setup.lastTransaction, invalidation.tid)
                    setup.missed = .objects(invalidation.oids)
                } else {
                    setup.missed = .unknown
                }
                setup.step = .getInfo
            case .getInfo:
                setup.information = try ServerInformation(value)
                if !generation.registrationTellsLastTransaction { setup.step = .lastTransaction }
            case .root, .iterator, .transaction: return
            }
        } catch let failure as ConnectionFailure {
            return fail(failure, &actions)
        } catch {
            return fail(protocolError("\(error)"), &actions)
        }
        if let known = configuration.knownTransaction, configuration.refusesOlder, setup.isBehind {
            fail(.behind(address: address, last: setup.lastTransaction, seen: known), &actions)
        } else if setup.step == .getInfo, let information = setup.information {
            if configuration.isOneOfSeveral, setup.lastTransaction > .none {
                setup.step = .root
                proceed(setup, &actions)
            } else {
                finish(setup, information, &actions)
            }
        } else {
            proceed(setup, &actions)
        }
    }

    /// Asks for what was missed, where something was. The next step after that is the information, unless it is here.
    private func catchUp(_ setup: inout Setup) {
        setup.step = .getInfo
        guard let known = configuration.knownTransaction, known != setup.lastTransaction else { return }
        if known < setup.lastTransaction, setup.speech.dialect.generation.hasLastTransaction {
            setup.step = .getInvalidations
        } else {
            setup.missed = .unknown
            // Generation 200 tells the last that can be undone, and no other.
            setup.isBehind = setup.speech.dialect.generation.hasLastTransaction
        }
    }

    mutating func finish(_ setup: Setup, _ information: ServerInformation, _ actions: inout [Action]) {
        // Servers that know no logins do not ask.
        let login = configuration.login != nil && setup.login == .none ? .notAsked : setup.login
        phase = .ready(setup.speech)
        if let label = configuration.label, let (_, action) = try? start(.setClientLabel(label), setup.speech) {
            actions.append(action)
        }
        actions.append(
            .ready(
                Welcome(
                    dialect: setup.speech.dialect, lastTransaction: setup.lastTransaction, missed: setup.missed,
                    information: information, serverIsPython2: setup.serverIsPython2, login: login,
                    recollection: setup.recollection)))
        for notification in setup.queued { deliver(notification, setup.speech, &actions) }
    }

    private func exception(
        in message: Message, _ generation: Generation
    ) throws(MalformedReply) -> RemoteException? {
        guard generation.flagsExceptions else { return RemoteException(pair: message.arguments) }
        return message.isException ? try RemoteException(message.arguments) : nil
    }

    private func refusal(_ exception: RemoteException) -> StorageError {
        if exception.shortName == "ValueError", exception.message.hasPrefix("unknown storage") {
            return .connection(.unknownStorage(address: configuration.address, name: configuration.storage))
        }
        if exception.shortName == "ReadOnlyError" {
            return .readOnly("the server \(configuration.address), storage '\(configuration.storage)'")
        }
        if exception.shortName == "AuthError" { return .connection(login(.refused(exception.message))) }
        return .connection(lost("the server raised \(exception.className): \(exception.message)"))
    }
}
