internal import ServerConfiguration
internal import ZConfig

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Why a server could not be started or stopped.
enum InstanceError: Error, CustomStringConvertible {
    case noPIDFile(String)
    case notStarted(String, errno: Int32)
    /// What it said before it ended.
    case ended(status: Int32, output: String)
    case silent(seconds: Int, process: Int32)
    case running(seconds: Int, process: Int32)
    case signal(process: Int32, errno: Int32)

    var description: String {
        switch self {
        case .noPIDFile(let path):
            "\(path): no 'pid-filename' in <zeo>: without it a server in the background cannot be found again"
        case .notStarted(let path, let number): "\(path): cannot be started: \(String(cString: strerror(number)))"
        case .ended(let status, let output):
            "the server ended with exit code \(status)" + (output.isEmpty ? "" : ":\n" + output)
        case .silent(let seconds, let process):
            "the server, process \(process), does not answer after \(seconds) s; it goes on: a large file without an "
                + "index takes its time (see its log)"
        case .running(let seconds, let process):
            "the server, process \(process), still runs \(seconds) s after SIGTERM; it may be writing its index "
                + "(see its log)"
        case .signal(let process, let number):
            "the server, process \(process), cannot be sent a signal: \(String(cString: strerror(number)))"
        }
    }

    var exitCode: Int32 {
        switch self {
        case .noPIDFile: ProgramExit.usage
        case .ended(ProgramExit.usage, _): ProgramExit.usage
        default: ProgramExit.failure
        }
    }
}

/// A server that runs in the background, as its configuration describes it, and this program's hold on it: the file with
/// its number.
struct Instance {
    let configuration: String
    let settings: ServerSettings

    /// Seconds; zdaemon's defaults.
    private var startTimeout: Int { settings.runner?.startTimeout ?? 300 }
    private var stopTimeout: Int { settings.runner?.stopTimeout ?? 300 }

    /// The process that serves; nil: none.
    ///
    /// A number that is in the file though its process is gone may belong to any other process by now: it counts only
    /// when that runs this program.
    var process: pid_t? {
        guard let process = settings.pidFile.flatMap(PIDFile.process), Self.isRunning(process) else { return nil }
        return process
    }

    private static func isRunning(_ process: pid_t) -> Bool {
        guard kill(process, 0) == 0 || errno == EPERM else { return false }
        guard let status = status(of: process), let end = status.lastIndex(of: ")") else { return true }
        // It has ended, and nobody has taken note of that.
        if status[end...].dropFirst(2).first == "Z" { return false }
        return status[..<end].drop { $0 != "(" }.dropFirst().hasPrefix("zeoserver")
    }

    /// `4711 (zeoserver) S …`; nil where there is no `/proc`.
    private static func status(of process: pid_t) -> String? {
        let descriptor = open("/proc/\(process)/stat", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    /// Whether somebody listens at the first address.
    var isAnswering: Bool { settings.addresses.first.map(ListeningAddress.isAnswering) ?? false }

    /// What `logtail` shows.
    var logFile: String? {
        for file in settings.log?.files ?? [] {
            if case .file(let path) = file.destination { return path }
        }
        return settings.runner?.logFile
    }

    // MARK: Start and stop

    /// Starts it and waits until it answers.
    func start() throws(InstanceError) -> pid_t {
        guard settings.pidFile != nil else { throw .noPIDFile(configuration) }
        let child = try DetachedProcess(["-C", configuration], transcript: settings.runner?.transcript)
        for _ in 0..<startTimeout * 20 {
            if let status = child.endStatus() { throw .ended(status: status, output: child.output()) }
            if settings.pidFile.flatMap(PIDFile.process) == child.process, isAnswering { return child.process }
            usleep(50_000)
        }
        throw .silent(seconds: startTimeout, process: child.process)
    }

    /// Ends it and waits for that.
    /// - Returns: false when there is none.
    func stop() throws(InstanceError) -> Bool {
        guard let process else { return false }
        guard kill(process, SIGTERM) == 0 else {
            if errno == ESRCH { return false }
            throw .signal(process: process, errno: errno)
        }
        for _ in 0..<stopTimeout * 20 {
            if !Self.isRunning(process) { return true }
            usleep(50_000)
        }
        throw .running(seconds: stopTimeout, process: process)
    }
}
