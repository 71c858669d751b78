#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// State that threads share, and can wait for to change.
// @unchecked: `state` is only touched between the lock and unlock of `mutex`; the pointers never change.
package final class Monitor<State>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var state: State

    package init(_ state: State) {
        self.state = state
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

    /// Looks at the state, or changes what nobody waits for.
    package func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Changes the state, and wakes those who wait, when they can have it: who is woken earlier falls asleep again.
    package func change<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer {
            unsafe pthread_mutex_unlock(mutex)
            unsafe pthread_cond_broadcast(changed)
        }
        return try body(&state)
    }

    /// Changes the state, and wakes one of those who wait: where any of them may go on, but only one.
    /// - Parameter needsAll: whether the new state is for a certain one of them, who is not woken for sure by less than all.
    package func changeForOne(_ body: (inout State) -> Void, orAllIf needsAll: (State) -> Bool = { _ in false }) {
        unsafe pthread_mutex_lock(mutex)
        body(&state)
        if needsAll(state) { unsafe pthread_cond_broadcast(changed) } else { unsafe pthread_cond_signal(changed) }
        unsafe pthread_mutex_unlock(mutex)
    }

    /// Waits until `condition` finds what it looks for.
    package func wait<Result>(for condition: (inout State) -> Result?) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let result = condition(&state) { return result }
            unsafe pthread_cond_wait(changed, mutex)
        }
    }

    /// The same, until the user wants it to stop. Who waits looks for that twenty times a second.
    /// - Throws: `interrupted`; the condition has found nothing then.
    package func wait<Result>(
        _ interruption: Interruption?, for condition: (inout State) -> Result?
    ) throws(StorageError) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let result = condition(&state) { return result }
            try interruption?.check()
            var deadline = timespec()
            unsafe clock_gettime(CLOCK_REALTIME, &deadline)
            let nanoseconds = Int(deadline.tv_nsec) + 50_000_000
            deadline.tv_sec += nanoseconds / 1_000_000_000
            deadline.tv_nsec = nanoseconds % 1_000_000_000
            unsafe pthread_cond_timedwait(changed, mutex, &deadline)
        }
    }
}
