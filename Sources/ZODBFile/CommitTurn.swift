internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Whose transaction it is: one at a time, taken by one thread, given back by any.
///
/// `@unchecked`: the semaphore is made for several threads, and its memory lives as long as the object.
final class CommitTurn: @unchecked Sendable {
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        unsafe semaphore = .allocate(capacity: 1)
        unsafe semaphore.initialize(to: sem_t())
        unsafe sem_init(semaphore, 0, 1)
    }

    deinit {
        unsafe sem_destroy(semaphore)
        unsafe semaphore.deallocate()
    }

    /// Waits until it is free.
    /// - Throws: `interrupted`.
    func take(_ interruption: Interruption?) throws(StorageError) {
        while true {
            var deadline = timespec()
            unsafe clock_gettime(CLOCK_REALTIME, &deadline)
            // Wakes now and then to hear of an interruption.
            deadline.tv_nsec += 50_000_000
            if deadline.tv_nsec >= 1_000_000_000 {
                deadline.tv_nsec -= 1_000_000_000
                deadline.tv_sec += 1
            }
            if unsafe sem_timedwait(semaphore, &deadline) == 0 { return }
            try interruption?.check()
        }
    }

    func giveBack() { unsafe sem_post(semaphore) }
}
