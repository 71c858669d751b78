/// How the text of a key becomes a value, and what to say of a text that does not.
///
/// The types and their habits are those of ZConfig 4.3, `ZConfig/datatypes.py`: what it takes is taken and what it
/// refuses is refused, but for numbers beyond 64 bits, which are refused here.
public struct ValueType<Value: Sendable>: Sendable {
    /// For an error message: `a whole number`.
    public let expectation: String
    private let convert: @Sendable (String) -> Value?

    /// - Parameter convert: nil for a text that is no such value.
    public init(_ expectation: String, convert: @escaping @Sendable (String) -> Value?) {
        self.expectation = expectation
        self.convert = convert
    }

    public func callAsFunction(_ text: String) throws(ValueError) -> Value {
        guard let value = convert(text) else { throw ValueError(expectation: expectation, found: text) }
        return value
    }

    /// A type whose values are made from this one's.
    public func map<Other>(_ transform: @escaping @Sendable (Value) -> Other) -> ValueType<Other> {
        ValueType<Other>(expectation) { convert($0).map(transform) }
    }

    /// Only the values that satisfy a condition.
    public func filter(_ expectation: String, _ isValid: @escaping @Sendable (Value) -> Bool) -> Self {
        Self(expectation) { text in convert(text).flatMap { isValid($0) ? $0 : nil } }
    }
}

/// The text of a key is not of the type that the key has.
public struct ValueError: Error, Hashable {
    public let expectation: String
    public let found: String

    public init(expectation: String, found: String) {
        self.expectation = expectation
        self.found = found
    }
}

extension ValueError: CustomStringConvertible {
    public var description: String { "expected \(expectation), found \(quoted(found))" }
}

extension ValueType<String> {
    /// Any text, an empty one too.
    public static var string: Self { Self("a text") { $0 } }

    /// A dotted Python name.
    public static var dottedName: Self {
        Self("a dotted name") { text in
            text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { Substitution.isName(String($0)) }
                ? text : nil
        }
    }
}

extension ValueType<[String]> {
    /// Words between white space.
    public static var words: Self { Self("words") { $0.words() } }
}

extension ValueType<Bool> {
    public static var boolean: Self {
        Self("yes, no, true, false, on or off") { text in
            switch text.lowercased() {
            case "yes", "true", "on": true
            case "no", "false", "off": false
            default: nil
            }
        }
    }
}

extension ValueType<Int> {
    /// A whole number as Python's `int` reads it, in 64 bits.
    public static var integer: Self { Self("a whole number") { PythonNumber.integer($0) } }

    /// Bytes: a whole number, and KB, MB or GB, which count by 1024, in any case.
    public static var byteSize: Self {
        suffixed("a number of bytes such as 512, 64KB, 20MB or 1GB", ["kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30])
    }

    /// Seconds: a whole number, and s, m, h or d.
    public static var timeInterval: Self {
        suffixed("a time such as 30, 30s, 5m, 12h or 1d", ["s": 1, "m": 60, "h": 3600, "d": 86400])
    }

    /// A file mode, or a mask of one: an octal number.
    public static var octal: Self { Self("an octal number such as 022") { PythonNumber.integer($0, radix: 8) } }

    public static var port: Self { integer.filter("a port from 0 to 65535") { (0...0xffff).contains($0) } }

    /// The level of a log message: a name, or a number from 0 to 50.
    ///
    /// Source: ZConfig 4.3, `components/logger/datatypes.py`.
    public static var logLevel: Self {
        Self("critical, error, warn, info, blather, debug, trace, all, notset or a number from 0 to 50") { text in
            switch text.lowercased() {
            case "critical", "fatal": 50
            case "error": 40
            case "warn", "warning": 30
            case "info": 20
            case "blather": 15
            case "debug": 10
            case "trace": 5
            case "all": 1
            case "notset": 0
            case let number: PythonNumber.integer(number).flatMap { (0...50).contains($0) ? $0 : nil }
            }
        }
    }

    /// All suffixes are of one length.
    private static func suffixed(_ expectation: String, _ units: [String: Int]) -> Self {
        let length = units.keys.first.map(\.unicodeScalars.count) ?? 0
        return Self(expectation) { text in
            let scalars = text.lowercased().unicodeScalars
            guard let unit = units[String(Substring(scalars.suffix(length)))] else {
                return PythonNumber.integer(String(scalars))
            }
            guard let count = PythonNumber.integer(String(Substring(scalars.dropLast(length)))) else { return nil }
            let (product, overflow) = count.multipliedReportingOverflow(by: unit)
            return overflow ? nil : product
        }
    }
}

extension ValueType<[Int]> {
    /// Whole numbers between commas; none for an empty text.
    public static var integers: Self {
        Self("whole numbers with commas between them") { text in
            guard !text.isEmpty else { return [] }
            let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map {
                PythonNumber.integer(String($0))
            }
            return numbers.contains(nil) ? nil : numbers.compactMap(\.self)
        }
    }
}

extension ValueType<Double> {
    /// A number as Python's `float` reads it: infinities and `nan` are numbers.
    public static var float: Self { Self("a number") { PythonNumber.float($0) } }
}
