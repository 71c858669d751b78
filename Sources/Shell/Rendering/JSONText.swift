internal import Pickle

/// Pieces of JSON as strings, for the reports; whole values are written by `Pickle.JSONText`.
public enum JSONText {
    /// A string in quotes, with everything escaped that is no printable character.
    public static func string(_ text: String) -> String {
        var json = Pickle.JSONText()
        json.string(text)
        return json.text
    }

    /// `{"a":1,"b":"x"}` from names and values already in JSON.
    static func array(_ values: [String]) -> String { "[" + values.joined(separator: ",") + "]" }

    public static func object(_ members: [(name: String, value: String)]) -> String {
        "{" + members.map { string($0.name) + ":" + $0.value }.joined(separator: ",") + "}"
    }

    /// A number; JSON has none that is not finite: those become strings.
    public static func number(_ value: Double) -> String {
        value.isFinite
            ? (value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value))
            : string(String(value))
    }
}
