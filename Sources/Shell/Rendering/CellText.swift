internal import ZODB

/// A cell as text.
struct CellText {
    /// Local times, sizes with units; else RFC 3339 in UTC, bytes.
    var isForPeople: Bool
    var zone: LocalTime

    static let machine = CellText(isForPeople: false, zone: .utc)

    func text(_ cell: Cell) -> String {
        switch cell {
        case .none: ""
        case .text(let text), .alert(let text): text
        case .remarked(let text, let remark): isForPeople ? "\(text) (\(remark))" : text
        case .integer(let number): String(number)
        case .size(let bytes): isForPeople ? Self.humanSize(bytes) : String(bytes)
        case .boolean(let flag): isForPeople ? (flag ? "yes" : "no") : String(flag)
        case .seconds(let seconds): isForPeople ? Self.duration(seconds) : JSONText.number(seconds)
        case .percent(let share): Self.tenths(share) + (isForPeople ? " %" : "")
        case .time(let tid): isForPeople ? TimeText.local(tid, zone) : TimeText.machine(tid)
        case .tid(let tid): TimeText.tid(tid)
        case .oid(let oid): oid.path
        case .list(let cells): cells.map(text).joined(separator: isForPeople ? ", " : ",")
        case .value(let text, _): text
        }
    }

    static func isNumeric(_ cell: Cell) -> Bool {
        switch cell {
        case .integer, .size, .seconds, .percent: true
        default: false
        }
    }

    /// `999`, `1.2 K`, `38 M`: powers of 1024, at most three digits.
    static func humanSize(_ bytes: Int) -> String {
        guard bytes.magnitude >= 1024 else { return "\(bytes) B" }
        var value = Double(bytes)
        var unit = "B"
        for next in ["K", "M", "G", "T", "P", "E"] where abs(value) >= 999.5 {
            value /= 1024
            unit = next
        }
        if abs(value) >= 9.95 { return "\(Int(value.rounded())) \(unit)" }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10)) \(unit)"
    }

    /// `0.4 ms`, `12 s`, `3 min 5 s`, `26 h 10 min`, `12 days 3 h`.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, abs(seconds) < 1e12 else { return "?" }
        switch abs(seconds) {
        case ..<1: return decimal(seconds * 1000) + " ms"
        case ..<60: return decimal(seconds) + " s"
        default:
            let whole = Int(seconds.rounded())
            switch abs(whole) {
            case ..<3600: return "\(whole / 60) min \(whole % 60) s"
            case ..<172_800: return "\(whole / 3600) h \(whole / 60 % 60) min"
            default: return "\(whole / 86_400) days \(whole / 3600 % 24) h"
            }
        }
    }

    /// `12.3`
    static func tenths(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return "0.0" }
        let tenths = Int((value * 10).rounded())
        return (tenths < 0 ? "-" : "") + "\(abs(tenths) / 10).\(abs(tenths) % 10)"
    }

    private static func decimal(_ value: Double) -> String {
        guard value < 10 else { return String(Int(value.rounded())) }
        let hundredths = Int((value * 100).rounded())
        return "\(hundredths / 100).\(TimeText.pad(hundredths % 100, 2))"
    }
}

/// Cells as JSON values.
enum JSONCells {
    static func value(_ cell: Cell) -> String {
        switch cell {
        case .none: "null"
        case .integer(let number), .size(let number): String(number)
        case .boolean(let flag): String(flag)
        case .seconds(let seconds): JSONText.number(seconds)
        case .percent(let share): CellText.tenths(share)
        case .oid(let oid): JSONText.string(oid.hex)
        case .list(let cells): "[" + cells.map(value).joined(separator: ",") + "]"
        case .value(_, let json): json
        default: JSONText.string(CellText.machine.text(cell))
        }
    }

    static func object(_ columns: [Report.Column], _ row: [Cell]) -> String {
        JSONText.object(zip(columns, row).map { ($0.name, value($1)) })
    }
}
