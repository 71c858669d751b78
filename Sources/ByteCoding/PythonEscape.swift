/// The escapes of one letter that Python's string literals have.
public enum PythonEscape {
    /// The byte that a backslash and `letter` stand for; nil when that is no escape of one letter.
    ///
    /// Source: The Python Language Reference, "String and Bytes literals".
    @inlinable
    public static func byte(for letter: UInt8) -> UInt8? {
        switch letter {
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): letter
        case UInt8(ascii: "a"): 7
        case UInt8(ascii: "b"): 8
        case UInt8(ascii: "t"): 9
        case UInt8(ascii: "n"): 10
        case UInt8(ascii: "v"): 11
        case UInt8(ascii: "f"): 12
        case UInt8(ascii: "r"): 13
        default: nil
        }
    }
}
