public import ZODB

/// A point in a database's history, as people write it: `@2026-10-01`, `@2h`, `yesterday`, `03d4f5…`, `~3`.
///
/// The forms, each with or without a leading `@`:
///
///     0406112233445566       a transaction, by its 16 hexadecimal digits (`0x` may precede)
///     ~3                     three revisions of the object before its current one
///     2h  30m  1w  3d  10s   so long ago
///     1_week_ago             the same in words; spaces or underscores; also months and years
///     now  today  yesterday  this moment; midnight; this time of day, a day ago
///     2026-10-01             midnight at the start of that day
///     2026-10-01T10:00       local time; seconds and a fraction may follow; a space may stand for the T
///     2026-10-01T10:00Z      RFC 3339: with `Z` or an offset such as `+02:00`
public enum When: Hashable, Sendable {
    /// The state that this transaction left.
    case transaction(TransactionID)
    /// The state at this time. `end` is where a spell that was named, such as a day, ends: equal to `start` for a moment.
    case time(start: Double, end: Double)
    /// So many revisions of the object in question before its current one.
    case revisionsBack(Int)
}

/// A text that is no point in time.
public struct WhenError: Error, Hashable, Sendable, CustomStringConvertible {
    public var text: String
    public var problem: String

    public var description: String { "'\(text)' \(problem)" }
}

extension When {
    /// The last transaction that may be seen at this point; nil for `~N`, which depends on the object.
    ///
    /// - Parameter inclusive: take the end of a named day, for "until".
    public func transaction(inclusive: Bool = false) -> TransactionID? {
        switch self {
        case .transaction(let tid): tid
        case .time(let start, let end):
            (TransactionID(unixTime: inclusive ? end : start)).map { inclusive && end > start ? $0.predecessor : $0 }
        case .revisionsBack: nil
        }
    }
}

/// Reads the texts that `When` lists.
public struct WhenParser: Sendable {
    /// Seconds since 1970.
    public var now: Double
    public var zone: LocalTime

    public init(now: Double, zone: LocalTime) {
        self.now = now
        self.zone = zone
    }

    /// - Throws: `WhenError` when `text` has none of the forms, or is a date that does not exist.
    public func parse(_ text: String) throws(WhenError) -> When {
        let body = text.hasPrefix("@") ? text.dropFirst() : text[...]
        if let tid = Self.transaction(body) { return .transaction(tid) }
        if body.hasPrefix("~"), let count = Int(body.dropFirst()), count >= 0 { return .revisionsBack(count) }
        if let moment = relative(body) {
            guard TransactionID(unixTime: moment) != nil else {
                throw WhenError(text: text, problem: "lies before 1900")
            }
            return .time(start: moment, end: moment)
        }
        do throws(DateProblem) {
            if let when = try absolute(body) { return when }
        } catch {
            throw WhenError(text: text, problem: error.words)
        }
        throw WhenError(
            text: text, problem: "is no point in time: write 2026-10-01, 2026-10-01T10:00, 2h, yesterday, or a tid")
    }

    // MARK: Transactions

