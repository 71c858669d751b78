internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A command of the system's shell that reads what we write.
///
/// Not by `popen`: the network library ignores SIGPIPE for the whole process, a child would inherit that, and
/// `| yes | head` in it would never end.
final class Child {
    private var descriptor: Int32
    private let process: pid_t
    private let modes = TerminalModes()

    /// - Throws: `ShellFailure` when there is no process to be had.
    init(_ command: String) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ShellFailure(.io("running '\(command)'", errno: errno)) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // Our end alone: who does not read is waited for, but not when we are told to end.
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        let process = Self.spawn(command, input: ends[0])
        close(ends[0])
        guard case .success(let process) = process else {
            close(ends[1])
            if case .failure(let error) = process {
                throw ShellFailure(.io("running '\(command)'", errno: error.number))
            }
            throw ShellFailure(.io("running '\(command)'", errno: EAGAIN))
        }
        self.process = process
        descriptor = ends[1]
    }

    deinit { _ = wait() }

    func write(_ bytes: [UInt8]) throws {
        guard descriptor >= 0 else { return }
        try Output.write(bytes, to: descriptor)
    }

    /// Closes the pipe and waits.
    /// - Returns: the command's exit status, as the system's shell counts it.
    func wait() -> Int32 {
        guard descriptor >= 0 else { return 0 }
        close(descriptor)
        descriptor = -1
        return Self.exitStatus(of: process, modes)
    }

    /// Runs a command that has the terminal to itself; Ctrl-C is for the command alone meanwhile.
    static func run(_ command: String) -> Int32 {
        var ignored = sigaction()
        ignored.__sigaction_handler.sa_handler = SIG_IGN
        var (interrupt, quit) = (sigaction(), sigaction())
        sigaction(SIGINT, &ignored, &interrupt)
        sigaction(SIGQUIT, &ignored, &quit)
        defer {
            sigaction(SIGINT, &interrupt, nil)
            sigaction(SIGQUIT, &quit, nil)
        }
        let modes = TerminalModes()
        guard case .success(let process) = spawn(command, input: nil) else { return 127 }
        return exitStatus(of: process, modes)
    }

    private struct SpawnError: Error {
        let number: Int32
    }

    /// `/bin/sh -c COMMAND` with every signal as a new program expects it.
    private static func spawn(_ command: String, input: Int32?) -> Result<pid_t, SpawnError> {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input { posix_spawn_file_actions_adddup2(&actions, input, 0) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGPIPE, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGXFSZ] { sigaddset(&signals, number) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var words: [UnsafeMutablePointer<CChar>?] = []
        for word in ["sh", "-c", command] { words.append(strdup(word)) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var process: pid_t = 0
        let number = posix_spawn(&process, "/bin/sh", &actions, &attributes, words, ChildEnvironment.entries())
        return number == 0 ? .success(process) : .failure(SpawnError(number: number))
    }

    /// Waits for the end of a child; told to end ourselves, we tell it, and whatever it has started, and leave the terminal
    /// as it was.
    private static func exitStatus(of process: pid_t, _ modes: TerminalModes) -> Int32 {
        var status: Int32 = 0
        var pause: UInt32 = 500
        var told: [pid_t] = []
        var end = ContinuousClock.now
        while true {
            // Not a plain wait: a signal that comes just before it would be heard after it.
            let result = waitpid(process, &status, WNOHANG)
            if result == process { break }
            if result < 0, errno != EINTR { return 127 }
            if Signals.wasToldToEnd {
                if told.isEmpty {
                    told = Descendants.all(of: process)
                    end = .now + grace
                    for process in told.reversed() { kill(process, SIGTERM) }
                } else if ContinuousClock.now >= end {
                    for process in told { kill(process, SIGKILL) }
                }
            }
            usleep(pause)
            pause = min(pause * 2, 20_000)
        }
        if !told.isEmpty {
            while ContinuousClock.now < end, told.contains(where: { kill($0, 0) == 0 }) { usleep(5000) }
            modes.restore()
        }
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
    }

    /// So long a child may take to end in good order.
    private static let grace = Duration.seconds(2)
}

/// How the terminal is set, to be restored when what had it was ended before it could.
private struct TerminalModes {
    private var modes: termios?

    init() {
        var modes = termios()
        if tcgetattr(0, &modes) == 0 { self.modes = modes }
    }

    func restore() {
        guard var modes else { return }
        tcsetattr(0, TCSANOW, &modes)
    }
}

/// Holds back the first screenful; starts the pager when more comes.
final class Pager {
    private let command: String
    private let rows: Int
    private let columns: Int
    private var held: [UInt8] = []
    private var lines = 0
    private var child: Child?

    /// - Parameter command: for the system's shell: `$ZEOSHELL_PAGER`, `$PAGER`, or `less`.
    init(command: String, rows: Int, columns: Int) {
        self.command = command
        self.rows = rows
        self.columns = columns
    }

    static func command(_ environment: Environment) -> String {
        environment["ZEOSHELL_PAGER"] ?? environment["PAGER"] ?? "less"
    }

    func write(_ bytes: [UInt8]) throws {
        if let child {
            try child.write(bytes)
            return
        }
        held += bytes
        var length = 0
        for byte in bytes {
            length += 1
            if byte == 10 || length > columns {
                lines += 1
                length = 0
            }
        }
        guard lines >= rows else { return }
        let child = try Child("LESS=\"${LESS-FRX}\"; export LESS; \(command)")
        self.child = child
        try child.write(held)
        held = []
    }

    /// Shows what is held back, or waits until the reader has left the pager.
    func finish() throws {
        if let child {
            _ = child.wait()
        } else {
            try Output.write(held, to: 1)
        }
    }
}
