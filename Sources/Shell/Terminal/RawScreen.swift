internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The whole screen of a terminal, drawn over and over, with keys that are heard at once.
///
/// It is a screen beside the one that was there, which comes back at the end: also when the program is told to end, and
/// when Ctrl-C ends it at once.
final class RawScreen {
    private var isOpen = true

    /// The other screen, no cursor, the cursor at its beginning; and back.
    private static let begin = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[H\u{1b}[J"

    /// - Throws: `io` where there is no terminal.
    init() throws(StorageError) {
        var modes = termios()
        guard tcgetattr(0, &modes) == 0 else { throw .io("reading the terminal's modes", errno: errno) }
        Signals.screenBegins(modes)
        modes.c_lflag &= ~tcflag_t(ICANON | ECHO)
        // Stopped by Ctrl-Z, it would leave the terminal as it is.
        withUnsafeMutableBytes(of: &modes.c_cc) { unsafe $0[Int(VSUSP)] = 0 }
        guard tcsetattr(0, TCSAFLUSH, &modes) == 0 else {
            let number = errno
            Signals.screenEnds()
            throw .io("taking over the terminal", errno: number)
        }
        try? Output.write(Array(Self.begin.utf8), to: 1)
    }

    deinit { end() }

    /// Gives the terminal back. More than once does no harm.
    func end() {
        guard isOpen else { return }
        isOpen = false
        Signals.screenEnds()
    }

    func draw(_ lines: [String]) throws {
        let text = "\u{1b}[H" + lines.map { $0 + "\u{1b}[K" }.joined(separator: "\r\n") + "\u{1b}[J"
        try Output.write(Array(text.utf8), to: 1)
    }

    enum Key {
        case byte(UInt8)
        /// The terminal is gone.
        case end
        case none
    }

    /// Waits for a key; arrows and their like are passed over.
    func key(within seconds: Double) -> Key {
        var waiting = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, Int32(max(0, min(seconds, 3600)) * 1000)) > 0 else { return .none }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(0, &bytes, bytes.count)
        if count > 0 { return bytes[0] == 0x1b ? .none : .byte(bytes[0]) }
        return count < 0 && (errno == EINTR || errno == EAGAIN) ? .none : .end
    }
}
