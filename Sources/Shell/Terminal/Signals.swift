public import LineEditing
internal import Synchronization
public import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The process's signals, as the shell wants them: Ctrl-C raises the interruption, and whatever waits for a key hears
/// of it.
///
/// A handler only sets flags and writes one byte to a pipe; both may be done in a handler.
public final class Signals: EditorEventSource {
    /// What the handlers may touch: made before the first of them is installed.
    private final class State: Sendable {
        let interruption = Interruption()
        let pending = Atomic<UInt32>(0)
        let pipe = Atomic<Int32>(-1)
        let isTerminated = Atomic(false)
        let alarmRang = Atomic(false)
        /// Ctrl-C once more ends the program: nobody is at a prompt.
        let endsAtSecondInterrupt = Atomic(false)
        /// Whether a screen of ours is shown, and the terminal's modes from before.
        let hasScreen = Atomic(false)
        // `nonisolated(unsafe)`: a signal's handler reads it, which can take no lock, and only while `hasScreen` is set: it is
        // written before that.
        nonisolated(unsafe) let modes = UnsafeMutablePointer<termios>.allocate(capacity: 1)
    }

    private static let state = State()

    public let descriptor: Int32

    /// Raised by Ctrl-C, by SIGTERM and SIGHUP, and by `ring(after:)`.
    public var interruption: Interruption { Self.state.interruption }
    /// SIGTERM or SIGHUP came: leave.
    public var isTerminated: Bool { Self.wasToldToEnd }
    /// The same, for what has no signals at hand.
    static var wasToldToEnd: Bool { state.isTerminated.load(ordering: .relaxed) }
    /// Whether the interruption is raised; for what has no session at hand.
    static var wasInterrupted: Bool { state.interruption.isRaised }

    /// Installs the handlers, for the whole process.
    /// - Parameter endsAtSecondInterrupt: a second Ctrl-C ends the program at once, should the first not be heard.
    public init(endsAtSecondInterrupt: Bool = false) {
        let state = Self.state
        state.endsAtSecondInterrupt.store(endsAtSecondInterrupt, ordering: .relaxed)
        var ends: [Int32] = [-1, -1]
        if pipe(&ends) == 0 {
            for end in ends {
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
            }
        }
        descriptor = ends[0]
        state.pipe.store(ends[1], ordering: .relaxed)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT, SIGALRM, SIGPIPE] {
            // `nohup`, or a script's `&`, wants it ignored.
            let mayBeIgnored = number == SIGHUP || number == SIGINT && endsAtSecondInterrupt
            if !mayBeIgnored || !Self.isIgnored(number) { Self.install(number) }
        }
        // Ctrl-\ would be answered by the runtime's backtrace, with the terminal as the editor left it. At a prompt
        // it means nothing, as in a shell; a command line it ends, without a word. Children get the default back.
        signal(SIGQUIT, endsAtSecondInterrupt ? SIG_DFL : SIG_IGN)
        // A file that reaches a limit is an error of one write and not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(number, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1  // SIG_IGN
    }

    private static func install(_ number: Int32) {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { Signals.handle($0) }
        // Calls that are not waits go on by themselves; poll never does.
        action.sa_flags = SA_RESTART
        sigaction(number, &action, nil)
        // Whoever started us may have had it blocked, as threads of a pool do.
        var handled = sigset_t()
        sigemptyset(&handled)
        sigaddset(&handled, number)
        sigprocmask(SIG_UNBLOCK, &handled, nil)
    }

    /// Runs as a signal handler: flags and `write`, nothing else. (SIGPIPE has a handler that does nothing, rather than
    /// being ignored, because children would inherit that.)
    private static func handle(_ number: Int32) {
        let saved = errno
        switch number {
        case SIGINT:
            if state.interruption.isRaised, state.endsAtSecondInterrupt.load(ordering: .relaxed) {
                screenEnds()
                _exit(130)
            }
            state.interruption.raise()
            note(interruptBit)
        case SIGTERM, SIGHUP:
            state.isTerminated.store(true, ordering: .relaxed)
            state.interruption.raise()
            note(terminateBit)
        case SIGWINCH: note(resizeBit)
        case SIGCONT: note(resumeBit)
        case SIGALRM:
            state.alarmRang.store(true, ordering: .relaxed)
            state.interruption.raise()
        default: break
        }
        errno = saved
    }

    private static let interruptBit: UInt32 = 1
    private static let terminateBit: UInt32 = 2
    private static let resizeBit: UInt32 = 4
    private static let resumeBit: UInt32 = 8

    private static func note(_ bit: UInt32) {
        state.pending.bitwiseOr(bit, ordering: .relaxed)
        var byte: UInt8 = 0
        _ = systemWrite(state.pipe.load(ordering: .relaxed), &byte, 1)
    }

    // MARK: The screen

    /// A screen of ours takes over a terminal with these modes.
    static func screenBegins(_ modes: termios) {
        state.modes.initialize(to: modes)
        state.hasScreen.store(true, ordering: .sequentiallyConsistent)
    }

    /// The screen that was there before comes back, the cursor and the modes with it. Also called by a handler.
    static func screenEnds() {
        guard state.hasScreen.exchange(false, ordering: .sequentiallyConsistent) else { return }
        let text: StaticString = "\u{1b}[H\u{1b}[J\u{1b}[?25h\u{1b}[?1049l"
        _ = systemWrite(1, text.utf8Start, text.utf8CodeUnitCount)
        tcsetattr(0, TCSANOW, state.modes)
    }

    // MARK: Events for the editor

    public func next() -> EditorEvent? {
        let state = Self.state
        for (bit, event) in [
            (Self.terminateBit, EditorEvent.terminate), (Self.interruptBit, .interrupt), (Self.resumeBit, .resume),
            (Self.resizeBit, .resize),
        ] where state.pending.bitwiseAnd(~bit, ordering: .relaxed).oldValue & bit != 0 {
            return event
        }
        drain()
        return state.pending.load(ordering: .relaxed) == 0 ? nil : next()
    }

    private func drain() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(descriptor, &bytes, bytes.count) > 0 {}
    }

    /// Forgets a Ctrl-C: before each command. A request to end stays.
    public func clear() {
        guard !isTerminated else { return }
        Self.state.pending.bitwiseAnd(~Self.interruptBit, ordering: .relaxed)
        Self.state.interruption.clear()
    }

    // MARK: Deadlines

    /// Does something that must not take longer than until `deadline`: then the interruption is raised.
    public func limited<Result>(until deadline: ContinuousClock.Instant, _ body: () -> Result) -> Result {
        let left = ContinuousClock.now.duration(to: deadline).components
        let micros = max(1000, left.seconds * 1_000_000 + left.attoseconds / 1_000_000_000_000)
        var timer = itimerval()
        timer.it_value = timeval(tv_sec: Int(micros / 1_000_000), tv_usec: Int(micros % 1_000_000))
        Self.state.alarmRang.store(false, ordering: .relaxed)
        setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
        defer {
            var off = itimerval()
            setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &off, nil)
            // A Ctrl-C meanwhile is still noted for the editor; the interruption is for the next command to raise.
            if Self.state.alarmRang.load(ordering: .relaxed) { clearAlarm() }
        }
        return body()
    }

    private func clearAlarm() {
        if !isTerminated { Self.state.interruption.clear() }
    }
}
