internal import ZODB

/// A server that goes away and comes back: what the user is told of it.
extension Session {
    /// Since when the server is away; nil while it is there, and of a file.
    var absence: Absence? { ((try? storage) as? any CachingStorage)?.absence }

    /// What is to be said before the next command's answer: of the cache, and that the server went or came.
    func remarks() -> [Report.Message] {
        guard let storage = (try? storage) as? any CachingStorage else { return [] }
        var messages = storage.takeRemarks().map { Report.Message($0, severity: .warning) }
        let absence = storage.absence
        defer { isKnownToBeAway = absence != nil }
        if let absence, !isKnownToBeAway { messages.append(Report.Message(text(absence), severity: .warning)) }
        if absence == nil, isKnownToBeAway {
            let staged = stagedCount > 0 ? "; what is staged can be committed" : ""
            messages.append(Report.Message("the server is back; 'refresh' looks at its newest state\(staged)"))
        }
        return messages
    }

    private func text(_ absence: Absence) -> String {
        let zone: LocalTime = settings.usesUTC ? .utc : .system
        return
            "the server is away since \(TimeText.short(absence.since, zone)) (\(absence.why)): what has been read before is shown "
            + "as of \(TimeText.short(snapshot, zone)); what has not is marked '?'; what is staged waits"
    }
}
