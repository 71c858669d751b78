internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// Tells whoever waits for whom, and for how long already.
struct WaitNotice: Sendable {
    /// Shorter waits are not spoken of.
    private static let silence = 2.0

    let address: @Sendable () -> String
    let tell: @Sendable (_ address: String, _ seconds: Double) -> Void

    func look(since start: ContinuousClock.Instant) {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        if seconds >= Self.silence { tell(address(), seconds) }
    }
}

/// How long something that comes in parts is waited for: each part for so long.
struct Patience: Sendable {
    var interruption: Interruption
    /// nil: as long as it takes.
    var limit: Duration?
    var address = ""
    var notice: WaitNotice?

    /// - Parameter start: when the last part came.
    /// - Throws: `interrupted`; `connection(.silent)` when the limit is reached.
    func check(since start: ContinuousClock.Instant) throws(StorageError) {
        try interruption.check()
        notice?.look(since: start)
        if let limit, ContinuousClock.now - start >= limit {
            throw .connection(.silent(address: address, seconds: limit / .seconds(1)))
        }
    }
}

extension ZEOClientStorage {
    var patience: Patience {
        Patience(
            interruption: interruption, limit: options.replyTimeout, address: serverAddress, notice: notice)
    }

    /// Does what waits for something in parts; whoever waits in vain suspects the server.
    func suspecting<Value>(_ body: () throws(StorageError) -> Value) throws(StorageError) -> Value {
        do throws(StorageError) {
            return try body()
        } catch {
            switch error {
            case .interrupted, .connection(.silent): suspect()
            default: break
            }
            throw error
        }
    }

    var notice: WaitNotice? {
        options.onWait.map { tell in
            WaitNotice(address: { [weak self] in self?.serverAddress ?? "" }, tell: tell)
        }
    }

    /// Somebody waited for an answer, and does not any more. If the server hangs, the next call is not to be lost on it, too.
    func suspect() {
        guard case .connected(let channel) = state.withLock({ $0.link }) else { return }
        channel.suspect(after: options.greetingTimeout)
    }

    /// How often a read that was under way is made again. A read that a server dies of is not to be tried for ever.
    private static let mostRepetitions = 3
    /// Between two attempts to connect again.
    private static let pause = Duration.milliseconds(200)

    /// Does what changes nothing, and does it again when the connection was lost meanwhile and there is another.
    /// - Throws: what `body` threw last; why no server will do, when it is not only that none answers.
    func repeating<Value>(_ body: () throws(StorageError) -> Value) throws(StorageError) -> Value {
        var repetitions = 0
        while true {
            do throws(StorageError) {
                return try body()
            } catch {
                guard case .connection(.lost) = error, repetitions < Self.mostRepetitions, try reconnect() else {
                    throw error
                }
                repetitions += 1
            }
        }
    }

    /// Connects again for what was under way: at once, and then for as long as was said.
    /// - Returns: whether there is a connection.
    /// - Throws: `interrupted`; `connection` when a server is there and will not do, or when none of several will.
    func reconnect() throws(StorageError) -> Bool {
        let start = ContinuousClock.now
        while true {
            let last: StorageError
            do throws(StorageError) {
                _ = try connectedChannel()
                return true
            } catch {
                if case .interrupted = error { throw error }
                last = error
            }
            guard case .connection(let failure) = last else { return false }
            switch failure {
            // Asked again and again, it would lock us out.
            case .login: throw last
            // There is a verdict on a certificate, or on a file.
            case .tls(_, let problem) where !problem.isAbsence: throw last
            default: break
            }
            if ContinuousClock.now - start >= options.reconnectPatience || isClosed {
                switch failure {
                // Of several, each says why; and without a verdict TLS may have failed for a reason.
                case .noneOf, .tls: throw last
                default: break
                }
                if failure.isAbsence { return false }
                throw last
            }
            try pause(since: start)
        }
    }

    private var isClosed: Bool {
        state.withLock { if case .closed = $0.link { true } else { false } }
    }

    private func pause(since start: ContinuousClock.Instant) throws(StorageError) {
        notice?.look(since: start)
        do throws(StorageError) {
            // Nothing comes: it is the time that is waited for, and the user's word.
            try Waiting<Void>().value(interruption, within: Self.pause, from: name)
        } catch {
            if case .interrupted = error { throw error }
        }
    }
}

extension Call {
    /// It changes nothing, and says the same on another connection.
    var isRepeatable: Bool {
        switch self {
        case .getInfo, .lastTransaction, .ping, .serverStatus, .ownStatus, .getInvalidations, .loadBefore,
            .loadCurrent, .currentSerial, .loadSerial, .versions, .modifiedInVersion, .history, .recordNext, .undoInfo,
            .sendBlob:
            true
        // An oid that nobody uses costs nothing.
        case .newObjectIDs: true
        case .getAuthProtocol, .getChallenge, .answerChallenge, .register, .setClientLabel, .iteratorStart,
            .iteratorNext, .iteratorRecordStart,
            .iteratorRecordNext, .iteratorRelease, .begin, .store, .storeBlobStart, .storeBlobChunk, .storeBlobEnd,
            .requireCurrent, .undo, .vote, .finish, .abort, .pack:
            false
        }
    }
}
