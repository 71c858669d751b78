public import ZODB

/// Finds the first transaction of many after which something is as it was not before, in as few tries as halving takes.
///
/// A value: whoever asks for `next` tries it, and notes what was found.
public struct Bisection: Sendable {
    public enum Verdict: Hashable, Sendable {
        case good, bad
        /// Cannot be told there.
        case skip
    }

    public enum Outcome: Hashable, Sendable {
        /// The first bad one.
        case first(TransactionID)
        /// One of these, oldest first: what lies between could not be told.
        case oneOf([TransactionID])
    }

    /// Oldest first. The last one is bad; what was before the first is good.
    private let candidates: [TransactionID]
    /// Of the last that is known to be good; -1 when that is before all.
    private var good = -1
    private var bad: Int
    private var skipped: Set<Int> = []

    /// - Parameter candidates: oldest first; the last one is known to be bad, and what was before the first to be good.
    ///   At least one.
    public init(_ candidates: [TransactionID]) {
        precondition(!candidates.isEmpty, "a search needs a transaction known to be bad")
        self.candidates = candidates
        bad = candidates.count - 1
    }

    /// Transactions that may still be the first bad one.
    public var remaining: Int { bad - good }

    /// About how many more tries it takes.
    public var stepsLeft: Int {
        var (steps, count) = (0, remaining)
        while count > 1 {
            steps += 1
            count = (count + 1) / 2
        }
        return steps
    }

    /// The one to try: the nearest to the middle that was not skipped; nil when all has been found out that can be.
    public var next: TransactionID? { nextIndex.map { candidates[$0] } }

    private var nextIndex: Int? {
        guard remaining > 1 else { return nil }
        let middle = good + (bad - good) / 2
        for distance in 0..<remaining {
            for index in [middle - distance, middle + distance]
            where index > good && index < bad && !skipped.contains(index) {
                return index
            }
        }
        return nil
    }

    /// What was found at `next`.
    public mutating func note(_ verdict: Verdict) {
        guard let index = nextIndex else { return }
        switch verdict {
        case .good: good = index
        case .bad: bad = index
        case .skip: skipped.insert(index)
        }
    }

    /// nil while there is more to try.
    public var outcome: Outcome? {
        guard nextIndex == nil else { return nil }
        return remaining == 1 ? .first(candidates[bad]) : .oneOf(Array(candidates[(good + 1)...bad]))
    }
}
