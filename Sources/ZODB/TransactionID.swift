internal import ByteCoding

/// A transaction identifier (tid), and the serial of every revision it wrote: 8 bytes that are also a UTC time.
///
/// The high 32 bits count minutes in a calendar whose months all have 31 days, from 1900; the low 32 bits are the
/// fraction of the minute, in units of 60 s / 2^32. Within a storage tids only grow.
///
/// Source: `persistent/timestamp.py`; vectors from it in `TransactionIDTests`.
public struct TransactionID: RawRepresentable, Hashable, Comparable, Sendable {
    /// No transaction: the tid of an empty storage, the serial of an object never stored.
    public static let none = TransactionID(rawValue: 0)
    /// Later than any transaction: "now" when loading.
    public static let latest = TransactionID(rawValue: 0x7fff_ffff_ffff_ffff)

    public let rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Eight bytes, as a record or a message holds them; nil for any other number of bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 8 else { return nil }
        self.init(rawValue: bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }

    public var bytes: [UInt8] { withUnsafeBytes(of: rawValue.bigEndian) { Array($0) } }

    /// Sixteen digits: `040d271ce85dac99`.
    public var hex: String { Hexadecimal.text(rawValue, width: 16) }

    /// The tid just before this one (0 stays 0): "strictly earlier than" as "no later than".
    public var predecessor: TransactionID { TransactionID(rawValue: rawValue == 0 ? 0 : rawValue - 1) }
    /// The tid just after this one.
    public var successor: TransactionID { TransactionID(rawValue: rawValue == .max ? .max : rawValue + 1) }

    public static func < (left: TransactionID, right: TransactionID) -> Bool { left.rawValue < right.rawValue }
}

extension TransactionID: CustomStringConvertible {
    public var description: String { hex }
}

extension TransactionID {
    /// A broken-down UTC time. Not every one is a date: day 31 of February decodes from an untrusted tid.
    public struct CivilTime: Hashable, Sendable {
        public var year: Int, month: Int, day: Int, hour: Int, minute: Int
        /// 0 ..< 60, with its fraction.
        public var second: Double

        public init(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Double) {
            (self.year, self.month, self.day) = (year, month, day)
            (self.hour, self.minute, self.second) = (hour, minute, second)
        }
    }

    private static let secondsPerUnit = 60.0 / 65536.0 / 65536.0

    public var civilTime: CivilTime {
        let minutes = Int(rawValue >> 32)
        return CivilTime(
            year: minutes / 535_680 + 1900, month: minutes / 44_640 % 12 + 1, day: minutes / 1440 % 31 + 1,
            hour: minutes / 60 % 24, minute: minutes % 60,
            second: Double(rawValue & 0xffff_ffff) * Self.secondsPerUnit)
    }

    /// The tid of a time; nil when the time lies outside the years a tid can hold (1900 to about 9917).
    public init?(_ time: CivilTime) {
        guard time.year >= 1900, (1...12).contains(time.month), (1...31).contains(time.day),
            (0..<24).contains(time.hour), (0..<60).contains(time.minute), time.second >= 0, time.second < 60
        else { return nil }
        let days = ((time.year - 1900) * 12 + time.month - 1) * 31 + time.day - 1
        guard let minutes = UInt32(exactly: (days * 24 + time.hour) * 60 + time.minute) else { return nil }
        let fraction = UInt64(time.second / Self.secondsPerUnit)
        self.init(rawValue: UInt64(minutes) << 32 | min(fraction, 0xffff_ffff))
    }

    /// Seconds since 1970, rounded to a microsecond as Python's C implementation does.
    public var unixTime: Double {
        let time = civilTime
        let whole = Double(CivilTime.days(year: time.year, month: time.month, day: time.day)) * 86_400
        let seconds = whole + Double(time.hour * 3600 + time.minute * 60) + time.second
        return (seconds * 1e6).rounded() / 1e6
    }

    /// The tid of a Unix time; nil outside the years a tid can hold.
    public init?(unixTime: Double) {
        guard unixTime.isFinite, abs(unixTime) < 1e12 else { return nil }
        let floor = unixTime.rounded(.down)
        let days = Int((floor / 86_400).rounded(.down))
        let secondOfDay = Int(floor) - days * 86_400
        let (year, month, day) = CivilTime.date(days: days)
        // The remainder keeps the fraction as Python's `%` gives it; it is never rounded.
        var second = unixTime.truncatingRemainder(dividingBy: 60)
        if second < 0 { second += 60 }
        self.init(
            CivilTime(
                year: year, month: month, day: day, hour: secondOfDay / 3600, minute: secondOfDay / 60 % 60,
                second: second))
    }
}

extension TransactionID.CivilTime {
    /// Days from 1970-01-01 to a date of the proleptic Gregorian calendar; a day past the month's end runs on.
    public static func days(year: Int, month: Int, day: Int) -> Int {
        // Years are counted from March, so that the leap day is the last of its year.
        let shifted = month > 2 ? year : year - 1
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// The date `days` days after 1970-01-01.
    public static func date(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        return (
            yearOfEra + era * 400 + (month < 10 ? 0 : 1), month < 10 ? month + 3 : month - 9,
            dayOfYear - (153 * month + 2) / 5 + 1
        )
    }
}
