internal import NIOConcurrencyHelpers
internal import ZODB

/// Lets one in at a time; the others wait, in no order.
final class Turn: Sendable {
    private enum Place: Equatable {
        case free, taken
    }

    private let place = ConditionLock(value: Place.free)

    /// - Throws: `interrupted` when the user does not want to wait any longer.
    func take(_ interruption: Interruption) throws(StorageError) {
        repeat {
            try interruption.check()
        } while !place.lock(whenValue: .free, timeoutSeconds: Waiting<Void>.patience)
        place.unlock(withValue: .taken)
    }

    /// By whoever has it.
    func give() {
        place.lock()
        place.unlock(withValue: .free)
    }
}
