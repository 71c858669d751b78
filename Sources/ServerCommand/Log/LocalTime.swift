#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Times of the day where the server is.
enum LocalTime {
    /// `time`, in seconds since 1970, as `strftime` writes it.
    static func text(_ time: Double, format: String) -> String {
        guard !format.isEmpty, var parts = parts(of: time) else { return "" }
        // A blank at the end tells an empty result from one that did not fit.
        let marked = format + " "
        var size = 128
        while size <= 1 << 16 {
            let bytes = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) { space -> [UInt8]? in
                let count = unsafe strftime(space.baseAddress!, size, marked, &parts)
                return count > 0 ? unsafe space.prefix(count - 1).map { UInt8(bitPattern: $0) } : nil
            }
            if let bytes { return String(decoding: bytes, as: UTF8.self) }
            size *= 8
        }
        return ""
    }

    static func parts(of time: Double) -> tm? {
        guard let whole = Int(exactly: time.rounded(.down)) else { return nil }
        var seconds = time_t(whole)
        var parts = tm()
        return unsafe localtime_r(&seconds, &parts) != nil ? parts : nil
    }

    /// Seconds since 1970.
    static func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
