internal import ArgumentParser
internal import Storages
internal import ZODB

struct TopCommand: ShellCommand {
    static let name = "top"
    static let summary = "what goes on now: who commits what, loads, conflicts"
    static let synopsis = "[--once | -n N] [-i SECONDS] [--by GROUP] [--sort FIGURE]"
    static let group = CommandGroup.server
    static let discussion = """
        On a screen it is drawn over and over, with what was committed since it began. Keys: u, c, p and t group by user,
        class, path and transaction; s sorts by commits, objects or bytes; q or Ctrl-C leaves.
        Bytes are those of the records that were written. Loads and conflicts come from the server's counters, which begin
        with ZODB 3.10; without them only commits are seen. What top itself loads is not counted.
        Elsewhere, and with --once or -n, it writes rows: for each interval one for all of it ('total'), and those of the
        group with the most. -o jsonl for programs.
        Of a server that is away there is nothing to see: exit code 4, or 1 when it was so in some of the intervals only.
        """
    static let examples = [
        CommandExample("top", "look on, until q"),
        CommandExample("top --once -i 10 --by class", "ten seconds, by class, in rows"),
        CommandExample("zeoshell top db1:8800 -n 6 -i 600 -o csv > hour.csv", "an hour, in ten-minute steps"),
    ]

    @Flag(name: .customLong("once"), help: "One interval, in rows.") var isOnce = false
    @Option(
        name: [.customShort("n"), .customLong("number")],
        help: ArgumentHelp("So many intervals, in rows.", valueName: "n"))
    var number: Int?
    @Option(
        name: [.customShort("i"), .customLong("interval")],
        help: ArgumentHelp("How long an interval is (2).", valueName: "seconds"))
    var interval = 2.0
    @Option(help: ArgumentHelp("Group by user, class, path or transaction.", valueName: "group")) var by = Activity
        .Grouping.user
    @Option(help: ArgumentHelp("Sort by commits, objects or bytes.", valueName: "figure")) var sort = Activity.Order
        .bytes
    @Option(help: ArgumentHelp("Rows of the group in each interval (10).", valueName: "n")) var top = 10

    func validate() throws {
        if !(interval >= 0.1 && interval < 1e6) { throw ValidationError("--interval takes seconds, from 0.1 up") }
        if let number, number < 1 { throw ValidationError("-n takes a number from 1 up") }
        if isOnce, number != nil { throw ValidationError("--once and -n exclude each other") }
        if top < 0 { throw ValidationError("--top takes a number from 0 up") }
    }

    func run(in session: Session) throws -> Report {
        let monitor = try TopMonitor(session)
        let rows = TopRows(monitor, session, self)
        var table = Report.Table(TopRows.columns, ClosureCursor { () throws(StorageError) in try rows.next() })
        table.isLive = true
        var report = Report(.table(table)) { rows.conclusion }
        guard number == nil, !isOnce else { return report }
        report.screen = { style, zone in try self.show(monitor, session, style, zone) }
        return report
    }

    /// Draws until somebody leaves.
    private func show(_ monitor: TopMonitor, _ session: Session, _ style: Style, _ zone: LocalTime) throws -> ExitCode {
        var shown = TopScreen(address: session.address?.description ?? "")
        (shown.grouping, shown.order, shown.zone) = (by, sort, zone)
        var activity = Activity()
        let screen = try RawScreen()
        defer { screen.end() }
        var due = ContinuousClock.now
        do {
            while true {
                try session.interruption.check()
                if ContinuousClock.now >= due {
                    let sample = try monitor.sample()
                    activity.add(sample.activity)
                    shown.add(sample, activity)
                    due = .now + .seconds(interval)
                }
                let size = session.terminal.size
                try screen.draw(shown.lines(rows: size.rows, columns: size.columns, style: style))
                let left = ContinuousClock.now.duration(to: due).components
                // Not for long: the screen's size may change.
                let seconds = min(Double(left.seconds) + Double(left.attoseconds) / 1e18, 0.5)
                switch screen.key(within: seconds) {
                case .byte(let key): if !shown.press(key) { return .done }
                case .end: return .done
                case .none: break
                }
            }
        } catch StorageError.interrupted {
            return Signals.wasToldToEnd ? .terminated : .interrupted
        }
    }
}

