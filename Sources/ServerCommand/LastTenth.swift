internal import Synchronization

/// Which tenth of something was reached last.
final class LastTenth: Sendable {
    private let reached = Mutex(0)

    /// - Returns: a tenth that was not reached before, from 1 to 10; nil else.
    func advance(_ done: Int, of total: Int) -> Int? {
        let tenth = total > 0 ? min(10, done * 10 / total) : 0
        return reached.withLock { reached in
            guard tenth > reached else { return nil }
            reached = tenth
            return tenth
        }
    }
}
