internal import NIOConcurrencyHelpers
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// A value that comes later, from an event loop, for threads that wait for it.
final class Waiting<Value: Sendable>: Sendable {
    /// How often a waiting thread looks whether the user wants it to stop.
    static var patience: Double { 0.05 }

    private enum Arrival: Equatable {
        case awaited, here
    }

    private let arrival = ConditionLock(value: Arrival.awaited)
    private let result = Mutex<Result<Value, StorageError>?>(nil)

    /// The first result counts.
    func complete(_ value: Result<Value, StorageError>) {
        result.withLock { $0 = $0 ?? value }
        arrival.lock()
        arrival.unlock(withValue: .here)
    }

    /// Waits as long as it takes; not on an event loop.
    /// - Throws: `interrupted` when the user does not want to wait, or the error that came in place of a value.
    func value(_ interruption: Interruption, telling notice: WaitNotice? = nil) throws(StorageError) -> Value {
        let start = ContinuousClock.now
        while true {
            try interruption.check()
            guard arrival.lock(whenValue: .here, timeoutSeconds: Self.patience) else {
                notice?.look(since: start)
                continue
            }
            arrival.unlock()
            if let result = result.withLock({ $0 }) { return try result.get() }
        }
    }

    /// Waits so long at most.
    /// - Throws: `connection(.silent)` when nothing came.
    func value(
        _ interruption: Interruption, within limit: Duration?, from address: String, telling notice: WaitNotice? = nil
    ) throws(StorageError) -> Value {
        guard let limit else { return try value(interruption, telling: notice) }
        let start = ContinuousClock.now
        let deadline = start + limit
        while true {
            try interruption.check()
            if arrival.lock(whenValue: .here, timeoutSeconds: Self.patience) {
                arrival.unlock()
                if let result = result.withLock({ $0 }) { return try result.get() }
            }
            notice?.look(since: start)
            if ContinuousClock.now >= deadline {
                throw .connection(.silent(address: address, seconds: limit / .seconds(1)))
            }
        }
    }

    /// Waits for what had better be known, also when the user wants to stop: for so long then, and no longer.
    /// - Parameter limit: how long to wait at most; nil: as long as it takes.
    /// - Returns: nil when it did not come in time.
    func value(
        _ interruption: Interruption, grace: Duration, within limit: Duration? = nil, telling notice: WaitNotice? = nil
    ) -> Result<Value, StorageError>? {
        var deadline: ContinuousClock.Instant?
        let start = ContinuousClock.now
        let end = limit.map { start + $0 }
        while true {
            if arrival.lock(whenValue: .here, timeoutSeconds: Self.patience) {
                arrival.unlock()
                if let result = result.withLock({ $0 }) { return result }
            }
            notice?.look(since: start)
            let now = ContinuousClock.now
            if let end, now >= end { return nil }
            guard interruption.isRaised else { continue }
            if let deadline, now >= deadline { return nil }
            deadline = deadline ?? now + grace
        }
    }
}

/// A call on its way, as the connection sees it.
protocol PendingCall: AnyObject, Sendable {
    var call: Call { get }
    /// Both on the event loop, in the order in which things arrive. A call without a reply is complete when its bytes
    /// have been handed to the system.
    func received(_ part: ClientConnection.BlobPart)
    func complete(_ result: Result<WireValue, StorageError>)
}

extension PendingCall {
    func received(_ part: ClientConnection.BlobPart) {}
}

/// A call whose reply one thread waits for.
final class PendingReply<Value: Sendable>: PendingCall {
    typealias Decoder = @Sendable (Result<WireValue, StorageError>) -> Result<Value, StorageError>

    let call: Call
    let waiting = Waiting<Value>()
    private let decode: Decoder

    /// - Parameter decode: run on the event loop when the reply arrives, before anything that arrives later.
    init(_ call: Call, decode: @escaping Decoder) {
        self.call = call
        self.decode = decode
    }

    func complete(_ result: Result<WireValue, StorageError>) { waiting.complete(decode(result)) }
}

/// A call whose outcome nobody waits for.
final class UnattendedCall: PendingCall {
    let call: Call

    init(_ call: Call) { self.call = call }

    func complete(_ result: Result<WireValue, StorageError>) {}
}
