public import ZODB

/// What a database is known by, so that a server that takes another's place is seen to serve the same one.
///
/// ZEO has no name for a database. The root object's serial is a time, in parts of a microsecond, that hardly two databases
/// share. A copy that has gone its own way shares it: that shows by the transactions it does not have.
public struct Recollection: Hashable, Sendable {
    /// The server that it was seen at.
    public var address: String
    /// The root object's serial, as of a transaction.
    public var rootSerial: TransactionID, moment: TransactionID

    public init(address: String, rootSerial: TransactionID, moment: TransactionID) {
        self.address = address
        self.rootSerial = rootSerial
        self.moment = moment
    }
}

extension ClientConnection.Setup {
    var isRecognizing: Bool {
        switch step {
        case .root, .iterator, .transaction: true
        case .getAuthProtocol, .getChallenge, .answerChallenge, .register, .getInfo, .lastTransaction,
            .getInvalidations:
            false
        }
    }
}

extension ClientConnection {
    /// Of the root object, which changes when something is added to the root, as many revisions are looked at. Up to
    /// generation 3101 they tell more than `loadBefore`: that says the same of a root object that is younger and of a
    /// storage that keeps no past.
    private static let longestHistory = 1000

    /// Asks for the root object as it was when the database was last looked at for this; the first time, as it is.
    func rootCall(_ setup: Setup) -> Call {
        let moment = configuration.recollection?.moment ?? setup.lastTransaction
        return Self.asksByHistory(setup)
            ? .history(.root, limit: Self.longestHistory) : .loadBefore(.root, moment.successor)
    }

    private static func asksByHistory(_ setup: Setup) -> Bool {
        setup.speech.dialect.generation.currentLoad != .loadBefore
    }

    /// The answer to a question by which the database is recognized.
    /// - Parameter value: nil for an exception.
    mutating func recognize(
        _ value: WireValue?, _ setup: Setup, _ actions: inout [Action]
    ) throws(MalformedReply) {
        guard let information = setup.information else { return }
        var setup = setup
        switch setup.step {
        case .root:
            if let why = try mismatch(ofRoot: value, &setup, information) {
                return fail(.otherDatabase(address: address, why), &actions)
            }
            if needsTransaction(setup, information) {
                setup.step = .iterator
                return proceed(setup, &actions)
            }
        case .iterator:
            if let value {
                setup.step = .transaction(iterator: try Reply.iterator(value))
                return proceed(setup, &actions)
            }
        case .transaction(let iterator):
            let known = configuration.knownTransaction
            if let value, let before = configuration.recollection, try Reply.iteratedTransaction(value)?.tid != known {
                let what = "it does not have transaction \(known ?? .none), the last that was seen at \(before.address)"
                return fail(.otherDatabase(address: address, what), &actions)
            }
            if let (_, action) = try? start(.iteratorRelease([iterator]), setup.speech) { actions.append(action) }
        default: break
        }
        finish(setup, information, &actions)
    }

    /// What is wrong with the root object, in words; nil when it is the same, or cannot be told. Keeps what it is known by
    /// from now on.
    private func mismatch(
        ofRoot value: WireValue?, _ setup: inout Setup, _ information: ServerInformation
    ) throws(MalformedReply) -> String? {
        let before = configuration.recollection
        setup.recollection = before
        setup.recollection?.address = address
        let asked = before?.moment ?? setup.lastTransaction
        let isByHistory = Self.asksByHistory(setup)
        // Not every old storage has a history.
        if value == nil, isByHistory { return nil }
        guard let value, let root = try Self.serial(ofRoot: value, at: asked, isByHistory: isByHistory) else {
            return before.map { "it has no root object as of \($0.moment), which \($0.address) had" }
        }
        if let before, root.serial != before.rootSerial {
            return
                "its root object is of transaction \(root.serial), and that of \(before.address) of \(before.rootSerial)"
        }
        setup.recollection = Recollection(
            address: address, rootSerial: root.serial, moment: root.isCurrent ? setup.lastTransaction : asked)
        return nil
    }

    private static func serial(
        ofRoot value: WireValue, at moment: TransactionID, isByHistory: Bool
    ) throws(MalformedReply) -> (serial: TransactionID, isCurrent: Bool)? {
        guard isByHistory else { return try Reply.revision(value).map { ($0.serial, $0.next == nil) } }
        let serials = try Reply.history(value).map(\.transaction.tid)
        return serials.firstIndex { $0 <= moment }.map { (serials[$0], $0 == 0) }
    }

    /// Whether the last transaction that was seen elsewhere is to be looked for: not where it is the last here, too.
    private func needsTransaction(_ setup: Setup, _ information: ServerInformation) -> Bool {
        guard let before = configuration.recollection, let known = configuration.knownTransaction else { return false }
        let server = ServerDialect(setup.speech.dialect, on: .python3, information)
        return before.address != address && known > .none && known != setup.lastTransaction
            && server.iteratesTransactions
    }
}
