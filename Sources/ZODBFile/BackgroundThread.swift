package import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A thread that ends by itself.
// @unchecked: on some systems the identity is a pointer, which is only compared.
package struct BackgroundThread: @unchecked Sendable {
    private let thread: pthread_t

    /// The thread that asks.
    static var current: BackgroundThread { BackgroundThread(thread: pthread_self()) }

    var isCurrent: Bool { pthread_equal(thread, pthread_self()) != 0 }

    /// Runs `body` on a new thread, which no signal reaches: who handles them has a thread in mind.
    /// - Throws: `io` when there can be no more threads.
    package static func start(_ body: @escaping @Sendable () -> Void) throws(StorageError) {
        var (all, before) = (sigset_t(), sigset_t())
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        let argument = unsafe Unmanaged.passRetained(Work(body))
        var thread = pthread_self()
        let number = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, argument.toOpaque())
        guard number == 0 else {
            unsafe argument.release()
            throw .io("starting a thread", errno: number)
        }
        pthread_detach(thread)
    }

    private final class Work: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
