internal import ArgumentParser

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Where passwords come from: never from the command line, which everybody on the machine can read.
enum PasswordInput {
    /// - Throws: `ValidationError` when there is none, or the second is not the first.
    static func read(for user: String) throws -> String {
        guard isatty(STDIN_FILENO) == 1 else {
            guard let line = readLine(), !line.isEmpty else {
                throw ValidationError("there is no password: standard input holds no line")
            }
            return line
        }
        let first = try ask("New password for \(user): ")
        guard !first.isEmpty else { throw ValidationError("there is no password: nothing was changed") }
        guard try ask("Once more: ") == first else {
            throw ValidationError("the two are not the same: nothing was changed")
        }
        return first
    }

    /// One line, not shown. ^C gives up, and leaves the terminal as it was.
    private static func ask(_ prompt: String) throws -> String {
        say(prompt)
        var before = termios()
        guard unsafe tcgetattr(STDIN_FILENO, &before) == 0 else {
            throw ValidationError("the terminal cannot be read")
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
            var byte: UInt8 = 0
            #if canImport(Glibc)
                let count = unsafe Glibc.read(STDIN_FILENO, &byte, 1)
            #else
                let count = unsafe Musl.read(STDIN_FILENO, &byte, 1)
            #endif
            if count < 0, errno == EINTR { continue }
            guard count == 1 else { throw ExitCode(1) }
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
