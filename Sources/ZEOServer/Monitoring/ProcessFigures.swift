#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What the system says of this process.
struct ProcessFigures: Sendable {
    var processorSeconds: Double
    /// nil where there is no `/proc`.
    var residentBytes: Int?
    var openFiles: Int?
    var fileLimit: Int?

    static func current() -> ProcessFigures {
        var usage = rusage()
        // 0 is RUSAGE_SELF, which each C library gives a type of its own.
        _ = unsafe getrusage(0, &usage)
        let seconds = Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        let micro = Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
        var limit = rlimit()
        #if canImport(Glibc)
            let isKnown = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        #else
            let isKnown = unsafe getrlimit(RLIMIT_NOFILE, &limit) == 0
        #endif
        return ProcessFigures(
            processorSeconds: seconds + micro / 1e6, residentBytes: residentBytes(), openFiles: openFiles(),
            fileLimit: isKnown ? Int(clamping: limit.rlim_cur) : nil)
    }

    /// The second number of `statm`, in pages.
    private static func residentBytes() -> Int? {
        let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        let words = String(decoding: bytes[..<count], as: UTF8.self).split(separator: " ")
        guard words.count > 1, let pages = Int(words[1]) else { return nil }
        return pages * Int(getpagesize())
    }

    private static func openFiles() -> Int? {
        guard let directory = unsafe opendir("/proc/self/fd") else { return nil }
        defer { unsafe closedir(directory) }
        var count = 0
        while unsafe readdir(directory) != nil { count += 1 }
        // `.`, `..`, and the directory itself.
        return count - 3
    }
}
