/// What a check found, and how it is told: a Nagios plugin's line, OpenMetrics, JSON.
struct CheckResult {
    /// A plugin's exit codes. Source: the Monitoring Plugins' development guidelines.
    enum Status: Int, Comparable {
        case ok = 0
        case warning = 1
        case critical = 2
        case unknown = 3

        var word: String {
            switch self {
            case .ok: "OK"
            case .warning: "WARNING"
            case .critical: "CRITICAL"
            case .unknown: "UNKNOWN"
            }
        }

        /// The program's exit status of this number; what it is called elsewhere does not matter here.
        var exitCode: ExitCode {
            switch self {
            case .ok: .done
            case .warning: .negative
            case .critical: .usage
            case .unknown: .scriptStopped
            }
        }

        /// Critical is worse than not to know.
        private var rank: Int { self == .critical ? 4 : rawValue }

        static func < (left: Status, right: Status) -> Bool { left.rank < right.rank }
    }

    enum Unit { case seconds, bytes, count }

    struct Measure {
        var name: String
        var value: Double
        var unit: Unit
        var text: String
        var warning: Double?, critical: Double?
        var status: Status
        /// Not worth a place in the line unless it is wrong.
        var isQuiet: Bool
    }

    /// What was checked.
    let name: String
    private(set) var status = Status.ok
    private(set) var measures: [Measure] = []
    private(set) var problems: [(status: Status, text: String)] = []

    init(name: String) { self.name = name }

    mutating func add(_ status: Status, _ text: String) {
        problems.append((status, text))
        self.status = max(self.status, status)
    }

    /// Nobody watches an empty database on purpose.
    mutating func addEmpty() { add(.warning, "the database is empty: is the path right?") }

    /// A figure, with the limits above which it is a warning, or critical.
    mutating func measure(
        _ name: String, _ value: Double, _ unit: Unit, _ label: String, _ warning: Double?, _ critical: Double?,
        suffix: String? = nil, isQuiet: Bool = false
    ) {
        var status = Status.ok
        if let warning, value > warning { status = .warning }
        if let critical, value > critical { status = .critical }
        let number =
            switch unit {
            case .seconds: CellText.duration(value)
            case .bytes: CellText.humanSize(Int(clamping: Int64(min(value, 9e18))))
            case .count: grouped(Int(min(max(value, 0), 9e18)))
            }
        let text: String
        switch unit {
        case .count: text = "\(number) \(value == 1 ? Self.singular(label) : label)"
        default: text = "\(label) \(number)" + (suffix.map { " \($0)" } ?? "")
        }
        measures.append(
            Measure(
                name: name, value: value, unit: unit, text: text, warning: warning, critical: critical,
                status: status, isQuiet: isQuiet))
        self.status = max(self.status, status)
    }

    /// `clients` → `client`; `waiting for the lock` as it is.
    private static func singular(_ label: String) -> String {
        label.hasSuffix("s") ? String(label.dropLast()) : label
    }

    // MARK: How it is told

    /// The text of a plugin's line, in front of its figures.
    static func line(_ status: Status, _ name: String, _ text: String) -> String {
        // The bar ends the text, and a line is all there is.
        "ZODB \(status.word) - \(name): " + String(text.map { $0 == "|" || $0.isNewline ? " " : $0 })
    }

    /// `ZODB OK - answered in 3 ms, … | response_seconds=0.003s;1;5;0`
    var nagiosLine: String {
        let bad = measures.filter { $0.status > .ok }.map { "\($0.text) (\($0.status.word))" }
        let good = measures.filter { $0.status == .ok && !$0.isQuiet }.map(\.text)
        let parts = problems.map(\.text) + bad + good
        let text = parts.joined(separator: ", ")
        let data = measures.map { measure -> String in
            let unit = measure.unit == .seconds ? "s" : measure.unit == .bytes ? "B" : ""
            let limits = [measure.warning, measure.critical].map { $0.map(Self.number) ?? "" }
            return "\(measure.name)=\(Self.number(measure.value))\(unit);\(limits[0]);\(limits[1]);0"
        }
        return Self.line(status, name, text)
            + (data.isEmpty ? "" : " | " + data.joined(separator: " "))
    }

    /// Gauges, each with the storage as a label; `zodb_check_status` is the exit code.
    ///
    /// Source: the OpenMetrics specification, text format.
    var openMetrics: String {
        let label = "{storage=\"\(Self.escaped(name))\"}"
        var lines = [
            "# TYPE zodb_check_status gauge", "# HELP zodb_check_status 0 ok, 1 warning, 2 critical, 3 unknown.",
            "zodb_check_status\(label) \(status.rawValue)",
        ]
        for measure in measures {
            lines.append("# TYPE zodb_\(measure.name) gauge")
            if measure.unit != .count {
                lines.append("# UNIT zodb_\(measure.name) \(measure.unit == .seconds ? "seconds" : "bytes")")
            }
            lines.append("zodb_\(measure.name)\(label) \(Self.number(measure.value))")
        }
        return (lines + ["# EOF"]).joined(separator: "\n")
    }

    var json: String {
        let values = measures.map { measure -> (String, String) in
            var members = [
                ("value", Self.number(measure.value)), ("status", JSONText.string(measure.status.word)),
            ]
            if let warning = measure.warning { members.append(("warning", Self.number(warning))) }
            if let critical = measure.critical { members.append(("critical", Self.number(critical))) }
            return (measure.name, JSONText.object(members))
        }
        let problems = problems.map { JSONText.string($0.text) }.joined(separator: ",")
        return JSONText.object([
            ("storage", JSONText.string(name)), ("status", JSONText.string(status.word)),
            ("exit_code", String(status.rawValue)), ("problems", "[\(problems)]"),
            ("measures", JSONText.object(values)),
        ])
    }

    /// Without an exponent, and no more digits than anybody measures.
    private static func number(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 9e18 else { return "0" }
        if value == value.rounded() { return String(Int64(value)) }
        let thousandths = Int64((abs(value) * 1000).rounded())
        let fraction = String(thousandths % 1000)
        let zeros = String(repeating: "0", count: 3 - fraction.count)
        return (value < 0 ? "-" : "") + "\(thousandths / 1000).\(zeros)\(fraction)"
    }

    private static func escaped(_ text: String) -> String {
        text.map { character in
            switch character {
            case "\\": "\\\\"
            case "\"": "\\\""
            case "\n": "\\n"
            default: String(character)
            }
        }.joined()
    }
}
