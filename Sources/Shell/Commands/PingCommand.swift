internal import ArgumentParser
internal import ZODB

struct PingCommand: ShellCommand {
    static let name = "ping"
    static let summary = "round trips to the server, timed"
    static let synopsis = "[-c N] [-i SECONDS] [--wait SECONDS]"
    static let group = CommandGroup.server
    static let discussion = """
        A round trip through the server's own loop: it shows that the server works, not only that its machine is there.
        Of several, the shortest, the median and the longest are told at the end; a server that does not answer within
        --wait is said to have lost one, and asked again. Ctrl-C ends it, with what is known until then.
        Exit code 0 when all were answered, 1 when some were, 4 when none was.
        """
    static let examples = [
        CommandExample("ping -c 5", "five round trips, a second apart"),
        CommandExample("ping -c 1000 -i 0 -q", "how long they take when nobody waits: the summary alone with -o json"),
    ]

    @Option(
        name: [.customShort("c"), .customLong("count")], help: ArgumentHelp("How many round trips (1).", valueName: "n")
    )
    var count = 1
    @Option(
        name: [.customShort("i"), .customLong("interval")],
        help: ArgumentHelp("How long to wait between two (1).", valueName: "seconds"))
    var interval = 1.0
    @Option(help: ArgumentHelp("How long to wait for an answer (10).", valueName: "seconds")) var wait = 10.0

    func validate() throws {
        if !(1...1_000_000).contains(count) { throw ValidationError("--count takes a number from 1 up") }
        if !(interval >= 0 && interval < 1e6) { throw ValidationError("--interval takes seconds, from 0 up") }
        if !(wait > 0 && wait < 1e6) { throw ValidationError("--wait takes seconds, more than 0") }
    }

    func run(in session: Session) throws -> Report {
        let storage = try session.storage(as: (any RemoteStorage).self, to: "be pinged: it is no server")
        let tally = PingTally()
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            guard tally.sent < count else { return nil }
            do throws(StorageError) {
                if tally.sent > 0, interval > 0 { try pause(interval, session.interruption) }
                try session.interruption.check()
                return try row(storage, tally)
            } catch {
                // One alone is an error as any other; of several, those before are counted.
                guard case .interrupted = error, tally.sent > 1 || count > 1 else { throw error }
                tally.wasInterrupted = true
                return nil
            }
        }
        let columns = [
            Report.Column("server"), Report.Column("number", visibility: .detail),
            Report.Column("seconds", title: "time"), Report.Column("remark", visibility: .detail),
        ]
        var table = Report.Table(columns, rows, total: count)
        table.isLive = true
        return Report(.table(table)) { tally.conclusion(of: count) }
    }

    private func row(_ storage: any RemoteStorage, _ tally: PingTally) throws(StorageError) -> [Cell] {
        do throws(StorageError) {
            let time = try storage.ping(within: .seconds(wait)).components
            let seconds = Double(time.seconds) + Double(time.attoseconds) / 1e18
            tally.answered(seconds)
            return [.text(storage.name), .integer(tally.sent), .seconds(seconds), .none]
        } catch {
            guard case .connection = error, count > 1 else { throw error }
            tally.lost()
            let why = ShellFailure(error).what
            return [.text(storage.name), .integer(tally.sent), .alert("lost: \(why)"), .text(why)]
        }
    }
}

/// How round trips went.
final class PingTally {
    private var times: [Double] = []
    private(set) var sent = 0
    var wasInterrupted = false

    func answered(_ seconds: Double) {
        sent += 1
        times.append(seconds)
    }

    func lost() { sent += 1 }

    /// `5 sent, 5 answered; min 0.21 ms, median 0.24 ms, max 0.80 ms`
    var summary: String {
        let lost = sent - times.count
        let counts = "\(sent) sent, \(times.count) answered" + (lost > 0 ? ", \(lost) lost" : "")
        guard let (shortest, median, longest) = range else { return counts }
        let texts = [("min", shortest), ("median", median), ("max", longest)]
            .map { "\($0) \(CellText.duration($1))" }
        return counts + "; " + texts.joined(separator: ", ")
    }

    /// Shortest, median, longest.
    var range: (Double, Double, Double)? {
        let sorted = times.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        let middle = sorted.count / 2
        return (
            first, sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle], last
        )
    }

    func conclusion(of count: Int) -> Report.Conclusion {
        var conclusion = Report.Conclusion()
        if count > 1 { conclusion.messages = [Report.Message(summary)] }
        if wasInterrupted {
            conclusion.exitCode = Signals.wasToldToEnd ? .terminated : .interrupted
        } else if times.count < sent {
            conclusion.exitCode = times.isEmpty ? .connection : .negative
        }
        return conclusion
    }
}
