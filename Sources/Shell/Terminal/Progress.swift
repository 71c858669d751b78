internal import Synchronization

/// How far a long piece of work is: a line on standard error, after the first second.
public final class Progress: Sendable {
    public enum Style: Sendable {
        case none
        /// Nothing but that something is waited for, a line at a time, ever more rarely.
        case waits
        /// One line, written over and over.
        case line
        /// A JSON object a second.
        case json
    }

    private struct State {
        var style = Style.none
        var start: ContinuousClock.Instant
        var lastShown: ContinuousClock.Instant?
        var isShown = false
        /// Of a wait, the seconds when it is told of next.
        var nextWait = firstWait
    }

    private static let firstWait = 30

    private let state: Mutex<State>
    private let write: @Sendable (String) -> Void
    private let now: @Sendable () -> ContinuousClock.Instant

    public init(
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }, write: @escaping @Sendable (String) -> Void
    ) {
        self.write = write
        self.now = now
        state = Mutex(State(start: now()))
    }

    /// A new piece of work begins.
    public func begin(_ style: Style) {
        clear()
        let moment = now()
        state.withLock { $0 = State(style: style, start: moment) }
    }

    /// Tells how far the work is; cheap enough to be called for every object.
    ///
    /// - Parameters:
    ///   - phase: what is being done, in a word or two: `reading`.
    ///   - unit: what is counted: `objects`.
    ///   - total: how many there will be, when that is known.
    public func update(_ phase: String, _ done: Int, _ unit: String, of total: Int? = nil) {
        let moment = now()
        let text = state.withLock { state -> String? in
            let elapsed = state.start.duration(to: moment)
            let interval: Duration = state.style == .json ? .seconds(1) : .milliseconds(200)
            guard state.style == .line || state.style == .json, elapsed >= .seconds(1),
                state.lastShown.map({ $0.duration(to: moment) >= interval }) ?? true
            else { return nil }
            state.lastShown = moment
            state.isShown = state.style == .line
            let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
            let report = Report(phase: phase, done: done, unit: unit, total: total, seconds: seconds)
            return state.style == .line ? "\r" + report.line + "\u{1b}[K" : report.json + "\n"
        }
        if let text { write(text) }
    }

    /// Tells that a server is waited for, since so many seconds; cheap enough to be called twenty times a second.
    ///
    /// Who reads it later, in a log, is told after half a minute, and then each time that it has become twice as long.
    public func wait(for server: String, seconds: Int) {
        let moment = now()
        let text = state.withLock { state -> String? in
            switch state.style {
            case .none: return nil
            case .waits:
                if seconds < Self.firstWait { state.nextWait = Self.firstWait }
                guard seconds >= state.nextWait else { return nil }
                state.nextWait = seconds > .max / 2 ? .max : seconds * 2
                return "zeoshell: still waiting for \(TerminalText.escaped(server)), \(seconds) s\n"
            case .line, .json:
                guard state.lastShown.map({ $0.duration(to: moment) >= .seconds(1) }) ?? true else { return nil }
                state.lastShown = moment
                state.isShown = state.style == .line
                if state.style == .line {
                    let server = TerminalText.escaped(server)
                    return "\rstill waiting for \(server), \(seconds) s; Ctrl-C gives up\u{1b}[K"
                }
                let members = [("phase", JSONText.string("waiting for \(server)")), ("seconds", String(seconds))]
                return JSONText.object([("progress", JSONText.object(members))]) + "\n"
            }
        }
        if let text { write(text) }
    }

    /// Takes the line away: before anything else is written.
    public func clear() {
        let wasShown = state.withLock { state in
            defer { state.isShown = false }
            return state.isShown
        }
        if wasShown { write("\r\u{1b}[K") }
    }

    /// What is told.
    private struct Report {
        var phase: String
        var done: Int
        var unit: String
        var total: Int?
        var seconds: Double

        private var rate: Double { min(Double(done) / seconds, 1e15) }

        var line: String {
            let isBytes = unit == "bytes"
            func count(_ number: Int) -> String { isBytes ? CellText.humanSize(number) : grouped(number) }
            let done = count(done) + (total.map { " of \(count($0))" } ?? "") + (isBytes ? "" : " \(unit)")
            var parts = ["\(phase): \(done)"]
            if let total, total > 0 { parts.append("\(Int(min(1, Double(self.done) / Double(total)) * 100)) %") }
            parts.append("\(count(Int(rate))) a second")
            if let total, rate > 0 {
                parts.append(CellText.duration(Double(max(0, total - self.done)) / rate) + " left")
            }
            return parts.joined(separator: ", ")
        }

        var json: String {
            var members = [
                ("phase", JSONText.string(phase)), ("done", String(done)), ("unit", JSONText.string(unit)),
                ("seconds", JSONText.number((seconds * 10).rounded() / 10)),
            ]
            if let total { members.append(("total", String(total))) }
            return JSONText.object([("progress", JSONText.object(members.map { ($0.0, $0.1) }))])
        }
    }
}

/// `12,345`
func grouped(_ number: Int) -> String {
    let digits = Array(String(number.magnitude))
    var result = ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index).isMultiple(of: 3) { result.append(",") }
        result.append(digit)
    }
    return (number < 0 ? "-" : "") + result
}
