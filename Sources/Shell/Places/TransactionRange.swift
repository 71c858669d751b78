internal import ZODB

/// The transactions that `--since` and `--until` leave, up to what the session sees.
struct TransactionRange {
    var first: TransactionID
    var last: TransactionID

    /// - Parameters:
    ///   - since: a point in time; nil: from the first transaction.
    ///   - until: a point in time, a day with its end; nil: to the newest.
    /// - Throws: `WhenError`; `ShellFailure` for `~N`, which is about one object, and for an end before the beginning.
    init(since: String?, until: String?, _ session: Session) throws {
        first = try Self.first(since, session)
        let end = try Self.last(until, session)
        if let since, let until, end < first {
            throw ShellFailure.usage(
                "'\(until)' is before '\(since)': nothing lies between", advice: "the older one first")
        }
        last = min(end, session.committed(session.at))
    }

    static func first(_ since: String?, _ session: Session) throws -> TransactionID {
        try since.map { try bound($0, "--since", session, inclusive: false) } ?? .none
    }

    static func last(_ until: String?, _ session: Session) throws -> TransactionID {
        try until.map { try bound($0, "--until", session, inclusive: true) } ?? .latest
    }

    private static func bound(
        _ text: String, _ option: String, _ session: Session, inclusive: Bool
    ) throws -> TransactionID {
        guard let tid = try session.whenParser.parse(text).transaction(inclusive: inclusive) else {
            throw ShellFailure.usage("\(option) \(text): there is no object whose revisions to count")
        }
        return tid
    }
}
