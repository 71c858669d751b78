internal import NIOConcurrencyHelpers
internal import ZODB

/// What is to be done the moment a transaction has its tid, by the thread that hears of it: the event loop's, before it
/// looks at anything that came later. The one who handed it in waits meanwhile, and takes it back in the end.
final class Publication: @unchecked Sendable {
    // Touched under the lock only, which is held while it runs: after `withdraw` nobody has it any more.
    private var body: ((TransactionID) -> Void)?
    private let lock = NIOLock()

    init(_ body: @escaping (TransactionID) -> Void) { self.body = body }

    func publish(_ tid: TransactionID) {
        lock.withLock {
            body?(tid)
            body = nil
        }
    }

    func withdraw() { lock.withLock { body = nil } }
}
