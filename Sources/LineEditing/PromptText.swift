/// A prompt's colours, for those who cannot take them as they are.
enum PromptText {
    /// Without SGR sequences.
    static func plain(_ prompt: String) -> String { rewrite(prompt) { _ in "" } }

    /// With each SGR sequence between two `mark`s, as libedit wants them so that they take no room.
    static func marked(_ prompt: String, mark: Character) -> String { rewrite(prompt) { "\(mark)\($0)\(mark)" } }

    private static func rewrite(_ prompt: String, _ sequence: (Substring) -> String) -> String {
        var result = ""
        var rest = prompt[...]
        while let escape = rest.firstIndex(of: "\u{1b}") {
            result += rest[..<escape]
            guard let end = rest[escape...].firstIndex(of: "m") else { return result }
            result += sequence(rest[escape...end])
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }
}
