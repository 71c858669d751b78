internal import Synchronization

/// A request to stop what is being done: Ctrl-C, a closing terminal.
///
/// Raised from anywhere, a signal handler included; long work and waits look at it and throw `.interrupted`.
public final class Interruption: Sendable {
    private let raised = Atomic(false)

    public init() {}

    public var isRaised: Bool { raised.load(ordering: .relaxed) }

    public func raise() { raised.store(true, ordering: .relaxed) }

    /// Before a new command: whatever was raised has been heard.
    public func clear() { raised.store(false, ordering: .relaxed) }

    /// - Throws: `StorageError.interrupted` when raised.
    public func check() throws(StorageError) {
        if isRaised { throw .interrupted }
    }
}
