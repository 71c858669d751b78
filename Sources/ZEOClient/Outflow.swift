internal import NIOConcurrencyHelpers
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// What a transaction sends without an answer: gathered into pieces, so that a small transaction is one write to the
/// network, and held up when the network takes it more slowly than it comes, so that a large one is never in memory as
/// a whole.
///
/// One thread's.
final class Outflow {
    /// Bytes that are gathered, and bytes that may be on their way to the system at once.
    private static let piece = 1 << 17, mostInFlight = 4 << 20

    private let storage: ZEOClientStorage
    /// The connection that everything goes to.
    let attempt: Int
    private var gathered: [any PendingCall] = []
    private var gatheredSize = 0
    private let flight = Flight()
    /// Whether the server has heard of the transaction.
    private(set) var hasSent = false

    /// - Parameter first: sent with whatever comes next.
    init(_ storage: ZEOClientStorage, attempt: Int, first: Call) {
        self.storage = storage
        self.attempt = attempt
        gather(first)
    }

    /// - Throws: `connection` when the connection is gone or was replaced, `interrupted`.
    func add(_ call: Call) throws(StorageError) {
        gather(call)
        if gatheredSize < Self.piece { return }
        try send(nil)
        try storage.suspecting { () throws(StorageError) in
            try flight.wait(until: Self.mostInFlight, storage.patience)
        }
    }

    /// Sends all that was gathered, and `last`, which has an answer.
    func send(_ last: (any PendingCall)?) throws(StorageError) {
        let calls = last.map { gathered + [$0] } ?? gathered
        try storage.send(calls, on: attempt)
        forget()
    }

    /// Sends all that was gathered and what ends it, if the server has heard of the transaction and still can.
    func end(with calls: [Call]) {
        if hasSent { storage.post(gathered + calls.map(UnattendedCall.init), on: attempt) }
        forget()
    }

    private func gather(_ call: Call) {
        gathered.append(CallInFlight(call, flight))
        gatheredSize += call.size
    }

    private func forget() {
        flight.add(gatheredSize)
        gathered = []
        gatheredSize = 0
        hasSent = true
    }
}

/// Bytes that were sent and that the system has not taken.
private final class Flight: Sendable {
    private enum Signal: Equatable {
        case nothing, look
    }

    private let state = Mutex<(size: Int, error: StorageError?)>((0, nil))
    private let signal = ConditionLock(value: Signal.nothing)

    func add(_ size: Int) { state.withLock { $0.size += size } }

    func landed(_ size: Int, _ result: Result<WireValue, StorageError>) {
        state.withLock { state in
            state.size -= size
            if case .failure(let error) = result { state.error = state.error ?? error }
        }
        signal.lock()
        signal.unlock(withValue: .look)
    }

    /// - Throws: what became of the connection; `interrupted`; `connection(.silent)` when the server takes nothing any more.
    func wait(until most: Int, _ patience: Patience) throws(StorageError) {
        var last = Int.max
        var start = ContinuousClock.now
        while true {
            let (size, error) = state.withLock { $0 }
            if let error { throw error }
            if size <= most { return }
            if size != last { (last, start) = (size, .now) }
            try patience.check(since: start)
            // What lands between the look and the wait has set the signal already.
            if signal.lock(whenValue: .look, timeoutSeconds: Waiting<Void>.patience) {
                signal.unlock(withValue: .nothing)
            }
        }
    }
}

private final class CallInFlight: PendingCall {
    let call: Call
    private let flight: Flight

    init(_ call: Call, _ flight: Flight) {
        self.call = call
        self.flight = flight
    }

    func complete(_ result: Result<WireValue, StorageError>) { flight.landed(call.size, result) }
}
