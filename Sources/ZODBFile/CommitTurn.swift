internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Whose transaction it is: one at a time, taken by one thread, given back by any.
///
/// `@unchecked`: the counters are touched between the lock and unlock of `mutex`; both pointers never change.
final class CommitTurn: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var isTaken = false
    /// Those who go first.
    private var urgent = 0

    /// How often who waits looks for an interruption, in nanoseconds.
    private static let patience = 50_000_000

    init() {
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

    /// Waits until it is free.
    /// - Parameter isUrgent: Before all others: a pack would never have its turn in a stream of commits.
    /// - Throws: `interrupted`.
    func take(_ interruption: Interruption?, isUrgent: Bool = false) throws(StorageError) {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        if isUrgent { urgent += 1 }
        defer { if isUrgent { urgent -= 1 } }
        while isTaken || urgent > 0 && !isUrgent {
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

    func giveBack() {
        unsafe pthread_mutex_lock(mutex)
        isTaken = false
        if urgent > 0 { unsafe pthread_cond_broadcast(changed) } else { unsafe pthread_cond_signal(changed) }
        unsafe pthread_mutex_unlock(mutex)
    }
}
