internal import ServerConfiguration
internal import ZConfig
internal import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Why a server could not be started or stopped.
enum InstanceError: Error, CustomStringConvertible {
    case noPIDFile(String)
    case notStarted(String, errno: Int32)
    case noLog(String, errno: Int32)
    /// What it said before it ended.
    case ended(status: Int32, output: String)
    case silent(seconds: Int, process: Int32)
    case running(seconds: Int, process: Int32)
    case undecided(seconds: Int, process: Int32, address: String)
    case signal(process: Int32, errno: Int32)
    case wrong([String])
    case stopped(String)
    /// What stands in the way of knowing whether one runs.
    case untold(FileAccess.Obstacle)
    /// Data that would be lost with the process.
    case lost([LostFile], command: String)

    var description: String {
        switch self {
        case .noPIDFile(let path):
            "\(path): no 'pid-filename' in <zeo>: without it a server in the background cannot be found again"
        case .notStarted(let path, let number): "\(path): cannot be started: \(String(cString: strerror(number)))"
        case .noLog(let path, let number):
            "\(path): the server's log cannot be opened: \(String(cString: strerror(number))); name another file as "
                + "'transcript' in <runner>, or a <logfile> in <eventlog>"
        case .ended(let status, let output):
            "the server ended with exit code \(status)" + (output.isEmpty ? "" : ":\n" + output)
        case .silent(let seconds, let process):
            "the server, process \(process), does not answer after \(seconds) s; it goes on: a large file without an "
                + "index takes its time (see its log)"
        case .running(let seconds, let process):
            "the server, process \(process), still runs \(seconds) s after SIGTERM; it may be writing its index "
                + "(see its log)"
        case .undecided(let seconds, let process, let address):
            "a server runs, process \(process), and has neither answered at \(address) nor ended for \(seconds) s: it may "
                + "be starting or ending (see its log), or have another address; 'restart' ends it first"
        case .signal(let process, let number):
            "the server, process \(process), cannot be sent a signal: \(String(cString: strerror(number)))"
                + (number == EPERM ? "; do this as the user it runs as, or as root" : "")
        case .wrong(let problems):
            problems.joined(separator: "\nzeoserver: ") + "\nzeoserver: nothing was done; a server that runs goes on"
        case .stopped(let text): text
        case .untold(let obstacle): "\(obstacle): cannot tell whether the server runs"
        case .lost(let files, let command):
            files.map(\.description).joined(separator: "\nzeoserver: ")
                + "\nzeoserver: nothing was done, the server goes on; when the data are safe: 'stop --force', put the copy in "
                + "place, 'start'"
                + (command == "restart" ? " ('restart --force' goes on with what is there, or a new file)" : "")
        }
    }

    var exitCode: Int32 {
        switch self {
        case .noPIDFile, .wrong: ProgramExit.usage
        case .stopped: ProgramExit.stopped
        case .ended(ProgramExit.usage, _): ProgramExit.usage
        default: ProgramExit.failure
        }
    }
}

/// A server that runs in the background, as its configuration describes it, and this program's hold on it: the file with
/// its number, and the lock that it has on its data.
struct Instance {
    let configuration: String
    let landmarks: ServerLandmarks

    /// Seconds that `start` waits for a server to end, or to begin, that runs already.
    private static let patience = 60

    /// A process that serves, and how it was found.
    struct Found {
        var process: pid_t
        /// The data file whose lock it has; nil: its number is in the pid file.
        var dataFile: String?
    }

    /// The process that serves; nil: none.
    ///
    /// A number that is in the file though its process is gone may belong to any other process by now: it counts only
    /// when that runs this program. When the file is lost, the lock on the data leads to the process.
    ///
    /// - Throws: `untold` when the pid file may be there and cannot be read.
    func find() throws(InstanceError) -> Found? {
        if let process = landmarks.pidFile.flatMap(PIDFile.process), Self.isRunning(process) {
            return Found(process: process)
        }
        for file in landmarks.dataFiles {
            // That of the lock file stays when the data file is removed.
            for name in [file, file + ".lock"] {
                guard let process = DataFileUser.process(writingTo: name), Self.isRunning(process) else { continue }
                return Found(process: process, dataFile: file)
            }
        }
        if let obstacle = landmarks.pidFile.flatMap({ PIDFile.obstacle(toReading: $0) }) { throw .untold(obstacle) }
        return nil
    }

