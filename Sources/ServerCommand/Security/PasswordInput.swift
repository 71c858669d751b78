internal import ArgumentParser

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Where passwords come from: never from the command line, which everybody on the machine can read.
enum PasswordInput {
    /// Longer ones are a mistake: somebody sends another file.
    private static let limit = 4096

    /// - Throws: `CommandFailure` when there is none, or the second is not the first.
    static func read(for user: String) throws -> String {
        guard isatty(STDIN_FILENO) == 1 else { return try line() }
        let first = try ask("New password for \(user): ")
        guard !first.isEmpty else { throw CommandFailure("there is no password: nothing was changed") }
        guard try ask("Once more: ") == first else {
            throw CommandFailure("the two are not the same: nothing was changed")
        }
        return first
    }

    /// The first line of standard input.
    private static func line() throws -> String {
        var line: [UInt8] = []
        while let byte = byte(), byte != UInt8(ascii: "\n") {
            line.append(byte)
            guard line.count < limit else {
                throw CommandFailure(
                    at: "standard input", "expected a line with a password, found one of more than \(limit) bytes")
            }
        }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        guard !line.isEmpty else {
            throw CommandFailure(
                at: "standard input", "expected a line with the password, found none: nothing was changed",
                advice: "on a terminal it is asked for")
        }
        guard let text = String(validating: line, as: UTF8.self), !line.contains(0) else {
            throw CommandFailure(at: "standard input", "expected a password in UTF-8: nothing was changed")
        }
        return text
    }

    /// Nil at the end of standard input.
    private static func byte() -> UInt8? {
        var byte: UInt8 = 0
        while true {
            #if canImport(Glibc)
                let count = unsafe Glibc.read(STDIN_FILENO, &byte, 1)
            #else
                let count = unsafe Musl.read(STDIN_FILENO, &byte, 1)
            #endif
            if count < 0, errno == EINTR { continue }
            return count == 1 ? byte : nil
        }
    }

    /// One line, not shown. ^C gives up, and leaves the terminal as it was.
    private static func ask(_ prompt: String) throws -> String {
        say(prompt)
        var before = termios()
        guard unsafe tcgetattr(STDIN_FILENO, &before) == 0 else {
            throw CommandFailure("the terminal cannot be read")
        }
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            say("\n")
        }
        var line: [UInt8] = []
        while true {
            guard let byte = byte() else { throw ExitCode(1) }
            switch byte {
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"): return String(decoding: line, as: UTF8.self)
            // ^C and ^D.
            case 3, 4: throw ExitCode(130)
            case 8, 127:
                // A whole character: the bytes that continue it, and the one that begins it.
                while let last = line.popLast(), last & 0xc0 == 0x80 {}
            // ^U.
            case 21: line = []
            default: line.append(byte)
            }
        }
    }

    private static func say(_ text: String) {
        // To the terminal, also when the output goes elsewhere.
        let bytes = Array(text.utf8)
        #if canImport(Glibc)
            _ = unsafe Glibc.write(STDERR_FILENO, bytes, bytes.count)
        #else
            _ = unsafe Musl.write(STDERR_FILENO, bytes, bytes.count)
        #endif
    }
}
