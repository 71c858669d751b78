internal import ObjectGraph
internal import ZODB

/// What a session knows of its uncommitted edits, besides the workspace that holds them.
struct OpenTransaction {
    /// The edits so far, to come back to.
    struct NamedSavepoint {
        var name: String?
        var savepoint: Savepoint
        /// How many lines had been run by then.
        var lineCount: Int
    }

    /// `begin` was said.
    var isBegun = false
    /// The lines that staged something, as typed.
    var lines: [String] = []
    /// How many there were when a dry run tried them; nil when none did.
    var triedLineCount: Int?
    /// When the first of them ran: seconds since 1970.
    var start: Double?
    /// When the person was last told how old the edits are.
    var ageTold: Double?
    /// What edited objects were called when they were edited.
    var paths: [ObjectID: String] = [:]
    /// Oldest first.
    var savepoints: [NamedSavepoint] = []
    /// Staged objects that others have changed since, and by which transaction.
    var conflicts: [ObjectID: TransactionID] = [:]
    /// Databases that objects were copied from.
    var others: [ClosedAtEnd] = []
    /// A commit whose end is not known.
    var doubt: Doubt?

    /// A commit that the connection was lost in the middle of.
    struct Doubt {
        /// Of the journal, and of the transaction's extension.
        var mark: String
        var trace: CommitTrace
    }
}

/// A storage that is closed when nobody needs it any more.
final class ClosedAtEnd {
    private let storage: any Storage

    init(_ storage: any Storage) { self.storage = storage }

    deinit { storage.close() }
}
