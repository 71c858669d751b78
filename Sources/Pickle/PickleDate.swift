/// A date or time as `datetime` pickles it, made of ISO 8601 text.
struct PickleDate {
    private let name: String
    private let packed: [UInt8]

    /// - Parameter name: `datetime`, `date` or `time`.
    init?(_ name: String, iso text: [UInt8]) {
        let parts = String(decoding: text, as: UTF8.self).split(separator: "T", omittingEmptySubsequences: false)
        var packed: [UInt8] = []
        switch name {
        case "datetime":
            guard parts.count == 2, let date = Self.date(parts[0]), let time = Self.time(parts[1]) else { return nil }
            packed = date + time
        case "date":
            guard parts.count == 1, let date = Self.date(parts[0]) else { return nil }
            packed = date
        case "time":
            guard parts.count == 1, let time = Self.time(parts[0]) else { return nil }
            packed = time
        default: return nil
        }
        self.name = name
        self.packed = packed
    }

    /// The call that Python unpickles it with: the packed fields are a `str` in Python 2 and bytes in Python 3.
    func value(_ style: PickleStyle, zone: PickleValue?) -> PickleValue {
        let fields: PickleValue = style.isPython2 ? .nativeString(packed) : .bytes(packed)
        let arguments = [fields] + (zone.map { [$0] } ?? [])
        return .instance(PickleValue.Instance(.reduce, .global("datetime", name), arguments: arguments))
    }

    private static func numbers(_ text: Substring, _ separator: Character, _ widths: [Int]) -> [Int]? {
        let parts = text.split(separator: separator, omittingEmptySubsequences: false)
        guard parts.map(\.utf8.count) == widths else { return nil }
        let values = parts.compactMap { part in
            part.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(part) : nil
        }
        return values.count == widths.count ? values : nil
    }

    private static func date(_ text: Substring) -> [UInt8]? {
        guard let fields = numbers(text, "-", [4, 2, 2]), fields[0] >= 1, (1...12).contains(fields[1]) else {
            return nil
        }
        let isLeap = fields[0] % 4 == 0 && (fields[0] % 100 != 0 || fields[0] % 400 == 0)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][fields[1] - 1]
        guard (1...days).contains(fields[2]) else { return nil }
        return [UInt8(fields[0] >> 8), UInt8(fields[0] & 0xff), UInt8(fields[1]), UInt8(fields[2])]
    }

    private static func time(_ text: Substring) -> [UInt8]? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let clock = parts.first.flatMap({ numbers($0, ":", [2, 2, 2]) }), clock[0] < 24, clock[1] < 60,
            clock[2] < 60
        else { return nil }
        var micro = 0
        if parts.count == 2 {
            guard let value = numbers(parts[1], ".", [6])?.first else { return nil }
            micro = value
        }
        return clock.map { UInt8($0) } + [UInt8(micro >> 16), UInt8(micro >> 8 & 0xff), UInt8(micro & 0xff)]
    }
}
