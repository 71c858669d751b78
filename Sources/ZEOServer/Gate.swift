#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A lock that is taken in one call and given back in another, by the same thread.
///
/// `@unchecked`: a mutex is made for several threads, and its memory lives as long as the object.
final class Gate: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    func close() { unsafe pthread_mutex_lock(mutex) }
    func open() { unsafe pthread_mutex_unlock(mutex) }
}
