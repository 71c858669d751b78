internal import ClientCache
internal import Synchronization
public import ZODB

/// What goes on while the server is away: reading what is known.
extension ZEOClientStorage: CachingStorage {
    /// Since when there is no connection, and what came of the last attempt to make one.
    struct Away {
        var absence: Absence
        /// When a read last tried in vain.
        var lastRead: ContinuousClock.Instant?
    }

    /// Reads do not try again within this time: a listing asks for hundreds of objects, and each attempt may take long.
    private static let pause = Duration.seconds(2)

    public var absence: Absence? { state.withLock { $0.away?.absence } }

    public func takeRemarks() -> [String] {
        // Whoever asks is about to read: what he has read already may have to be read again.
        if isConnected { settleCache() }
        defer { closeGivenUpFiles() }
        return state.withLock { state in
            state.view.lookAfterFile()
            return state.view.takeRemarks()
        }
    }

    public var rereadings: Int { state.withLock { $0.view.rereadings } }

    /// Whether reading can begin without a server, after this error: there is a cache file with something in it, and not of
    /// another server. (That of an address that was mistyped would show another database.)
    func canBegin(without error: StorageError) -> Bool {
        guard error.isAbsence else { return false }
        // Who forgot the certificate is to hear of that.
        if case .connection(let failure) = error, failure.mayBeRefusal { return false }
        let canRead = state.withLock { state in
            guard let file = state.view.cacheFile, !file.isEmpty else { return false }
            if file.otherSource != nil { return false }
            state.noteAway(error)
            return true
        }
        return canRead
    }

    /// A channel for reading at `tid`; connects when there is none, unless a read has just tried that in vain.
    /// - Throws: `connection(.away)` where the state at `tid` is known, as far as anything of it is.
    func readingChannel(at tid: TransactionID) throws(StorageError) -> ClientChannel {
        let absence = state.withLock { state -> Absence? in
            guard case .disconnected = state.link, let away = state.away, let last = away.lastRead,
                tid <= state.view.lastTransaction, last.duration(to: .now) < Self.pause
            else { return nil }
            return away.absence
        }
        if let absence { throw away(absence) }
        do throws(StorageError) {
            return try connectedChannel()
        } catch {
            throw readingError(error, at: tid)
        }
    }

    /// What a read at `tid` says when it fails with `error`.
    func readingError(_ error: StorageError, at tid: TransactionID) -> StorageError {
        guard error.isAbsence else { return error }
        let absence = state.withLock { state -> Absence? in
            guard tid <= state.view.lastTransaction, state.view.lastTransaction != .none else { return nil }
            state.noteAway(error)
            state.away?.lastRead = .now
            return state.away?.absence
        }
        return absence.map { away($0) } ?? error
    }

    /// Names the cache file where it is that which does not tell of an object.
    func explained(_ error: StorageError, of oid: ObjectID) -> StorageError {
        guard case .connection(.away(let address, let since, let why)) = error,
            let damage = state.withLock({ $0.view.damage(of: oid) })
        else { return error }
        return .connection(.away(address: address, since: since, "\(damage); \(why)"))
    }

    private func away(_ absence: Absence) -> StorageError {
        .connection(.away(address: name, since: absence.since, absence.why))
    }
}

extension ZEOClientStorage.State {
    /// There is no connection, because of `error`; it began now, unless there was none before.
    mutating func noteAway(_ error: StorageError) {
        if case .connected = link { return }
        let since = away?.absence.since ?? .new(after: .none)
        away = .init(absence: Absence(since: since, why: error.description), lastRead: away?.lastRead)
    }
}
