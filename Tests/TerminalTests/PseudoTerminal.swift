import Foundation
import Testing

/// A program that believes a person sits before it: started on a terminal of its own, which is what controls it.
final class PseudoTerminal {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let master: Int32
    private let process: pid_t
    private var status: Int32?
    private(set) var screen: Screen
    /// Everything the program wrote.
    private(set) var transcript: [UInt8] = []

    /// How long anything may take, on a machine that has much else to do.
    private static let patience = 60.0
    /// How long the last words of a program may take that has ended, when something it started keeps the terminal open.
    private static let farewell = 5.0

    /// TIOCSPTLCK and TIOCGPTN of asm-generic/ioctls.h; POSIX_SPAWN_SETSID of spawn.h.
    private static let setLock: UInt = 0x4004_5431
    private static let getNumber: UInt = 0x8004_5430
    private static let newSession: Int16 = 0x80

    init(
        _ path: String, _ arguments: [String], environment: [String: String], rows: Int = 24, columns: Int = 80
    ) throws {
        // What posix_openpt, unlockpt and ptsname do; Glibc's module does not have them.
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var lock: Int32 = 0
        var number: UInt32 = 0
        guard master >= 0, ioctl(master, Self.setLock, &lock) == 0, ioctl(master, Self.getNumber, &number) == 0 else {
            throw Failure(description: "no pseudo-terminal: error \(errno)")
        }
        let slave = "/dev/pts/\(number)"
        screen = Screen(rows: rows, columns: columns)
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // A session leader that opens a terminal gets it as its controlling one.
        posix_spawn_file_actions_addopen(&actions, 0, slave, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Self.newSession)

        let words = ([path] + arguments).map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in words + variables { free(pointer) } }
        var child: pid_t = 0
        let error = posix_spawn(&child, path, &actions, &attributes, words, variables)
        guard error == 0 else { throw Failure(description: "\(path): error \(error)") }
        process = child
    }

    deinit {
        if status == nil {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }
        close(master)
    }

    /// Types.
    func send(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { return }
            rest = rest.dropFirst(max(0, count))
        }
    }

    func signal(_ number: Int32) { kill(process, number) }

    func resize(rows: Int, columns: Int) {
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
        screen.resize(rows: rows, columns: columns)
    }

    /// Whether the terminal echoes and hands over whole lines, as a shell expects to find it.
    var isCooked: Bool {
        var modes = termios()
        guard tcgetattr(master, &modes) == 0 else { return false }
        return modes.c_lflag & tcflag_t(ECHO) != 0 && modes.c_lflag & tcflag_t(ICANON) != 0
    }

    /// Reads what the program writes until the screen is as wanted.
    func wait(for what: String, until isThere: (Screen) -> Bool) throws {
        let deadline = Date().addingTimeInterval(Self.patience)
        while !isThere(screen) {
            guard Date() < deadline, try readMore(until: deadline) else {
                throw Failure(description: "no \(what) on the screen:\n\(screen.text)")
            }
        }
    }

    /// Waits until the program has written something to a file.
    func waitForFile(_ path: String) throws {
        let deadline = Date().addingTimeInterval(Self.patience)
        while FileManager.default.contents(atPath: path)?.isEmpty != false {
            guard Date() < deadline else {
                throw Failure(description: "nothing in \(path); the screen:\n\(screen.text)")
            }
            _ = try readMore(until: Date().addingTimeInterval(0.05))
        }
    }

    /// Waits until a line of the screen holds `text`.
    func wait(for text: String) throws {
        try wait(for: "'\(text)'") { screen in screen.lines.contains { $0.contains(text) } }
    }

    /// Waits until the line that the cursor is in is `text`.
    func waitForLine(_ text: String) throws {
        try wait(for: "line '\(text)'") { $0.currentLine == text }
    }

    /// Waits for the program's end.
    /// - Returns: its exit status, 128 and the signal's number when one ended it.
    func exitStatus() throws -> Int32 {
        let deadline = Date().addingTimeInterval(Self.patience)
        while true {
            var raw: Int32 = 0
            if waitpid(process, &raw, WNOHANG) == process {
                let ended = raw & 0x7f == 0 ? raw >> 8 & 0xff : 128 + raw & 0x7f
                status = ended
                // The end may be seen before the last words are there to be read: they are when the terminal says that
                // nobody has it open any more. Whoever else still has it is not waited for long.
                let end = Date().addingTimeInterval(Self.farewell)
                while Date() < end, try readMore(until: end) {}
                return ended
            }
            guard Date() < deadline else { throw Failure(description: "still running:\n\(screen.text)") }
            _ = try readMore(until: Date().addingTimeInterval(0.05))
        }
    }

    /// - Returns: false when the program has closed the terminal.
    private func readMore(until deadline: Date) throws -> Bool {
        var waiting = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, Int32(max(0, deadline.timeIntervalSinceNow) * 1000)) > 0 else { return true }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(master, &bytes, bytes.count)
        guard count > 0 else { return false }
        transcript += bytes[..<count]
        screen.show(bytes[..<count])
        return true
    }
}