    private static func transaction(_ body: Substring) -> TransactionID? {
        let digits = body.hasPrefix("0x") ? body.dropFirst(2) : body
        guard digits.utf8.count == 16, digits.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return nil }
        return UInt64(digits, radix: 16).map { TransactionID(rawValue: $0) }
    }

    // MARK: Relative

    private func relative(_ body: Substring) -> Double? {
        let words = body.split { $0 == "_" || $0 == " " }.map { $0.lowercased() }
        switch words.count {
        case 1 where words[0] == "now": return now
        case 1 where words[0] == "today": return midnight(daysBefore: 0)
        case 1 where words[0] == "yesterday": return calendar(monthsBefore: 0, daysBefore: 1)
        case 1, 2, 3:
            let compact = words[0].prefix { $0.isASCII && $0.isNumber }
            let unit = words[0].dropFirst(compact.count)
            if words.count == 1 {
                guard !unit.isEmpty else { return nil }
                return ago(compact, unit)
            }
            guard words.last == "ago" else { return nil }
            return words.count == 2 ? ago(compact, unit) : ago(words[0][...], words[1][...])
        default: return nil
        }
    }

    private func ago(_ number: Substring, _ unit: Substring) -> Double? {
        let count = number == "a" || number == "an" ? 1 : Int(number)
        guard let count, (0...1_000_000).contains(count) else { return nil }
        switch unit {
        case "s", "sec", "second", "seconds": return now - Double(count)
        case "m", "min", "minute", "minutes": return now - Double(count * 60)
        case "h", "hour", "hours": return now - Double(count * 3600)
        case "d", "day", "days": return calendar(monthsBefore: 0, daysBefore: count)
        case "w", "week", "weeks": return calendar(monthsBefore: 0, daysBefore: count * 7)
        case "month", "months": return calendar(monthsBefore: count, daysBefore: 0)
        case "y", "year", "years": return calendar(monthsBefore: count * 12, daysBefore: 0)
        default: return nil
        }
    }

    /// The same time of day on an earlier date; the last day of a shorter month.
    private func calendar(monthsBefore months: Int, daysBefore days: Int) -> Double {
        let whole = now.rounded(.down)
        var civil = zone.civil(at: Int(whole))
        let month = civil.year * 12 + civil.month - 1 - months
        civil.year = Int((Double(month) / 12).rounded(.down))
        civil.month = month - civil.year * 12 + 1
        civil.day = min(civil.day, Self.length(ofMonth: civil.month, civil.year)) - days
        return zone.time(of: civil) + (now - whole)
    }

    private func midnight(daysBefore days: Int) -> Double {
        var civil = zone.civil(at: Int(now.rounded(.down)))
        (civil.hour, civil.minute, civil.second) = (0, 0, 0)
        civil.day -= days
        return zone.time(of: civil)
    }

    static func length(ofMonth month: Int, _ year: Int) -> Int {
        let next = month == 12 ? (year + 1, 1) : (year, month + 1)
        return LocalTime.Civil.days(year: next.0, month: next.1, day: 1)
            - LocalTime.Civil.days(year: year, month: month, day: 1)
    }

    // MARK: Absolute

    private struct DateProblem: Error { var words: String }

    private func absolute(_ body: Substring) throws(DateProblem) -> When? {
        var scanner = Scanner(rest: body)
        guard let year = scanner.number(digits: 4), scanner.take("-"), let month = scanner.number(digits: 2),
            scanner.take("-"), let day = scanner.number(digits: 2)
        else { return nil }
        guard year >= 1900, year < 9900, (1...12).contains(month), day >= 1, day <= Self.length(ofMonth: month, year)
        else { throw DateProblem(words: "is not a date") }
        var civil = LocalTime.Civil(year: year, month: month, day: day, hour: 0, minute: 0, second: 0)
        if scanner.rest.isEmpty {
            let start = zone.time(of: civil)
            civil.day += 1
            return .time(start: start, end: zone.time(of: civil))
        }
        guard scanner.take("T") || scanner.take("t") || scanner.take(" ") || scanner.take("_"),
            let hour = scanner.number(digits: 2), scanner.take(":"), let minute = scanner.number(digits: 2)
        else { throw DateProblem(words: "has no time of day after its date: write 2026-10-01T10:00") }
        var seconds = 0.0
        if scanner.take(":") {
            guard let whole = scanner.number(digits: 2) else {
                throw DateProblem(words: "has no seconds after the colon")
            }
            seconds = Double(whole)
            if scanner.take(".") { seconds += scanner.fraction() }
        }
        guard hour < 24, minute < 60, seconds < 60 else { throw DateProblem(words: "is not a time of day") }
        (civil.hour, civil.minute, civil.second) = (hour, minute, seconds)
        let moment: Double
        if scanner.rest.isEmpty {
            moment = zone.time(of: civil)
        } else if let offset = scanner.offset(), scanner.rest.isEmpty {
            moment = LocalTime.utcSeconds(civil) - Double(offset)
        } else {
            throw DateProblem(words: "ends in something that is neither Z nor an offset such as +02:00")
        }
        return .time(start: moment, end: moment)
    }

    private struct Scanner {
        var rest: Substring

        mutating func take(_ character: Character) -> Bool {
            guard rest.first == character else { return false }
            rest.removeFirst()
            return true
        }

        mutating func number(digits: Int) -> Int? {
            let head = rest.prefix(digits)
            guard head.count == digits, head.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
            rest = rest.dropFirst(digits)
            return Int(head)
        }

        mutating func fraction() -> Double {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            return Double("0." + digits) ?? 0
        }

        /// Seconds east of UTC: `Z`, `+02:00`, `-0130`.
        mutating func offset() -> Int? {
            if take("Z") || take("z") { return 0 }
            let sign = take("+") ? 1 : take("-") ? -1 : 0
            guard sign != 0, let hours = number(digits: 2) else { return nil }
            _ = take(":")
            guard let minutes = number(digits: 2), hours < 24, minutes < 60 else { return nil }
            return sign * (hours * 3600 + minutes * 60)
        }
    }
}
