#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Lets one transaction at a time commit: the others wait, each thread in its own call.
///
/// Whoever entered need not be the thread that leaves: a transaction may be handed on, or forgotten.
// @unchecked: all access to `isTaken` is between the lock and unlock of `mutex`; both pointers never change.
public final class CommitGate: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var isTaken = false

    /// How often a waiting thread looks whether the user wants it to stop, in nanoseconds.
    private static let patience = 50_000_000

    public init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe changed = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(changed, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(changed)
        unsafe pthread_mutex_destroy(mutex)
        unsafe changed.deallocate()
        unsafe mutex.deallocate()
    }

    /// Waits until nobody else is inside.
    /// - Throws: `interrupted`, and then has not entered.
    public func enter(_ interruption: Interruption? = nil) throws(StorageError) {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while isTaken {
            try interruption?.check()
            var deadline = timespec()
            unsafe clock_gettime(CLOCK_REALTIME, &deadline)
            let nanoseconds = Int(deadline.tv_nsec) + Self.patience
            deadline.tv_sec += nanoseconds / 1_000_000_000
            deadline.tv_nsec = nanoseconds % 1_000_000_000
            unsafe pthread_cond_timedwait(changed, mutex, &deadline)
        }
        isTaken = true
    }

    /// - Precondition: somebody has entered.
    public func leave() {
        unsafe pthread_mutex_lock(mutex)
        precondition(isTaken, "a gate is left once for each time it is entered")
        isTaken = false
        unsafe pthread_cond_signal(changed)
        unsafe pthread_mutex_unlock(mutex)
    }
}
