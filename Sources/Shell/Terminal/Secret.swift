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

    /// What comes out of an open descriptor up to its end, without a line end.
    /// - Parameter option: what named it.
    static func descriptor(_ number: Int, of option: String = "--password-fd") throws -> [UInt8] {
        guard number != 1, number != 2, let descriptor = Int32(exactly: number), descriptor >= 0 else {
            throw ShellFailure.usage("\(option) \(number): not a descriptor to read from")
        }
        let name = "descriptor \(number)"
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: limit)
        while bytes.count <= limit {
            let count = read(descriptor, &buffer, buffer.count)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw StorageError.io(name, errno: errno)
            }
            bytes += buffer[..<count]
        }
        return try checked(bytes, from: name)
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
                "no-password", .refused, at: source, "more than one line: is this the right one? Nothing was done")
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
