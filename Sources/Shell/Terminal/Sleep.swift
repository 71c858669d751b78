internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Waits a while, or until somebody wants it to end.
/// - Throws: `interrupted`.
func pause(_ seconds: Double, _ interruption: Interruption) throws(StorageError) {
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
        try interruption.check()
        let left = ContinuousClock.now.duration(to: end)
        guard left > .zero else { return }
        // A signal ends the sleep, and it is looked at often enough without.
        let part = min(left, .milliseconds(200)).components
        usleep(UInt32(part.attoseconds / 1_000_000_000_000) + UInt32(part.seconds) * 1_000_000)
    }
}
