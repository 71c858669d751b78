internal import Glibc

/// What a message has for a field.
public enum LogValue: Hashable, Sendable {
    case text(String)
    case integer(Int)
    case number(Double)
}

extension LogFormat {
    /// The line for a message; without a line feed at its end.
    ///
    /// - Parameter value: of a field; an empty text for what a message does not have.
    public func line(_ value: (Field) -> LogValue) -> String {
        pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .field(let field, let conversion): conversion.text(value(field))
            }
        }.joined()
    }
}

extension LogFormat.Conversion {
    /// As Python's `%` has it. A text where a number is wanted is written as a text.
    func text(_ value: LogValue) -> String {
        switch (type, value) {
        case ("d", .integer(let integer)): padded(digits(integer.magnitude), isNegative: integer < 0)
        // Python cuts the decimals off; what is beyond every integer has none.
        case ("d", .number(let number)):
            if let integer = Int(exactly: number.rounded(.towardZero)) {
                padded(digits(integer.magnitude), isNegative: integer < 0)
            } else {
                padded("\(number)")
            }
        case ("x", .integer(let integer)): padded(digits(integer.magnitude, 16), isNegative: integer < 0)
        case ("X", .integer(let integer)): padded(digits(integer.magnitude, 16).uppercased(), isNegative: integer < 0)
        case ("o", .integer(let integer)): padded(digits(integer.magnitude, 8), isNegative: integer < 0)
        case ("f", .integer(let integer)): padded(Double(integer))
        case ("f", .number(let number)): padded(number)
        case (_, .integer(let integer)): padded(cut("\(integer)"))
        case (_, .number(let number)): padded(cut("\(number)"))
        case (_, .text(let text)): padded(cut(text))
        }
    }

    private func cut(_ text: String) -> String {
        precision.map { String(String.UnicodeScalarView(text.unicodeScalars.prefix($0))) } ?? text
    }

    /// At least as many as the precision says.
    private func digits(_ magnitude: UInt, _ radix: Int = 10) -> String {
        let digits = String(magnitude, radix: radix)
        return String(repeating: "0", count: max(0, (precision ?? 0) - digits.utf8.count)) + digits
    }

    private func padded(_ number: Double) -> String {
        guard number.isFinite else { return padded("\(number)") }
        return padded(Self.fixed(number.magnitude, precision ?? 6), isNegative: number.sign == .minus)
    }

    private func padded(_ number: String, isNegative: Bool) -> String {
        let sign = isNegative ? "-" : ""
        let zeros = isZeroPadded && !isLeftAligned ? max(0, width - number.utf8.count - sign.utf8.count) : 0
        return padded(sign + String(repeating: "0", count: zeros) + number)
    }

    private func padded(_ text: String) -> String {
        let space = String(repeating: " ", count: max(0, width - text.unicodeScalars.count))
        return isLeftAligned ? text + space : space + text
    }

    /// Rounded to this many decimals, in full: a `Double` has at most 309 digits before them.
    private static func fixed(_ number: Double, _ decimals: Int) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: decimals + 320) { buffer in
            guard let start = buffer.baseAddress else { return "" }
            let length = withVaList([Int32(decimals), number]) { vsnprintf(start, buffer.count, "%.*f", $0) }
            return length > 0 ? String(cString: start) : ""
        }
    }
}
