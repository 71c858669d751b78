internal import ZODB

/// Whose transaction it is: one at a time, taken by one thread, given back by any.
final class CommitTurn: Sendable {
    private struct State {
        var isTaken = false
        /// Those who go first.
        var urgent = 0
    }

    private let state = Monitor(State())

    /// Waits until it is free.
    /// - Parameter isUrgent: Before all others: a pack would never have its turn in a stream of commits.
    /// - Throws: `interrupted`.
    func take(_ interruption: Interruption?, isUrgent: Bool = false) throws(StorageError) {
        if isUrgent { state.withLock { $0.urgent += 1 } }
        defer { if isUrgent { state.withLock { $0.urgent -= 1 } } }
        try state.wait(interruption) { state -> Void? in
            guard !state.isTaken, state.urgent == 0 || isUrgent else { return nil }
            state.isTaken = true
            return ()
        }
    }

    func giveBack() {
        // One that must stand back for an urgent one would swallow the word meant for that.
        state.changeForOne({ $0.isTaken = false }, orAllIf: { $0.urgent > 0 })
    }
}
