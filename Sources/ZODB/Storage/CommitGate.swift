/// Lets one transaction at a time commit: the others wait, each thread in its own call.
///
/// Whoever entered need not be the thread that leaves: a transaction may be handed on, or forgotten.
public final class CommitGate: Sendable {
    private let isTaken = Monitor(false)

    public init() {}

    /// Waits until nobody else is inside.
    /// - Throws: `interrupted`, and then has not entered.
    public func enter(_ interruption: Interruption? = nil) throws(StorageError) {
        try isTaken.wait(interruption) { isTaken -> Void? in
            guard !isTaken else { return nil }
            isTaken = true
            return ()
        }
    }

    /// - Precondition: somebody has entered.
    public func leave() {
        isTaken.changeForOne { isTaken in
            precondition(isTaken, "a gate is left once for each time it is entered")
            isTaken = false
        }
    }
}
