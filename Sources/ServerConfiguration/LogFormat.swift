/// How a line of the log is made: text, and fields of the message, as Python's `%` has them.
///
/// `\b`, `\f`, `\n`, `\r` and `\t` are what they are in a Python string; `%(name)-8s` is a field with flags, width,
/// precision and conversion; `%%` is a `%`.
///
/// Source: ZConfig 4.3, `components/logger/formatter.py`; Python library reference, "printf-style String Formatting" and
/// "LogRecord attributes".
public struct LogFormat: Hashable, Sendable {
    public enum Piece: Hashable, Sendable {
        case text(String)
        case field(Field, Conversion)
    }

    /// An attribute of a message.
    public enum Field: String, Hashable, Sendable, CaseIterable {
        case name, levelno, levelname, pathname, filename, module, lineno, created, asctime, msecs, relativeCreated,
            thread
        case threadName, message, process, processName, funcName, taskName, msg

        var isInteger: Bool {
            switch self {
            case .levelno, .lineno, .thread, .process: true
            default: false
            }
        }

        var isNumber: Bool {
            switch self {
            case .created, .msecs, .relativeCreated: true
            default: isInteger
            }
        }
    }

    public struct Conversion: Hashable, Sendable {
        public var isLeftAligned = false
        public var isZeroPadded = false
        public var width = 0
        /// Of a text: how much of it; of a number: its decimals.
        public var precision: Int?
        /// `s` for text (and `r`, `a`), `d` for a whole number (and `i`, `u`), `x`, `X` and `o` for one in hexadecimal or
        /// octal, `f` for one with decimals.
        public var type: Character
    }

    public let pieces: [Piece]

    /// `------`, and below it time, level, logger and message: what ZConfig has when nothing is said.
    public static let standard =
        LogFormat(#"------\n%(asctime)s %(levelname)s %(name)s %(message)s"#) ?? LogFormat(pieces: [])

    private init(pieces: [Piece]) { self.pieces = pieces }

    /// Nil when Python could not format with it: a field that no message has, a conversion that does not fit it. Of the
    /// conversions that Python has, those for exponents and single characters are not taken.
    public init?(_ text: String) {
        var pieces: [Piece] = []
        var plain = ""
        var rest = Self.unescaped(text).unicodeScalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == "%" else {
                plain.unicodeScalars.append(scalar)
                continue
            }
            if rest.first == "%" {
                rest.removeFirst()
                plain += "%"
                continue
            }
            guard let field = Self.field(&rest) else { return nil }
            if !plain.isEmpty { pieces.append(.text(plain)) }
            plain = ""
            pieces.append(field)
        }
        if !plain.isEmpty { pieces.append(.text(plain)) }
        self.pieces = pieces
    }

    private static func unescaped(_ text: String) -> String {
        let escapes: [Unicode.Scalar: Unicode.Scalar] = ["b": "\u{8}", "f": "\u{c}", "n": "\n", "r": "\r", "t": "\t"]
        var result = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            if scalar == "\\", let next = rest.first, let escaped = escapes[next] {
                rest.removeFirst()
                result.append(escaped)
            } else {
                result.append(scalar)
            }
        }
        return String(result)
    }

    /// `(name)`, flags, width, precision, conversion.
    private static func field(_ rest: inout Substring.UnicodeScalarView) -> Piece? {
        guard rest.popFirst() == "(", let end = rest.firstIndex(of: ")"),
            let field = Field(rawValue: String(Substring(rest[..<end])))
        else { return nil }
        rest = rest[rest.index(after: end)...]
        var conversion = Conversion(type: "s")
        flags: while let flag = rest.first {
            switch flag {
            case "-": conversion.isLeftAligned = true
            case "0": conversion.isZeroPadded = true
            // A sign or a space before a number, and other forms of it: nothing in a log needs them.
            case "+", " ", "#": break
            default: break flags
            }
            rest.removeFirst()
        }
        guard let width = number(&rest) else { return nil }
        conversion.width = width
        if rest.first == "." {
            rest.removeFirst()
            guard let precision = number(&rest) else { return nil }
            conversion.precision = precision
        }
        if let length = rest.first, "hlL".unicodeScalars.contains(length) { rest.removeFirst() }
        switch rest.popFirst() {
        case "s", "r", "a": conversion.type = "s"
        case "d", "i", "u": conversion.type = "d"
        case "f", "F": conversion.type = "f"
        case "x": conversion.type = "x"
        case "X": conversion.type = "X"
        case "o": conversion.type = "o"
        default: return nil
        }
        let fits =
            switch conversion.type {
            case "s": true
            case "d", "f": field.isNumber
            default: field.isInteger
            }
        return fits ? .field(field, conversion) : nil
    }

    /// 0 when there is none; nil when it is no width any more.
    private static func number(_ rest: inout Substring.UnicodeScalarView) -> Int? {
        let digits = rest.prefix { ("0"..."9").contains($0) }
        rest = rest[digits.endIndex...]
        guard !digits.isEmpty else { return 0 }
        return Int(String(Substring(digits))).flatMap { $0 <= 1000 ? $0 : nil }
    }
}
