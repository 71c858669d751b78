internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The processes of ssh that one storage has started, as long as they run: each is looked after in one place, so that no
/// number is used that the system has given to somebody else.
final class TunnelProcesses: Sendable {
    private let running = Mutex<Set<pid_t>>([])

    func add(_ process: pid_t) { running.withLock { _ = $0.insert(process) } }

    /// Sends a signal, unless the process has ended.
    func signal(_ number: Int32, _ process: pid_t) {
        running.withLock { running in
            if running.contains(process) { kill(process, number) }
        }
    }

    /// Whether the process has ended; nothing is left of it then.
    func hasEnded(_ process: pid_t) -> Bool {
        running.withLock { running in
            guard running.contains(process) else { return true }
            var status: Int32 = 0
            guard unsafe waitpid(process, &status, WNOHANG) != 0 else { return false }
            running.remove(process)
            return true
        }
    }

    /// Ends all of them, and waits for a moment until they have: one may be asking for a password, and has to give the
    /// terminal back before we leave it.
    func end() {
        let all = running.withLock { $0 }
        for process in all { signal(SIGTERM, process) }
        for _ in 0..<100 where !all.allSatisfy({ hasEnded($0) }) { usleep(10_000) }
    }
}
