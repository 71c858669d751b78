#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Another program, run to its end without input or output.
enum ChildProcess {
    /// - Parameters:
    ///   - program: its path.
    ///   - errors: the file that its standard error goes to.
    /// - Returns: its exit status; 128 and more when a signal ended it.
    /// - Throws: `FileFailure` when it cannot be started.
    static func run(_ program: String, _ arguments: [String], errors: String) throws(FileFailure) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_APPEND, 0)
        var strings = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
        defer { for string in unsafe strings { unsafe free(string) } }
        var child: pid_t = 0
        let problem = unsafe posix_spawn(&child, program, &actions, nil, &strings, environ)
        guard problem == 0 else { throw FileFailure(program, unsafe String(cString: strerror(problem))) }
        var status: Int32 = 0
        while unsafe waitpid(child, &status, 0) < 0 {
            guard errno == EINTR else { throw FileFailure(program) }
        }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }
}
