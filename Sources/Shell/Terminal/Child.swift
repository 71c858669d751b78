internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A command of the system's shell that reads what we write.
final class Child {
    private var stream: UnsafeMutablePointer<FILE>?

    /// - Throws: `ShellFailure` when there is no process to be had.
    init(_ command: String) throws {
        stream = popen(command, "we")
        guard stream != nil else { throw ShellFailure(.io("running '\(command)'", errno: errno)) }
    }

    deinit { _ = wait() }

    func write(_ bytes: [UInt8]) throws {
        guard let stream else { return }
        try Output.write(bytes, to: fileno(stream))
    }

    /// Closes the pipe and waits.
    /// - Returns: the command's exit status, as the system's shell counts it.
    func wait() -> Int32 {
        guard let stream else { return 0 }
        self.stream = nil
        return Self.exitStatus(pclose(stream))
    }

    /// Runs a command that has the terminal to itself.
    static func run(_ command: String) -> Int32 { exitStatus(system(command)) }

    private static func exitStatus(_ status: Int32) -> Int32 {
        if status == -1 { return 127 }
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
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
