#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// This program, started once more: in a session of its own, so that it stays when the terminal goes.
final class DetachedProcess {
    let process: pid_t
    /// What it writes to standard output and error goes here: an unnamed file, or the transcript.
    private let outputFile: Int32
    /// Where its own output begins in that.
    private let start: off_t

    /// `POSIX_SPAWN_SETSID`, which Swift does not see: glibc 2.26 and musl 1.1.22, `spawn.h`.
    private static let newSession: Int16 = 0x80

    /// - Parameter transcript: a file to which its output is added; nil: it is kept as long as this process looks at it.
    init(_ arguments: [String], transcript: String?) throws(InstanceError) {
        let output = try Self.openOutput(transcript)
        start = lseek(output, 0, SEEK_END)
        outputFile = output
        do throws(InstanceError) {
            process = try Self.spawn(arguments, output)
        } catch {
            close(output)
            throw error
        }
    }

    private static func spawn(_ arguments: [String], _ outputFile: Int32) throws(InstanceError) -> pid_t {
        let program = ownPath()
        closeOthersAtExec()
        var actions = posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, outputFile, STDOUT_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, outputFile, STDERR_FILENO)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        unsafe posix_spawnattr_setflags(&attributes, newSession)
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { unsafe strdup($0) } + [nil]
        defer { for word in words { unsafe free(word) } }
        var process: pid_t = 0
        let result = unsafe posix_spawn(&process, program, &actions, &attributes, &words, environ)
        guard result == 0 else { throw .notStarted(program, errno: result) }
        return process
    }

    deinit { close(outputFile) }

    private static func openOutput(_ transcript: String?) throws(InstanceError) -> Int32 {
        if let transcript {
            let descriptor = open(transcript, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { throw .noLog(transcript, errno: errno) }
            return descriptor
        }
        var name = Array("/tmp/zeoserver-XXXXXX".utf8CString)
        let descriptor = unsafe mkstemp(&name)
        guard descriptor >= 0 else { throw .notStarted("/tmp", errno: errno) }
        unsafe unlink(name)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, O_APPEND)
        return descriptor
    }

    /// What this process was started with, pipes of a shell or of a test, is none of a server's business, and whoever
    /// reads from such a pipe would wait for the server's end.
    private static func closeOthersAtExec() {
        guard let directory = unsafe opendir("/proc/self/fd") else { return }
        defer { unsafe closedir(directory) }
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if let descriptor = Int32(name), descriptor > STDERR_FILENO { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        }
    }

    /// Where this program is.
    private static func ownPath() -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe buffer.withMemoryRebound(to: CChar.self) {
                unsafe readlink("/proc/self/exe", $0.baseAddress!, $0.count)
            }
        }
        guard count > 0 else { return CommandLine.arguments.first ?? "zeoserver" }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// Its exit code, 128 and the number of a signal that ended it; nil while it runs.
    func endStatus() -> Int32? {
        var status: Int32 = 0
        guard unsafe waitpid(process, &status, WNOHANG) == process else { return nil }
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
    }

    /// What it has written, without a line feed at the end.
    func output() -> String {
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = unsafe pread(outputFile, &bytes, bytes.count, start)
        var text = String(decoding: bytes[..<max(0, count)], as: UTF8.self)
        while text.last == "\n" { text.removeLast() }
        return text
    }
}
