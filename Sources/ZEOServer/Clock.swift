#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

enum Clock {
    /// Seconds since 1970.
    static func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// As C writes dates: `Fri Nov 20 23:35:46 2026`, local time.
    static func text(_ time: Double) -> String {
        var seconds = time_t(time)
        var parts = tm()
        guard unsafe localtime_r(&seconds, &parts) != nil else { return "?" }
        return unsafe String(unsafeUninitializedCapacity: 64) { buffer in
            unsafe buffer.withMemoryRebound(to: CChar.self) { text in
                unsafe strftime(text.baseAddress!, text.count, "%a %b %e %H:%M:%S %Y", &parts)
            }
        }
    }
}
