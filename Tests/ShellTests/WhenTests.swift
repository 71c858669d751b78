import Testing
import ZODB

@testable import Shell

@Suite("Points in time")
struct WhenTests {
    /// 2026-10-15 12:30:45.5 UTC
    private static let now = 1_792_067_445.5
    /// Two hours east of UTC until 2026-10-25 01:00 UTC, then one: as in Berlin that autumn.
    private static let berlin = LocalTime { $0 < 1_792_890_000 ? 7200 : 3600 }

    private func time(_ text: String, zone: LocalTime = .utc, now: Double = Self.now) throws -> Double {
        guard case .time(let start, let end) = try WhenParser(now: now, zone: zone).parse(text) else {
            throw WhenError(text: text, problem: "is no time")
        }
        #expect(start <= end)
        return start
    }

    @Test(
        "are tids, written in hexadecimal",
        arguments: ["040d271ce85dac99", "@040d271ce85dac99", "0x040D271CE85DAC99", "@0x040d271ce85dac99"])
    func tids(text: String) throws {
        let when = try WhenParser(now: 0, zone: .utc).parse(text)
        #expect(when == .transaction(TransactionID(rawValue: 0x040d_271c_e85d_ac99)))
    }

    @Test("are counts of revisions back from the current one")
    func revisions() throws {
        #expect(try WhenParser(now: 0, zone: .utc).parse("~3") == .revisionsBack(3))
        #expect(try WhenParser(now: 0, zone: .utc).parse("@~0") == .revisionsBack(0))
        #expect(try WhenParser(now: 0, zone: .utc).parse("~3").transaction() == nil)
    }

    @Test(
        "are spells back from now",
        arguments: [
            ("now", 0.0), ("10s", 10), ("30m", 1800), ("@2h", 7200), ("2 hours ago", 7200), ("1_hour_ago", 3600),
            ("yesterday", 86_400), ("3d", 259_200), ("@1w", 604_800), ("1_week_ago", 604_800), ("a_week_ago", 604_800),
            ("1_month_ago", 30 * 86_400), ("1y", 365 * 86_400), ("2h ago", 7200), ("@Yesterday", 86_400),
        ] as [(String, Double)])
    func relative(text: String, seconds: Double) throws {
        #expect(try time(text) == Self.now - seconds)
    }

    @Test("are midnights, for dates and for today, and take the whole day")
    func dates() throws {
        #expect(try time("today") == 1_792_022_400)
        let day = try WhenParser(now: Self.now, zone: .utc).parse("@2026-10-01")
        #expect(day == .time(start: 1_790_812_800, end: 1_790_812_800 + 86_400))
        let until = try #require(day.transaction(inclusive: true))
        let midnight = try #require(TransactionID(unixTime: 1_790_812_800 + 86_400))
        #expect(until == midnight.predecessor)
        #expect(day.transaction() == TransactionID(unixTime: 1_790_812_800))
    }

    @Test(
        "are times of day, local ones and those of RFC 3339",
        arguments: [
            ("2026-10-01T10:00", 1_790_848_800.0), ("2026-10-01 10:00:30", 1_790_848_830),
            ("2026-10-01T10:00:30.25", 1_790_848_830.25), ("2026-10-01T10:00Z", 1_790_848_800),
            ("2026-10-01T10:00:00+02:00", 1_790_841_600), ("2026-10-01T10:00-0130", 1_790_854_200),
            ("2026-10-01_10:00", 1_790_848_800),
        ] as [(String, Double)])
    func timesOfDay(text: String, expected: Double) throws {
        #expect(try time(text) == expected)
    }

    @Test("follow the clock on the wall where it is changed")
    func clockChange() throws {
        #expect(try time("2026-10-24T12:00", zone: Self.berlin) == 1_792_836_000)
        #expect(try time("2026-10-26T12:00", zone: Self.berlin) == 1_793_012_400)
        // 02:30 comes twice that night: the first is meant.
        #expect(try time("2026-10-25T02:30", zone: Self.berlin) == 1_792_888_200)
        // A day ago is the same time of day, 25 hours back.
        #expect(try time("yesterday", zone: Self.berlin, now: 1_792_926_000) == 1_792_926_000 - 90_000)
    }

    @Test("a month back from its last day are the last day of a shorter month")
    func shortMonths() throws {
        let march31 = try time("2026-03-31T12:00")
        #expect(try time("1_month_ago", now: march31) == time("2026-02-28T12:00"))
    }

    @Test(
        "that are none say so",
        arguments: [
            "", "@", "soon", "2026-13-01", "2026-02-29", "2026-10-01T", "2026-10-01T25:00", "2026-10-01T10:00+99:00",
            "040d271ce85dac9", "~x", "~-1", "5", "h", "10 parsecs ago", "9999999999h", "2026-10-01T10:00 or so", "500y",
        ])
    func nonsense(text: String) {
        #expect(throws: WhenError.self) { try WhenParser(now: Self.now, zone: .utc).parse(text) }
    }

    @Test("are written for people in their own time, for machines in UTC to the microsecond")
    func output() throws {
        let tid = try #require(TransactionID(unixTime: 1_790_848_830.25))
        #expect(TimeText.local(tid, Self.berlin) == "2026-10-01 12:00:30 +0200")
        #expect(TimeText.local(tid, .fixed(-5400)) == "2026-10-01 08:30:30 -0130")
        #expect(TimeText.short(tid, Self.berlin) == "2026-10-01 12:00")
        #expect(TimeText.machine(tid) == "2026-10-01T10:00:30.250000Z")
    }
}
