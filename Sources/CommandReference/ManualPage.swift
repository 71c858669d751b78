/// A page of the manual, in the language of `man(7)`.
public struct ManualPage: Sendable {
    public enum Block: Sendable {
        case paragraph(String)
        /// As it stands, without filling lines.
        case verbatim(String)
        /// A term, and what it is.
        case item(term: String, String)
        /// A line to type, and what it does.
        case example(String, String)
    }

    public var name: String
    public var section: Int
    public var summary: String
    public var sections: [(title: String, blocks: [Block])] = []

    /// - Parameter name: `zeoshell-ls`.
    public init(name: String, section: Int, summary: String) {
        (self.name, self.section, self.summary) = (name, section, summary)
    }

    public mutating func add(_ title: String, _ blocks: [Block]) {
        if !blocks.isEmpty { sections.append((title, blocks)) }
    }

    public mutating func add(options: [OptionSection]) {
        for section in options {
            add(
                section.title,
                section.entries.map { entry in
                    let value = entry.placeholder.map { " \($0)" } ?? ""
                    return .item(term: entry.names.joined(separator: ", ") + value, entry.help)
                })
        }
    }

    /// - Parameter version: `zeoshell 0.1.0`, for the foot of the page.
    public func roff(version: String) -> String {
        var lines = [".TH \(Self.argument(name.uppercased())) \(section) \"\" \(Self.argument(version))"]
        lines += [".SH NAME", Self.text("\(name) ") + "\\- " + Self.text(summary)]
        for section in sections {
            lines.append(".SH " + Self.argument(section.title.uppercased()))
            for (index, block) in section.blocks.enumerated() {
                switch block {
                case .paragraph(let text):
                    if index > 0 { lines.append(".PP") }
                    lines += Self.lines(text)
                case .verbatim(let text):
                    if index > 0 { lines.append(".PP") }
                    lines += [".nf"] + Self.lines(text, keepsBlanks: true) + [".fi"]
                case .item(let term, let text):
                    lines += [".TP", "\\fB" + Self.text(term) + "\\fR"]
                    lines += text.isEmpty ? ["\\&"] : Self.lines(text)
                case .example(let line, let text):
                    if index > 0 { lines.append(".PP") }
                    lines += [".nf"] + Self.lines(Self.wrapped(line), keepsBlanks: true) + [".fi", ".RS"]
                    lines += Self.lines(text) + [".RE"]
                }
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Columns that a line has on a screen of 80, behind the margins.
    private static let columns = 70

    /// A line for the system's shell, on several where it is long: `\` ends each but the last. It is broken between words, not
    /// within quotes.
    static func wrapped(_ line: String) -> String {
        var words: [String] = []
        var quote: Character?
        var word = ""
        for character in line {
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "'" || character == "\"" {
                quote = character
            } else if character == " " {
                words.append(word)
                word = ""
                continue
            }
            word.append(character)
        }
        words.append(word)
        var lines = [words[0]]
        for word in words.dropFirst() {
            // Two columns for the end.
            if lines[lines.count - 1].count + 1 + word.count + 2 > columns {
                lines[lines.count - 1] += " \\"
                lines.append("    " + word)
            } else {
                lines[lines.count - 1] += " " + word
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func lines(_ text: String, keepsBlanks: Bool = false) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: !keepsBlanks).map { line in
            let line = Self.text(String(line))
            // A period or an apostrophe at the start would be a request.
            return line.isEmpty
                ? "\\&" : line.hasPrefix(".") || line.hasPrefix("'") || line.hasPrefix(" ") ? "\\&" + line : line
        }
    }

    /// Text in which nothing means anything to roff.
    static func text(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\e"
            case "-": result += "\\-"
            case "'": result += "\\(aq"
            case "`": result += "\\(ga"
            case "^": result += "\\(ha"
            case "~": result += "\\(ti"
            case "\"": result += "\\(dq"
            default: result.append(character)
            }
        }
        return result
    }

    private static func argument(_ text: String) -> String { "\"" + Self.text(text) + "\"" }
}
