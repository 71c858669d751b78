internal import Foundation

/// Work on a thread of its own.
///
/// Not a task: tests that wait block the few threads that tasks share, and two of them would wait for one another.
public final class Background<Value: Sendable>: @unchecked Sendable {
    // Written by the thread, read after `done`.
    private var outcome: Result<Value, any Error>?
    private let done = DispatchSemaphore(value: 0)

    public init(_ work: @escaping @Sendable () throws -> Value) {
        Thread.detachNewThread { [self] in
            outcome = Result { try work() }
            done.signal()
        }
    }

    /// Waits for the end; once.
    public func result() throws -> Value {
        done.wait()
        guard let outcome else { throw CancellationError() }
        return try outcome.get()
    }
}