extension Activity.Grouping: ExpressibleByArgument {}
extension Activity.Order: ExpressibleByArgument {}

/// The rows of one interval after the other.
private final class TopRows {
    static let columns = [
        Report.Column("time"), Report.Column("by"), Report.Column("name", tone: .name, isFlexible: true),
        Report.Column("commits"), Report.Column("objects"), Report.Column("bytes"), Report.Column("loads"),
        Report.Column("conflicts"), Report.Column("clients"), Report.Column("seconds", visibility: .detail),
        Report.Column("remark", visibility: .detail),
    ]

    private let monitor: TopMonitor
    private let session: Session
    private let command: TopCommand
    private var left: Int
    private var ready: [[Cell]] = []
    private var wasInterrupted = false
    /// Intervals, and those in which the server could not be asked.
    private var (count, blindCount) = (0, 0)
    private var problem: String?

    init(_ monitor: TopMonitor, _ session: Session, _ command: TopCommand) {
        (self.monitor, self.session, self.command) = (monitor, session, command)
        left = command.isOnce ? 1 : command.number ?? .max
    }

    var conclusion: Report.Conclusion {
        var conclusion = Report.Conclusion()
        if wasInterrupted {
            conclusion.exitCode = Signals.wasToldToEnd ? .terminated : .interrupted
        } else if blindCount > 0 {
            conclusion.exitCode = blindCount == count ? .connection : .negative
        }
        return conclusion
    }

    /// Said when it begins, and when it is over: a row of zeros looks as if nothing went on.
    private func note(_ sample: TopMonitor.Sample) {
        count += 1
        if sample.problem != nil { blindCount += 1 }
        defer { problem = sample.problem }
        guard (problem == nil) != (sample.problem == nil) else { return }
        let text = sample.problem.map { "the server cannot be asked: \($0)" } ?? "the server can be asked again"
        let severity: Report.Message.Severity = sample.problem == nil ? .note : .warning
        guard severity == .warning || !session.settings.isQuiet else { return }
        Diagnostics.write(
            Report.Message(text, severity: severity), command: TopCommand.name,
            format: session.settings.format ?? .plain)
    }

    func next() throws(StorageError) -> [Cell]? {
        do throws(StorageError) {
            if ready.isEmpty {
                guard left > 0 else { return nil }
                left -= 1
                try pause(command.interval, session.interruption)
                let sample = try monitor.sample()
                note(sample)
                ready = rows(of: sample).reversed()
            }
            return ready.popLast()
        } catch .interrupted {
            wasInterrupted = true
            return nil
        }
    }

    private func rows(of sample: TopMonitor.Sample) -> [[Cell]] {
        let time = Cell.time(TransactionID(unixTime: sample.time) ?? .none)
        func row(_ by: String, _ name: Cell, _ amount: Activity.Amount, _ rest: [Cell]) -> [Cell] {
            [time, .text(by), name, .integer(amount.commits), .integer(amount.objects), .size(amount.bytes)] + rest
        }
        func count(_ number: Int?) -> Cell { number.map { .integer($0) } ?? .none }
        let total = row(
            "total", .none, sample.activity.total,
            [
                count(sample.loads), count(sample.conflicts), count(sample.status?.figures.clients),
                .seconds(sample.seconds), sample.problem.map { .text($0) } ?? .none,
            ])
        let parts = sample.activity.rows(by: command.by, order: command.sort).prefix(command.top).map { part in
            row(
                command.by.rawValue, .text(part.name), part.amount,
                [.none, .none, .none, .seconds(sample.seconds), .none])
        }
        return [total] + parts
    }
}
