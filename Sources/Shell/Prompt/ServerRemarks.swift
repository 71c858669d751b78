internal import Storages
internal import ZODB

/// What is to be said of the server: that it went or came, that another took its place, or that it lets nobody write.
struct ServerRemarks {
    private struct Server: Equatable {
        var address: String
        /// nil: nobody asked for leave to write.
        var canWrite: Bool?
    }

    private var told: Server?
    private var isKnownToBeAway = false

    /// What is new since the last look.
    mutating func messages(_ session: Session) -> [Report.Message] {
        guard let storage = (try? session.storage) as? any CachingStorage else { return [] }
        var messages = storage.takeRemarks().map { Report.Message($0, severity: .warning) }
        if let absence = storage.absence {
            if !isKnownToBeAway { messages.append(.init(Self.text(absence, session), severity: .warning)) }
            isKnownToBeAway = true
            return messages
        }
        guard storage.isConnected else { return messages }
        let now = Self.server(storage, session)
        if let text = text(now, session) { messages.append(.init(text)) }
        (told, isKnownToBeAway) = (now, false)
        return messages
    }

    private static func server(_ storage: any RemoteStorage, _ session: Session) -> Server {
        let failover = storage as? any FailoverStorage
        let wantsToWrite = session.openingOptions.isWritable && !session.openingOptions.isOverlay
        return Server(
            address: failover?.serverAddress ?? storage.name,
            canWrite: wantsToWrite ? failover.map { !$0.awaitsWritableServer } : nil)
    }

    private func text(_ now: Server, _ session: Session) -> String? {
        let address = now.address
        let mode: String? =
            switch now.canWrite {
            case true? where told?.canWrite == false: "lets us write: read-write from here on"
            case false? where told != now: "lets nobody write: read-only until a server that does is found"
            default: nil
            }
        let isOther = told.map { $0.address != address } ?? false
        guard isKnownToBeAway || isOther else { return mode.map { "\(address) \($0)" } }
        var text: String
        if isOther, let told {
            text = "\(address) has taken the place of \(told.address)"
            // Its name once more: the sentence stands alone.
            if let mode { text += "; \(address) \(mode)" }
        } else {
            text = "the server is back" + (mode.map { "; \(address) \($0)" } ?? "")
        }
        text += "; 'refresh' looks at its newest state"
        if session.stagedCount > 0, now.canWrite != false { text += "; what is staged can be committed" }
        return text
    }

    private static func text(_ absence: Absence, _ session: Session) -> String {
        let zone: LocalTime = session.settings.usesUTC ? .utc : .system
        let snapshot = session.snapshot
        let known = snapshot == .none ? "" : " as of the last commit known, \(TimeText.short(snapshot, zone))"
        return "the server is away, as was noticed \(TimeText.short(absence.since, zone)) (\(absence.why)): "
            + "what has been read before is shown\(known); what has not is marked '?'; what is staged waits"
    }
}
