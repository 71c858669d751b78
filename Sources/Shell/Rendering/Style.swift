/// Colours of the 16 that every terminal has, so that its theme decides; or none.
struct Style {
    var usesColor: Bool

    func text(_ text: String, _ tone: Tone) -> String {
        guard usesColor, !text.isEmpty, let code = Self.code(tone) else { return text }
        return "\u{1b}[\(code)m\(text)\u{1b}[0m"
    }

    private static func code(_ tone: Tone) -> String? {
        switch tone {
        case .plain: nil
        case .dim: "2"
        case .strong: "1"
        case .name: "34"
        case .path: "36"
        case .alert: "31"
        case .heading: "1"
        case .prompt: "32"
        case .promptMark: "33"
        case .danger: "97;41"
        }
    }
}
