internal import ArgumentParser

/// `90s`, `15m`, `26h`, `7d`; a number alone is seconds.
struct TimeSpan: ExpressibleByArgument, Hashable {
    let seconds: Double

    init?(argument: String) {
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
        var digits = argument[...]
        var factor = 1.0
        if let last = argument.last, let unit = units[last] {
            factor = unit
            digits = digits.dropLast()
        }
        guard let number = Double(digits), number >= 0, number.isFinite, number * factor < 1e12 else { return nil }
        seconds = number * factor
    }
}

/// `500M`, `60G`; a number alone is bytes.
struct ByteCount: ExpressibleByArgument, Hashable {
    let bytes: Int

    init?(argument: String) {
        let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
        var digits = argument.uppercased()[...]
        if digits.hasSuffix("B") { digits = digits.dropLast() }
        var factor = 1
        if let last = digits.last, let unit = units[last] {
            factor = unit
            digits = digits.dropLast()
        }
        guard let number = Double(digits), number >= 0, number * Double(factor) < 9e18 else { return nil }
        bytes = Int(number * Double(factor))
    }
}
