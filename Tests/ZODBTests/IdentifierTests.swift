import Testing
import ZODB

@Suite("Transaction identifiers")
struct TransactionIDTests {
    /// From `persistent.TimeStamp` of Python: tid, date, Unix time.
    static let vectors: [(tid: UInt64, time: TransactionID.CivilTime, unix: Double)] = [
        (0x0000_0000_0000_0000, .init(year: 1900, month: 1, day: 1, hour: 0, minute: 0, second: 0), -2_208_988_800),
        (0x023c_2b00_0000_0000, .init(year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0), 0),
        (
            0x0344_1422_948b_4399,
            .init(year: 2002, month: 4, day: 14, hour: 20, minute: 50, second: 34.815),
            1_018_817_434.815
        ),
        (
            0x0468_6302_2222_21da,
            .init(year: 2038, month: 1, day: 19, hour: 3, minute: 14, second: 7.999_999),
            2_147_483_647.999_999
        ),
    ]

    @Test("a tid is a time, as Python says", arguments: vectors.indices)
    func decode(index: Int) {
        let (raw, expected, unix) = Self.vectors[index]
        let time = TransactionID(rawValue: raw).civilTime
        #expect(abs(time.second - expected.second) < 1e-6)
        var whole = time
        whole.second = expected.second
        #expect(whole == expected)
        #expect(TransactionID(rawValue: raw).unixTime == unix)
    }

    @Test("a time becomes the tid that Python makes of it")
    func encode() {
        #expect(TransactionID(unixTime: 1_795_216_029.790001)?.hex == "040d270b29c54aaa")
        #expect(TransactionID(unixTime: 0)?.hex == "023c2b0000000000")
        let time = TransactionID.CivilTime(year: 2002, month: 4, day: 14, hour: 20, minute: 50, second: 34.815)
        #expect(TransactionID(time)?.hex == "03441422948b4395")
    }

    @Test("the latest tid decodes, and times out of range are refused")
    func extremes() {
        let latest = TransactionID.latest.civilTime
        #expect((latest.year, latest.month, latest.day, latest.hour, latest.minute) == (5908, 11, 23, 2, 7))
        #expect(TransactionID(unixTime: .nan) == nil)
        #expect(TransactionID(unixTime: -1e11) == nil)
        #expect(TransactionID(unixTime: 1e300) == nil)
        #expect(TransactionID(rawValue: .max).successor.rawValue == .max)
        #expect(TransactionID.none.predecessor == .none)
    }

    @Test("day numbers and dates agree over four centuries")
    func calendar() {
        for days in stride(from: -30_000, to: 150_000, by: 37) {
            let date = TransactionID.CivilTime.date(days: days)
            #expect(TransactionID.CivilTime.days(year: date.year, month: date.month, day: date.day) == days)
        }
    }
}

@Suite("Object identifiers")
struct ObjectIDTests {
    @Test("print as ZODB prints them", arguments: [(0, "0x00"), (1, "0x01"), (0x102, "0x0102"), (0x12345, "0x012345")])
    func description(raw: UInt64, text: String) {
        #expect(ObjectID(rawValue: raw).description == text)
    }

    @Test("are eight bytes, no more and no fewer")
    func bytes() {
        let oid = ObjectID(rawValue: 0x0102_0304_0506_0708)
        #expect(oid.bytes == [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(ObjectID(bytes: oid.bytes) == oid)
        #expect(ObjectID(bytes: [1, 2, 3]) == nil)
    }
}
