internal import ObjectGraph
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The relation of UTC to a clock on the wall: the system's time zone, or a fixed offset.
public struct LocalTime: Sendable {
    /// Seconds east of UTC at a Unix time.
    let offset: @Sendable (Int) -> Int

    /// The zone of the system (`TZ`, `/etc/localtime`).
    public static let system = LocalTime { time in
        var moment = time_t(time)
        var parts = tm()
        return localtime_r(&moment, &parts) == nil ? 0 : parts.tm_gmtoff
    }

    public static let utc = LocalTime.fixed(0)

    /// Always `seconds` east of UTC.
    public static func fixed(_ seconds: Int) -> LocalTime { LocalTime { _ in seconds } }

    /// A date and a time of day, without saying where.
    typealias Civil = TransactionID.CivilTime

    /// What the clock shows at a Unix time, in whole seconds.
    func civil(at time: Int) -> Civil {
        let local = time + offset(time)
        let days = Int((Double(local) / 86_400).rounded(.down))
        let second = local - days * 86_400
        let (year, month, day) = Civil.date(days: days)
        return Civil(
            year: year, month: month, day: day, hour: second / 3600, minute: second / 60 % 60,
            second: Double(second % 60))
    }

    /// When the clock shows `civil`: the earlier of two such moments; where the clock skips it, as if it did not.
    func time(of civil: Civil) -> Double {
        let seconds = Self.utcSeconds(civil)
        let whole = Int(seconds.rounded(.down))
        // The clock may be changed that day: try the offset from before, then the one from after.
        let before = offset(whole - 86_400)
        let after = offset(whole + 86_400)
        let isAfter = offset(whole - before) != before && offset(whole - after) == after
        return seconds - Double(isAfter ? after : before)
    }

    static func utcSeconds(_ civil: Civil) -> Double {
        let days = Civil.days(year: civil.year, month: civil.month, day: civil.day)
        return Double(days * 86_400 + civil.hour * 3600 + civil.minute * 60) + civil.second
    }

    /// `+0200`
    static func offsetText(_ seconds: Int) -> String {
        let minutes = abs(seconds) / 60
        return (seconds < 0 ? "-" : "+") + pad(minutes / 60) + pad(minutes % 60)
    }

    private static func pad(_ number: Int) -> String { TimeText.pad(number, 2) }
}

/// Times as text.
enum TimeText {
    /// What stands for the tid and the time of edits that are not committed.
    static let staged = "staged"

    /// Sixteen hexadecimal digits.
    static func tid(_ tid: TransactionID) -> String { tid.isStaged ? staged : tid.hex }

    /// `2026-10-01 10:00:12 +0200`
    static func local(_ tid: TransactionID, _ zone: LocalTime) -> String {
        if tid.isStaged { return staged }
        let time = Int(tid.unixTime.rounded(.down))
        let civil = zone.civil(at: time)
        return date(civil) + " " + clock(civil) + " " + LocalTime.offsetText(zone.offset(time))
    }

    /// `2026-10-01 10:00`, for a prompt.
    static func short(_ tid: TransactionID, _ zone: LocalTime) -> String {
        if tid.isStaged { return staged }
        let civil = zone.civil(at: Int(tid.unixTime.rounded(.down)))
        return date(civil) + " " + pad(civil.hour, 2) + ":" + pad(civil.minute, 2)
    }

    /// The day as the clock shows it: `2026-10-01`.
    static func day(_ tid: TransactionID, _ zone: LocalTime) -> String {
        date(zone.civil(at: Int(tid.unixTime.rounded(.down))))
    }

    /// RFC 3339 in UTC, to the microsecond: `2026-10-01T08:00:12.345678Z`.
    static func machine(_ tid: TransactionID) -> String {
        if tid.isStaged { return staged }
        let time = tid.unixTime
        let micros = Int(((time - time.rounded(.down)) * 1e6).rounded())
        let civil = LocalTime.utc.civil(at: Int(time.rounded(.down)) + micros / 1_000_000)
        return date(civil) + "T" + clock(civil) + "." + pad(micros % 1_000_000, 6) + "Z"
    }

    static func pad(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func date(_ time: LocalTime.Civil) -> String {
        pad(time.year, 4) + "-" + pad(time.month, 2) + "-" + pad(time.day, 2)
    }

    private static func clock(_ time: LocalTime.Civil) -> String {
        pad(time.hour, 2) + ":" + pad(time.minute, 2) + ":" + pad(Int(time.second), 2)
    }
}
