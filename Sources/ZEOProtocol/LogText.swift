/// What comes from outside, on one line of a log or of a message.
public enum LogText {
    /// At most 100 characters, without any that would end the line or steer a terminal.
    public static func printable(_ text: String) -> String {
        let scalars = text.unicodeScalars.prefix(100).map { scalar -> Unicode.Scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: "?"
            default: scalar
            }
        }
        return String(String.UnicodeScalarView(scalars))
    }
}
