/// Numbers in the notations that Python's `int` and `float` take: white space around them, `_` between digits, and the
/// decimal digits of every script.
///
/// Source: Python language reference, `int()` and `float()`; CPython, `Objects/longobject.c`, `Objects/floatobject.c`.
enum PythonNumber {
    /// Nil for what is no number, and for what does not fit into an `Int`.
    static func integer(_ text: String, radix: Int = 10) -> Int? {
        guard let scalars = asciiDigits(text.stripped()) else { return nil }
        var rest = scalars[...]
        let sign = takeSign(&rest)
        if radix == 8, rest.first == "0", let mark = rest.dropFirst().first, mark == "o" || mark == "O" {
            rest = rest.dropFirst(2)
            // Python takes one underscore behind the prefix.
            if rest.first == "_" { rest = rest.dropFirst() }
        }
        guard let digits = withoutUnderscores(rest), digits.allSatisfy({ digit($0).map { $0 < radix } ?? false })
        else { return nil }
        return Int(sign + String(String.UnicodeScalarView(digits)), radix: radix)
    }

    static func float(_ text: String) -> Double? {
        guard let scalars = asciiDigits(text.stripped()) else { return nil }
        var rest = scalars[...]
        let sign = takeSign(&rest)
        switch String(String.UnicodeScalarView(rest)).lowercased() {
        case "inf", "infinity": return sign == "-" ? -.infinity : .infinity
        case "nan": return .nan
        default: break
        }
        let exponent = rest.firstIndex { $0 == "e" || $0 == "E" } ?? rest.endIndex
        let mantissa = rest[..<exponent].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let parts = mantissa.map { $0.isEmpty ? [] : withoutUnderscores($0) }
        guard !parts.contains(nil), parts.contains(where: { $0?.isEmpty == false }) else { return nil }
        var plain = sign + parts.map { String(String.UnicodeScalarView($0 ?? [])) }.joined(separator: ".")
        if exponent < rest.endIndex {
            var power = rest[(exponent + 1)...]
            plain += "e" + takeSign(&power)
            guard let digits = withoutUnderscores(power) else { return nil }
            plain += String(String.UnicodeScalarView(digits))
        }
        return Double(plain)
    }

    /// Decimal digits of other scripts become ASCII. Nil when there is anything else outside of ASCII.
    private static func asciiDigits(_ text: String) -> [Unicode.Scalar]? {
        var scalars: [Unicode.Scalar] = []
        for scalar in text.unicodeScalars {
            if scalar.isASCII {
                scalars.append(scalar)
            } else if scalar.properties.generalCategory == .decimalNumber, let value = scalar.properties.numericValue,
                let digit = "0123456789".unicodeScalars.dropFirst(Int(value)).first
            {
                scalars.append(digit)
            } else {
                return nil
            }
        }
        return scalars
    }

    private static func takeSign(_ rest: inout ArraySlice<Unicode.Scalar>) -> String {
        guard let first = rest.first, first == "+" || first == "-" else { return "" }
        rest = rest.dropFirst()
        return first == "-" ? "-" : ""
    }

    /// Nil unless these are digits with at most one `_` between each two.
    private static func withoutUnderscores(_ scalars: ArraySlice<Unicode.Scalar>) -> [Unicode.Scalar]? {
        let groups = scalars.split(separator: "_", omittingEmptySubsequences: false)
        guard groups.allSatisfy({ !$0.isEmpty && $0.allSatisfy { digit($0) != nil } }) else { return nil }
        return groups.flatMap(\.self)
    }

    private static func digit(_ scalar: Unicode.Scalar) -> Int? {
        ("0"..."9").contains(scalar) ? Int(scalar.value - 0x30) : nil
    }
}
