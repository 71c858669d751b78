internal import ZODB
internal import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Hears signals and calls a handler for each, on a thread of its own, where anything may be done.
///
/// The signals are blocked and waited for: one that comes before anybody waits is heard all the same. (A source of
/// Dispatch is set up a moment after it is asked for, and what comes in between is lost.)
struct SignalWatch {
    private var handlers: [Int32: @Sendable (Int32) -> Void] = [:]

    mutating func on(_ signals: [Int32], _ handler: @escaping @Sendable (Int32) -> Void) {
        for number in signals { handlers[number] = handler }
    }

    /// From now on, as long as the process lives.
    ///
    /// To be called before there is any other thread: each inherits from the one that starts it what it does not hear.
    /// - Throws: `io` when there can be no more threads.
    func begin() throws(StorageError) {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for number in handlers.keys { unsafe sigaddset(&signals, number) }
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        let (handlers, awaited) = (handlers, signals)
        try BackgroundThread.start {
            var awaited = awaited
            var number: Int32 = 0
            while unsafe sigwait(&awaited, &number) == 0 { handlers[number]?(number) }
        }
    }
}