    /// Data files that would be lost if the process ended.
    func lostFiles(of process: pid_t) -> [LostFile] { LostFile.find(among: landmarks.dataFiles, of: process) }

    /// - Throws: `lost` when data would be lost if the server ended.
    func requireSafeEnd(_ command: String) throws(InstanceError) {
        guard let process = try find()?.process else { return }
        let lost = lostFiles(of: process)
        guard lost.isEmpty else { throw .lost(lost, command: command) }
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
    var isAnswering: Bool {
        landmarks.addresses.first.map { ListeningAddress.isAnswering(at: $0, inTLS: landmarks.speaksTLS) } ?? false
    }

    /// Where the pid file was looked for, when that depends on where one is; else nil.
    var relativePIDFile: String? {
        guard let path = landmarks.pidFile, !path.hasPrefix("/") else { return nil }
        return AbsolutePath.of(path)
    }

    /// What `logtail` shows.
    var logFile: String? { landmarks.logFiles.first ?? landmarks.runnerLogFile ?? outputFile }

    /// Where the output of a server in the background goes; nil: nowhere, since it logs to files of its own.
    ///
    /// The `transcript`, or, for a log that would be lost, a file beside the configuration, or in the `log` directory of
    /// an instance.
    private var outputFile: String? {
        if let transcript = landmarks.transcript { return transcript }
        guard landmarks.logFiles.isEmpty else { return nil }
        let path = AbsolutePath.of(configuration)
        let (folder, name) = AbsolutePath.split(path)
        let log = AbsolutePath.of(folder + "/../log")
        var status = stat()
        if AbsolutePath.split(folder).name == "etc", unsafe stat(log, &status) == 0, status.st_mode & S_IFMT == S_IFDIR
        {
            return log + "/zeo.log"
        }
        return folder + "/" + (name.hasSuffix(".conf") ? String(name.dropLast(5)) : name) + ".log"
    }

    // MARK: Start and stop

    /// Starts it and waits until it answers.
    /// - Returns: the process, and the file that has its log when the configuration does not name it.
    func start() throws(InstanceError) -> (process: pid_t, log: String?) {
        guard landmarks.pidFile != nil else { throw .noPIDFile(configuration) }
        let output = outputFile
        let child = try DetachedProcess(["-C", configuration], transcript: output)
        for _ in 0..<landmarks.startTimeout * 20 {
            if let status = child.endStatus() { throw .ended(status: status, output: child.output()) }
            if landmarks.pidFile.flatMap(PIDFile.process) == child.process, isAnswering {
                return (child.process, landmarks.logFiles.isEmpty ? output : nil)
            }
            usleep(50_000)
        }
        throw .silent(seconds: landmarks.startTimeout, process: child.process)
    }

    /// Waits until a server that runs answers, or has ended.
    /// - Parameter willWait: told when there is something to wait for.
    /// - Returns: the process that answers; nil: none runs.
    func settle(_ willWait: (pid_t) -> Void) throws(InstanceError) -> pid_t? {
        guard let found = try find() else { return nil }
        if isAnswering { return found.process }
        willWait(found.process)
        for _ in 0..<Self.patience * 20 {
            guard Self.isRunning(found.process) else { return try find()?.process }
            if isAnswering { return found.process }
            usleep(50_000)
        }
        let address = landmarks.addresses.first?.description ?? "its address"
        throw .undecided(seconds: Self.patience, process: found.process, address: address)
    }

    /// Ends it and waits for that.
    /// - Returns: false when there is none.
    func stop() throws(InstanceError) -> Bool {
        guard let process = try find()?.process else { return false }
        guard try signal(process, SIGTERM) else { return false }
        for _ in 0..<landmarks.stopTimeout * 20 {
            if !Self.isRunning(process) { return true }
            usleep(50_000)
        }
        throw .running(seconds: landmarks.stopTimeout, process: process)
    }

    /// - Returns: false when the process is gone.
    func signal(_ process: pid_t, _ number: Int32) throws(InstanceError) -> Bool {
        guard kill(process, number) != 0 else { return true }
        guard errno == ESRCH else { throw .signal(process: process, errno: errno) }
        return false
    }
}
