internal import ZODB

/// A transaction that stands in the file, and of which it is not yet known that the disk has it.
///
/// The transactions after it take it for what is committed; loads do not.
struct PendingTransaction: Sendable {
    /// What whoever finishes a transaction wants to be told.
    struct Request: Sendable {
        let storage: FileStorage
        let publish: @Sendable (TransactionID) -> Void
        let completion: @Sendable (Result<TransactionID, StorageError>) -> Void
    }

    enum Stage: Sendable {
        /// Marked as unfinished; it may yet be aborted.
        case voted
        /// To be marked as complete when the disk has its records.
        case accepted(Request)
        /// Marked as complete, perhaps in memory only.
        case marked(Request)
        /// On the disk as a whole: to be told, and shown.
        case durable(Request)
    }

    /// One more than that of the transaction written before, whatever became of it.
    let number: Int
    /// As it is when the transaction is complete.
    let header: TransactionHeader
    /// The newest record of each object.
    let positions: [ObjectID: Int]
    let recordCount: Int
    /// The files of its blobs.
    let blobs: [String]
    var stage = Stage.voted
    /// Whether the disk has its records.
    var isFlushed = false

    var tid: TransactionID { header.tid }
    var end: FileEnd {
        FileEnd(
            position: header.position + Int(header.length) + TransactionHeader.trailerSize, last: header, tail: nil)
    }

    var request: Request? {
        switch stage {
        case .voted: nil
        case .accepted(let request), .marked(let request), .durable(let request): request
        }
    }

    var isVoted: Bool { if case .voted = stage { true } else { false } }
    var isAccepted: Bool { if case .accepted = stage { true } else { false } }
    var isMarked: Bool { if case .marked = stage { true } else { false } }
    var isDurable: Bool { if case .durable = stage { true } else { false } }
}

/// The transactions between what the disk is known to have and the end of the file, oldest first. Only the last may be
/// one that is not accepted.
///
/// One flush does two things: what it finds written it makes safe, the records of some transactions and the marks of
/// others. So in a steady stream each flush ends one batch and prepares the next, and still no mark is written before
/// the disk has what it speaks of.
struct PendingTransactions: Sendable {
    /// The most marks that may be written and not flushed: so far back from its end a file may have an unfinished
    /// transaction before finished ones, after a power cut. (`FileEnd` looks for one.)
    static let mostMarks = 64

    /// What is to be done next, by the one thread that does it.
    enum Step: Sendable {
        /// These transactions are to be marked as complete, up to the one of this number.
        case mark([TransactionHeader], through: Int)
        /// The file is to be flushed, which makes safe the records and the marks up to these numbers.
        case flush(records: Int, marks: Int)
        /// The oldest transaction is durable: it is to be told and shown.
        case tell(PendingTransaction, PendingTransaction.Request)
    }

    private(set) var all: [PendingTransaction] = []
    /// Where the newest record of each object is, of those that are accepted.
    private(set) var positions: [ObjectID: Int] = [:]
    /// Of the transaction written last.
    private(set) var lastNumber = 0
    /// Whether a mark has to wait for the records.
    let flushesBeforeMark: Bool

    init(flushesBeforeMark: Bool) { self.flushesBeforeMark = flushesBeforeMark }

    var isEmpty: Bool { all.isEmpty }
    /// Where the next transaction begins; nil when nothing is pending.
    var end: FileEnd? { all.last?.end }

    /// - Returns: its number.
    mutating func append(
        _ header: TransactionHeader, positions: [ObjectID: Int], recordCount: Int, blobs: [String]
    ) -> Int {
        lastNumber += 1
        all.append(
            PendingTransaction(
                number: lastNumber, header: header, positions: positions, recordCount: recordCount, blobs: blobs))
        return lastNumber
    }

    /// The last transaction, when it is not accepted: it is not pending any more.
    /// - Parameter number: only this one; nil for any.
    mutating func takeBack(_ number: Int? = nil) -> PendingTransaction? {
        guard let last = all.last, last.isVoted, number == nil || last.number == number else { return nil }
        return all.removeLast()
    }

    /// Whether the transaction is still the last, and now accepted.
    mutating func accept(_ number: Int, _ request: PendingTransaction.Request) -> Bool {
        guard let last = all.last, last.isVoted, last.number == number else { return false }
        all[all.count - 1].stage = .accepted(request)
        positions.merge(last.positions) { $1 }
        return true
    }

    /// What to do next; nil when there is nothing to do until somebody calls.
    var nextStep: Step? {
        if let first = all.first, case .durable(let request) = first.stage { return .tell(first, request) }
        let marked = all.prefix { $0.isMarked }
        let toMark = all.dropFirst(marked.count).prefix { $0.isAccepted && ($0.isFlushed || !flushesBeforeMark) }
            .prefix(Self.mostMarks - marked.count)
        if let last = toMark.last { return .mark(toMark.map(\.header), through: last.number) }
        guard !marked.isEmpty || flushesBeforeMark && all.contains(where: { !$0.isFlushed }) else { return nil }
        return .flush(records: lastNumber, marks: marked.last?.number ?? 0)
    }

    mutating func marked(through number: Int) {
        for index in all.indices where all[index].number <= number {
            if case .accepted(let request) = all[index].stage { all[index].stage = .marked(request) }
        }
    }

    mutating func flushed(records: Int, marks: Int) {
        for index in all.indices {
            if all[index].number <= records { all[index].isFlushed = true }
            if all[index].number <= marks, case .marked(let request) = all[index].stage {
                all[index].stage = .durable(request)
            }
        }
    }

    /// The oldest has been shown.
    mutating func removeFirst() {
        let first = all.removeFirst()
        for (oid, position) in first.positions where positions[oid] == position { positions[oid] = nil }
    }

    mutating func removeAll() {
        all = []
        positions = [:]
    }
}
