public import ZODB

/// How closely to look.
public enum VerificationLevel: Int, CaseIterable, Comparable, Sendable {
    /// Whether the file holds together: heads, lengths, pointers. Of a server: nothing but that its transactions ascend.
    case structure
    /// And whether every record is two whole pickles, and whatever objects refer to is there.
    case records
    /// And whether trees, folders and blobs are what they should be.
    case deep

    public static func < (left: VerificationLevel, right: VerificationLevel) -> Bool { left.rawValue < right.rawValue }
}

/// What to look at, and whom to tell.
public struct VerificationOptions: Sendable {
    public var level = VerificationLevel.records
    /// Whether past revisions are read too, not only their heads.
    public var includesHistory = true
    /// Where the database's blobs are; nil when that is not known.
    public var blobDirectory: String?
    /// Of the current time, as a tid; `.latest` to believe every tid.
    public var now = TransactionID.latest
    /// How many defects are kept; the rest is counted.
    public var limit = 10_000
    /// How many threads read records of a file.
    public var threads = 2
    /// Raised, it stops the work: then `interrupted` is thrown, and `checkpoint` has been told how far it came.
    public var interruption = Interruption()
    /// Told how far the work is: what is being done, how much of it, of how much, and what is counted.
    public var progress: (@Sendable (_ phase: String, _ done: Int, _ total: Int?, _ unit: String) -> Void)?
    /// Where a verification that was stopped goes on; nil to begin.
    public var start: VerificationCheckpoint?
    /// Told now and then, and when it is stopped, how far the reading of records has come.
    public var checkpoint: (@Sendable (VerificationCheckpoint) -> Void)?

    public init() {}
}

/// What a verification came to.
public struct VerificationResult: Sendable {
    public internal(set) var list: DefectList
    /// What was looked at: `transactions`, `records`, `objects`, and so on, with their numbers, in order.
    public internal(set) var figures: [Figure] = []
    /// The last transaction that was looked at.
    public internal(set) var lastTransaction = TransactionID.none

    public struct Figure: Hashable, Sendable {
        public var name: String
        public var count: Int
    }

    init(limit: Int) { list = DefectList(limit: limit) }

    mutating func note(_ name: String, _ count: Int) { figures.append(Figure(name: name, count: count)) }
}
