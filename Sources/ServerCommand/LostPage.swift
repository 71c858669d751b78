#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Says in the log why the system ends the process when a page of a mapped Data.fs cannot be had (SIGBUS): somebody has made
/// the file shorter, or the disk fails.
///
/// All that is written is made beforehand: in a handler of such a signal hardly anything may be called.
enum LostPage {
    /// What is written, and where; of plain memory that is never given back.
    private struct Report {
        var text: UnsafeMutablePointer<UInt8>
        var count: Int
        /// Where ten digits of the time go.
        var time: Int
        var paths: UnsafeMutablePointer<UnsafeMutablePointer<CChar>>
        var pathCount: Int
    }

    /// `nonisolated(unsafe)`: written once, before the handler is there; the process has one such handler.
    nonisolated(unsafe) private static var report: Report?

    /// From now on. Once in a process.
    /// - Parameter files: of the log; standard error is told in any case.
    static func watch(files: [String]) {
        let mark = "0000000000"
        let text = """
            zeoserver: process \(getpid()) ends by SIGBUS, at \(mark) seconds since 1970: a page of a Data.fs could not be \
            read. Somebody has made the file shorter under the running server (truncate, a copy or a restore over it), or \
            its disk fails. Nothing more was written to it. See what the file is now before the server is started again.

            """
        let bytes = Array(text.utf8)
        let digits = Array(mark.utf8)
        let time = bytes.indices.first { bytes[$0...].starts(with: digits) } ?? 0
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
        unsafe memory.initialize(from: bytes, count: bytes.count)
        let copies = unsafe files.compactMap { unsafe strdup($0) }
        let paths = UnsafeMutablePointer<UnsafeMutablePointer<CChar>>.allocate(capacity: max(1, copies.count))
        unsafe paths.initialize(from: copies, count: copies.count)
        unsafe report = Report(
            text: memory, count: bytes.count, time: time, paths: paths, pathCount: copies.count)
        signal(SIGBUS) { number in
            LostPage.write()
            // As if nobody had listened: with a core, where there are cores.
            signal(number, SIG_DFL)
            raise(number)
        }
    }

    private static func write() {
        guard let report = unsafe report else { return }
        var now = time(nil)
        var digit = 10
        while digit > 0 {
            digit -= 1
            unsafe report.text[report.time + digit] = 0x30 + UInt8(truncatingIfNeeded: now % 10)
            now /= 10
        }
        _ = unsafe Self.write(STDERR_FILENO, report.text, report.count)
        var index = 0
        while index < report.pathCount {
            let descriptor = unsafe open(report.paths[index], O_WRONLY | O_APPEND | O_CLOEXEC)
            if descriptor >= 0 { _ = unsafe Self.write(descriptor, report.text, report.count) }
            index += 1
        }
    }

    private static func write(_ descriptor: Int32, _ text: UnsafePointer<UInt8>, _ count: Int) -> Int {
        #if canImport(Glibc)
            unsafe Glibc.write(descriptor, text, count)
        #else
            unsafe Musl.write(descriptor, text, count)
        #endif
    }
}
