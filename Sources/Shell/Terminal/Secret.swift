internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A password, from where it cannot be seen: never from a command line, which histories and process lists show.
enum Secret {
    /// Longer ones are a mistake: somebody named the wrong file.
    static let limit = 4096

    /// What a file holds, without its line end.
    static func file(_ path: String) throws -> [UInt8] {
        try checked(try FilePaths.read(path, limit: limit), from: path)
    }

    /// The line that comes out of an open descriptor, without its end: more is not read, nor waited for.
    /// - Parameter option: what named it.
    static func descriptor(_ number: Int, of option: String = "--password-fd") throws -> [UInt8] {
        func failure(_ what: String, _ advice: String? = nil) -> ShellFailure {
            ShellFailure.usage("\(option) \(number): \(what)", advice: advice ?? "\(option) 3 3< FILE")
        }
        guard number != 1, number != 2, let descriptor = Int32(exactly: number), descriptor >= 0 else {
            throw failure("expected the number of a descriptor to read from: 0, or 3 and more")
        }
        let mode = fcntl(descriptor, F_GETFL)
        guard mode >= 0 else { throw failure("no such descriptor is open") }
        guard mode & O_ACCMODE != O_WRONLY else { throw failure("it is open for writing alone") }
        guard isatty(descriptor) == 0 else {
            throw failure("it is a terminal, which would show what is typed", "left out, it is asked for, unseen")
        }
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        // One by one: what comes after the line is for others.
        while bytes.count <= limit {
            try FilePaths.awaitInput(descriptor)
            let count = read(descriptor, &byte, 1)
            if count < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                throw failure(String(cString: strerror(errno)))
            }
            if count == 0 || byte == UInt8(ascii: "\n") { break }
            bytes.append(byte)
        }
        return try checked(bytes, from: "descriptor \(number)")
    }

    /// What somebody types, twice, without seeing it.
    static func typed(_ question: String, _ questions: Questions) throws -> [UInt8] {
        let first = try questions.secret(question)
        guard first == (try questions.secret("Again:")) else {
            throw ShellFailure("not-confirmed", .refused, "the two are not the same: nothing was done")
        }
        return try checked(Array(first.utf8), from: "the terminal")
    }

    private static func checked(_ bytes: [UInt8], from source: String) throws -> [UInt8] {
        var bytes = bytes
        if bytes.last == 10 { bytes.removeLast() }
        if bytes.last == 13 { bytes.removeLast() }
        guard !bytes.isEmpty else {
            throw ShellFailure("no-password", .refused, at: source, "an empty password: nothing was done")
        }
        guard bytes.count < limit, !bytes.contains(10), !bytes.contains(0) else {
            throw ShellFailure(
                "no-password", .refused, at: source,
                "expected one line of text, of less than \(limit) bytes: is this the right one? Nothing was done")
        }
        guard String(validating: bytes, as: UTF8.self).map({ !$0.unicodeScalars.contains("\u{fffd}") }) ?? false else {
            throw ShellFailure("no-password", .refused, at: source, "not UTF-8, which Zope expects: nothing was done")
        }
        return bytes
    }
}

/// Runs `body` while the terminal does not show what is typed.
func withoutEcho<Result>(_ descriptor: Int32 = 0, _ body: () throws -> Result) throws -> Result {
    var modes = termios()
    guard tcgetattr(descriptor, &modes) == 0 else {
        throw StorageError.io("reading the terminal's modes", errno: errno)
    }
    let before = modes
    modes.c_lflag &= ~tcflag_t(ECHO)
    // The line end is shown: the cursor is in the next line afterwards.
    modes.c_lflag |= tcflag_t(ECHONL | ICANON | ISIG)
    guard tcsetattr(descriptor, TCSAFLUSH, &modes) == 0 else {
        throw StorageError.io("hiding what is typed", errno: errno)
    }
    defer {
        var modes = before
        tcsetattr(descriptor, TCSAFLUSH, &modes)
    }
    return try body()
}
